"""Distributions that an output can forecast, and the parameters on its last axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import named_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANY_NUMBER, POSITIVE, ABOVE_TWO = "any", "positive", "above two"
"""Values of a parameter; degrees of freedom are above 2, where the variance is finite."""
LOWEST: Mapping[str, float] = {ANY_NUMBER: 0.0, POSITIVE: 1e-6, ABOVE_TWO: 2.0}
"""What is added to parameters: above 0 so that no logarithm is infinite."""

PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "normal": {"mean": ANY_NUMBER, "deviation": POSITIVE},
    "student_t": {"location": ANY_NUMBER, "scale": POSITIVE, "freedom": ABOVE_TWO},
    "negative_binomial": {"mean": POSITIVE, "dispersion": POSITIVE},
    "poisson": {"mean": POSITIVE},
}
"""The parameters of each distribution, in the order of the output's last axis."""
MEDIAN, DEFAULT_LEVEL = 0.5, 0.8
"""The quantile that is a forecast of one number; the chance of an interval of a distribution."""
OF_COUNTS = frozenset({"negative_binomial", "poisson"})
"""Distributions of whole numbers from 0, whose targets cannot be scaled."""
SCALED_AS = {"normal": (True, False), "student_t": (True, False, None)}
"""For each parameter: whether a change of units moves it too, only stretches it, or neither."""

SCORED: Mapping[str, tuple[str, ...]] = {
    "CRPS": ("normal", "student_t"),
    "Coverage": ("normal", "student_t"),
}
"""Distributions of which each score of quantiles is known too."""


def quantiles_of(loss: Any) -> list[float] | None:
    """Return the quantiles that a loss of the recipe says its output has; None for other losses."""
    is_pinball = _class_of(loss) == "Pinball" and isinstance(loss, dict)
    return list(loss["quantiles"]) if is_pinball else None


def distribution_of(loss: Any) -> str | None:
    """Return the distribution that a loss of the recipe says its output has; None for others."""
    is_likelihood = _class_of(loss) == "NegativeLogLikelihood" and isinstance(loss, dict)
    return str(loss["distribution"]) if is_likelihood else None


def is_of_counts(loss: Any) -> bool:
    """Return whether a loss of the recipe takes whole numbers from 0, which cannot be scaled."""
    return distribution_of(loss) in OF_COUNTS or _class_of(loss) == "Poisson"


def numbers_of(loss: Any) -> int | None:
    """Return how many numbers an output has for each target; None for losses of one number."""
    distribution = distribution_of(loss)
    if distribution is not None:
        return len(PARAMETERS[distribution])
    quantiles = quantiles_of(loss)
    return None if quantiles is None else len(quantiles)


def point_of(loss: Any) -> int | None:
    """Return which number of the output is the forecast as one number: the median, or the mean.

    Returns:
        The index on the last axis; of a Student's t it is the location, which is both. None where
        the loss is of numbers already, or of quantiles without the median.
    """
    quantiles = quantiles_of(loss)
    if quantiles is not None:
        return quantiles.index(MEDIAN) if MEDIAN in quantiles else None
    return None if distribution_of(loss) is None else 0


def ends_of(level: float, quantiles: Sequence[float]) -> tuple[int, int] | None:
    """Return the indices of the two quantiles with the chance `level` between; None without one."""
    wanted = ((1 - level) / 2, (1 + level) / 2)
    found = [at for end in wanted for at, each in enumerate(quantiles) if math.isclose(each, end)]
    return (found[0], found[1]) if len(found) == 2 else None


def _class_of(loss: Any) -> str:
    """Return the class of a loss; "" without one, or where its name is a mistake."""
    word = loss.get("type") if isinstance(loss, dict) else loss
    try:
        return named_class("loss", str(word))
    except KeyError:
        return ""
