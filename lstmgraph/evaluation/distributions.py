"""Quantiles and scores of the distributions that a model forecasts, in float64 with SciPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmgraph.data.values import Array

STEP = 0.2
"""Of sums that stand for integrals."""


def quantiles(distribution: str, shares: Sequence[float], values: Array) -> Array:
    """Return quantiles (..., shares) of outputs (..., parameters)."""
    from scipy import stats  # noqa: PLC0415 - a second to import

    wanted = np.array(shares)
    parts = [values[..., at, None].astype("float64") for at in range(values.shape[-1])]
    if distribution == "normal":
        found = stats.norm.ppf(wanted, parts[0], parts[1])
    elif distribution == "student_t":
        found = stats.t.ppf(wanted, parts[2], parts[0], parts[1])
    elif distribution == "poisson":
        found = stats.poisson.ppf(wanted, parts[0])
    else:
        count = 1 / parts[1]
        found = stats.nbinom.ppf(wanted, count, count / (count + parts[0]))
    levels: Array = np.asarray(found)
    return levels


def crps(distribution: str, targets: Array, values: Array) -> Array:
    """Return the continuous ranked probability score of targets (...), in their units.

    Source of the formulas: Jordan, Krüger and Lerch, Evaluating Probabilistic Forecasts with
    scoringRules, 2019, appendix A.

    Args:
        distribution: ``normal``, ``student_t``, ``poisson`` or ``negative_binomial``.
        targets: what came, (...).
        values: the outputs, (..., parameters).
    """
    parts = [values[..., at].astype("float64") for at in range(values.shape[-1])]
    targets = targets.astype("float64")
    return _SCORES[distribution](targets, *parts)


def _of_normal(targets: Array, mean: Array, deviation: Array) -> Array:
    from scipy import special  # noqa: PLC0415 - a second to import

    z = (targets - mean) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    found: Array = deviation * (z * (2 * special.ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return found


def _of_student(targets: Array, location: Array, scale: Array, freedom: Array) -> Array:
    from scipy import special, stats  # noqa: PLC0415 - a second to import

    z = (targets - location) / scale
    within = 2 * special.stdtr(freedom, z) - 1
    near = stats.t.pdf(z, freedom) * (freedom + z**2) / (freedom - 1)
    beta = special.betaln(0.5, freedom - 0.5) - 2 * special.betaln(0.5, freedom / 2)
    apart = np.sqrt(freedom) / (freedom - 1) * np.exp(beta)
    found: Array = scale * (z * within + 2 * near - 2 * apart)
    return found


def _of_poisson(targets: Array, mean: Array) -> Array:
    from scipy import special  # noqa: PLC0415 - a second to import

    whole = np.floor(targets)
    below = np.where(whole >= 0, special.pdtr(np.maximum(whole, 0), mean), 0.0)
    # The chance of `whole`, from its logarithm.
    chance = np.exp(special.xlogy(whole, mean) - mean - special.gammaln(np.maximum(whole, 0) + 1))
    chance = np.where(whole >= 0, chance, 0.0)
    apart = mean * (special.ive(0, 2 * mean) + special.ive(1, 2 * mean))
    found: Array = (targets - mean) * (2 * below - 1) + 2 * mean * chance - apart
    return found


def _of_negative_binomial(targets: Array, mean: Array, dispersion: Array) -> Array:
    from scipy import special  # noqa: PLC0415 - a second to import

    count, size = 1 / dispersion, mean * dispersion
    chance, whole = 1 / (1 + size), np.floor(targets)
    below = np.where(whole >= 0, special.betainc(count, np.maximum(whole, 0) + 1, chance), 0.0)
    fewer = np.where(whole >= 1, special.betainc(count + 1, np.maximum(whole, 1), chance), 0.0)
    distance = targets * (2 * below - 1) - mean * (2 * fewer - 1)
    found: Array = distance - _half_apart(size, count)
    return found


def _half_apart(size: Array, count: Array) -> Array:
    """Return half the mean distance of two draws of a negative binomial distribution.

    That is half of (1 / pi) times the integral over x of (1 - |f|^2) / exp(x), where |f|^2 is that
    of the characteristic function at 2 arctan(exp(x)). The integrand is smooth and falls like
    exp(-|x|), so that a sum of equal steps converges fast.
    """
    steep = 4 * size * (1 + size)
    middle = -0.5 * np.log(steep * np.maximum(count, 1.0))
    total = np.zeros_like(steep)
    for at in range(-150, 170):
        x = middle + at * STEP
        share = 1 / (1 + np.exp(-2 * x))
        total -= np.expm1(-count * np.log1p(steep * share)) * np.exp(-x)
    found: Array = total * STEP / (2 * np.pi)
    return found


_SCORES: dict[str, Callable[..., Array]] = {
    "normal": _of_normal,
    "student_t": _of_student,
    "poisson": _of_poisson,
    "negative_binomial": _of_negative_binomial,
}
