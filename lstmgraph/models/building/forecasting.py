"""Losses and metrics of forecasters: of quantiles and of distributions, and errors with a scale.

The output of a recipe has the numbers that the loss names on its last axis: quantiles in order, or
the parameters of a distribution as ``keras_facts.distributions`` lists them. Targets have all axes
but that one: outputs (batch, horizon, 3) have targets (batch, horizon).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from lstmgraph.keras_facts.distributions import DEFAULT_LEVEL, ends_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Tensor = Any

SHIFT = 8
"""How far up the logarithm of the gamma function is evaluated, where its series is exact."""


class Pinball(keras.losses.Loss):  # type: ignore[misc]
    """The pinball (quantile) loss: the mean over quantiles q of max(q * e, (q - 1) * e).

    e is target minus forecast. Source: Koenker and Bassett, Regression Quantiles, 1978.

    Args:
        quantiles: the quantiles on the last axis of the output, each above 0 and below 1.
    """

    def __init__(
        self,
        quantiles: Sequence[float],
        reduction: str = "sum_over_batch_size",
        name: str = "pinball",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.quantiles = list(quantiles)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Return the loss of each step, (batch, ...), of outputs (batch, ..., quantiles)."""
        return ops.mean(_pinball(y_true, y_pred, self.quantiles), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "quantiles": self.quantiles}


class NegativeLogLikelihood(keras.losses.Loss):  # type: ignore[misc]
    """Minus the logarithm of the density, or of the probability, that an output gives its target.

    Args:
        distribution: ``normal`` (mean, deviation), ``student_t`` (location, scale, degrees of
            freedom), ``negative_binomial`` (mean m, dispersion a: the variance is m + a m²) or
            ``poisson`` (mean).
    """

    def __init__(
        self,
        distribution: str,
        reduction: str = "sum_over_batch_size",
        name: str = "negative_log_likelihood",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.distribution = distribution

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Return the loss of each step, (batch, ...), of outputs (batch, ..., parameters)."""
        y_pred = ops.convert_to_tensor(y_pred)
        values = _like(y_true, y_pred)
        parameters = [y_pred[..., index] for index in range(y_pred.shape[-1])]
        return _LIKELIHOODS[self.distribution](values, *parameters)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "distribution": self.distribution}


def _like(y_true: Any, y_pred: Tensor) -> Tensor:
    """Return targets (batch, ...) of outputs (batch, ..., numbers); an axis of size 1 goes."""
    values = ops.cast(ops.convert_to_tensor(y_true), y_pred.dtype)
    if len(values.shape) == len(y_pred.shape):
        values = ops.squeeze(values, axis=-1)
    return values


def _pinball(y_true: Any, y_pred: Any, quantiles: Sequence[float]) -> Tensor:
    """Return the loss of each quantile, (batch, ..., quantiles)."""
    y_pred = ops.convert_to_tensor(y_pred)
    error = ops.expand_dims(_like(y_true, y_pred), -1) - y_pred
    shares = ops.convert_to_tensor(quantiles, dtype=y_pred.dtype)
    return ops.maximum(shares * error, (shares - 1) * error)


def _normal(values: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    z = (values - mean) / deviation
    return 0.5 * ops.square(z) + ops.log(deviation) + 0.5 * math.log(2 * math.pi)


def _student_t(values: Tensor, location: Tensor, scale: Tensor, freedom: Tensor) -> Tensor:
    z, half = (values - location) / scale, (freedom + 1) / 2
    constant = 0.5 * ops.log(freedom * math.pi) - log_gamma_step(freedom / 2, 0.5)
    return constant + ops.log(scale) + half * ops.log1p(ops.square(z) / freedom)


def _negative_binomial(values: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """Return the loss of counts, right for large ones in float32 too.

    With n = 1 / dispersion successes and all = n + count, whose part of successes is p: the formula
    of Loader, Fast and Accurate Computation of Binomial Probabilities, 2000, in which no large
    numbers are subtracted.
    """
    successes, others = 1 / dispersion, 1 + mean * dispersion
    trials = successes + values
    above = (values - mean) / others
    wanted = trials / others, trials * (mean * dispersion / others)
    ways = factorial_rest(successes) + factorial_rest(values) - factorial_rest(trials)
    far = deviance(successes, wanted[0], -above) + deviance(values, wanted[1], above)
    return ways + ops.log1p(values * dispersion) + far


def _poisson(values: Tensor, mean: Tensor) -> Tensor:
    return factorial_rest(values) + deviance(values, mean, values - mean)


_LIKELIHOODS: dict[str, Callable[..., Tensor]] = {
    "normal": _normal,
    "student_t": _student_t,
    "negative_binomial": _negative_binomial,
    "poisson": _poisson,
}


def factorial_rest(x: Tensor) -> Tensor:
    """Return log(x!) less x log(x) - x, which is small: for numbers from 0.

    Stirling's series at x + 9, less the logarithms of (x + 1) ... (x + 9) over x; of float64 the
    error is below 1e-10. Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 6.1.41.
    """
    above = ops.maximum(x, SMALLEST)
    near, far = ops.minimum(above, FAR), ops.maximum(above, FAR)
    product = near + 1
    for step in range(2, SHIFT + 1):
        product = product * (near + step)
    z = near + (SHIFT + 1)
    grown = near * ops.log1p((SHIFT + 1) / near) + (SHIFT + 0.5) * ops.log(z)
    small = grown - ops.log(product) - (SHIFT + 1) + HALF_LOG_TAU + _stirling(z)
    large = 0.5 * ops.log(far) + HALF_LOG_TAU + _stirling(far)
    return ops.where(x > FAR, large, ops.where(x > 0, small, 0 * x))


def _stirling(z: Tensor) -> Tensor:
    """Return what Stirling's formula lacks for the logarithm of the gamma function of `z`."""
    square = 1 / (z * z)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / z


def deviance(x: Tensor, wanted: Tensor, above: Tensor) -> Tensor:
    """Return x log(x / wanted) - x + wanted, by its series where the two are near.

    Args:
        x: numbers from 0.
        wanted: numbers above 0.
        above: x - wanted, without the rounding of a difference of large numbers.

    Source: ``bd0`` of Loader, Fast and Accurate Computation of Binomial Probabilities, 2000.
    """
    share = above / (x + wanted)
    power = square = ops.minimum(share * share, 0.01)
    series = 1.0 / 3.0 + 0 * square
    for step in range(2, 8):
        series = series + power / (2 * step + 1)
        power = power * square
    near = above * share + 2 * x * share * square * series
    far = x * ops.log(ops.maximum(x, SMALLEST) / wanted) - above
    return ops.where(share * share < 0.01, near, far)


def log_gamma_step(x: Tensor, step: Tensor | float) -> Tensor:
    """Return how much the logarithm of the gamma function grows from `x` to `x` + `step`.

    The difference of two ``log_gamma`` of large numbers would be lost in rounding. Source:
    differences of the same series, term by term.
    """
    above, step = x + SHIFT, ops.cast(step, x.dtype)
    ratio = step / above
    log1p = ops.log1p(ratio)
    far = step * ops.log(above) + (above + step - 0.5) * log1p - step
    for power, factor in ((1, 12), (3, -360), (5, 1260), (7, -1680)):
        far = far + ops.expm1(-power * log1p) / (factor * above**power)
    for shift in range(SHIFT):
        far = far - ops.log1p(step / (x + shift))
    return far


FAR, SMALLEST = 16.0, 1e-30
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def measure_point(metric: keras.metrics.Metric, point: int) -> None:
    """Have `metric` read one number of outputs (..., numbers), that with the index `point`."""
    update = metric.update_state

    def update_state(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        values = ops.expand_dims(_like(y_true, y_pred), -1)
        return update(values, y_pred[..., point : point + 1], sample_weight=sample_weight)

    metric.update_state = update_state


class _StepMean(keras.metrics.Mean):  # type: ignore[misc]
    """The mean of one number for each step."""

    def __init__(self, name: str, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add the steps of a batch: outputs (batch, ..., numbers), targets (batch, ...)."""
        y_pred = ops.cast(ops.convert_to_tensor(y_pred), self.dtype)
        return super().update_state(self.of_steps(y_true, y_pred), sample_weight=sample_weight)

    def of_steps(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """Return a number for each step, (batch, ...)."""
        raise NotImplementedError


class Coverage(_StepMean):
    """The share of targets inside an interval of the forecast.

    Args:
        level: the chance that the interval should have. None stands for the interval between the
            first and the last quantile; of a distribution, 0.8.
        quantiles: those of the output; the loss has them.
        distribution: that of the output, ``normal`` or ``student_t``; the loss has it.
    """

    def __init__(
        self,
        level: float | None = None,
        name: str = "coverage",
        dtype: Any = None,
        quantiles: Sequence[float] | None = None,
        distribution: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.level, self.distribution = level, distribution
        self.ends = ends_of(level, quantiles) if level and quantiles else (0, -1)

    def of_steps(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """Return 1 for each step whose target is inside, else 0."""
        values = _like(y_true, y_pred)
        if self.distribution is None:
            low, high = (y_pred[..., end] for end in self.ends or (0, -1))
            inside = ops.logical_and(values >= low, values <= high)
        else:
            z = (values - y_pred[..., 0]) / y_pred[..., 1]
            chance = _chance_within(z, y_pred, self.distribution)
            inside = chance <= (DEFAULT_LEVEL if self.level is None else self.level)
        return ops.cast(inside, self.dtype)


def _chance_within(z: Tensor, y_pred: Tensor, distribution: str) -> Tensor:
    """Return the chance of at most the distance abs(`z`) from the center, in units of the scale."""
    if distribution == "normal":
        return ops.erf(ops.abs(z) / math.sqrt(2))
    return _student_within(ops.abs(z), _freedom(y_pred))


def _freedom(y_pred: Tensor) -> Tensor:
    """Return the degrees of freedom, at least 2; those of padded steps may be any number."""
    return ops.maximum(y_pred[..., 2], 2)


def _student_within(z: Tensor, freedom: Tensor) -> Tensor:
    """Return the integral of Student's density from -`z` to `z`, for `freedom` above 1.

    With x = sqrt(freedom) tan(angle), the density is a power of the cosine, which is 0 in float64
    beyond 9 standard deviations. Gauss-Legendre of 32 points is then right to 1e-8.
    """
    nodes, weights = np.polynomial.legendre.leggauss(32)
    end = ops.minimum(ops.arctan(z / ops.sqrt(freedom)), 9 / ops.sqrt(freedom - 1))
    total = ops.zeros_like(z)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        log = -0.5 * ops.log1p(ops.square(ops.tan(float(node) * end)))  # of the cosine
        total = total + float(weight) * ops.exp((freedom - 1) * log)
    factor = ops.exp(log_gamma_step(freedom / 2, 0.5)) / math.sqrt(math.pi)
    return 2 * factor * end * total


class CRPS(_StepMean):
    """The continuous ranked probability score, in the unit of the target.

    Of quantiles it is approximated: twice the mean pinball loss over them. Of a normal distribution
    and of Student's t it is exact. Sources: Gneiting and Raftery, Strictly Proper Scoring Rules,
    2007, equation 21; Jordan, Krüger and Lerch, Evaluating Probabilistic Forecasts with
    scoringRules, 2019, appendix A.

    Args:
        quantiles: those of the output; the loss has them.
        distribution: that of the output; the loss has it.
    """

    def __init__(
        self,
        name: str = "crps",
        dtype: Any = None,
        quantiles: Sequence[float] | None = None,
        distribution: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.quantiles, self.distribution = quantiles, distribution

    def of_steps(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """Return the score of each step."""
        if self.quantiles is not None:
            return 2 * ops.mean(_pinball(y_true, y_pred, self.quantiles), axis=-1)
        scale = y_pred[..., 1]
        z = ops.abs(_like(y_true, y_pred) - y_pred[..., 0]) / scale
        within = _chance_within(z, y_pred, str(self.distribution))
        if self.distribution == "normal":
            density = ops.exp(-0.5 * ops.square(z)) / math.sqrt(2 * math.pi)
            return scale * (z * within + 2 * density - 1 / math.sqrt(math.pi))
        freedom = _freedom(y_pred)
        density = ops.exp(-_student_t(z, ops.zeros_like(z), ops.ones_like(z), freedom))
        near = density * (freedom + ops.square(z)) / (freedom - 1)
        # Half the mean distance of two draws, by the beta functions of (1/2, freedom - 1/2) and of
        # (1/2, freedom / 2).
        beta = log_gamma_step(freedom / 2, 0.5) * 2 - log_gamma_step(freedom - 0.5, 0.5)
        apart = ops.sqrt(freedom) / (freedom - 1) * ops.exp(beta) / math.sqrt(math.pi)
        return scale * (z * within + 2 * near - 2 * apart)


class WeightedQuantileLoss(keras.metrics.Metric):  # type: ignore[misc]
    """Twice the sum of pinball losses over the sum of absolute targets, the mean over quantiles.

    Source: Amazon Forecast and GluonTS, ``mean_wQuantileLoss``.

    Args:
        quantiles: those of the output; the loss has them.
    """

    def __init__(
        self,
        name: str = "weighted_quantile_loss",
        dtype: Any = None,
        quantiles: Sequence[float] | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.quantiles = list(quantiles or ())
        self.losses = self.add_weight(name="losses", initializer="zeros")
        self.targets = self.add_weight(name="targets", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the steps of a batch: outputs (batch, ..., quantiles), targets (batch, ...)."""
        y_pred = ops.cast(ops.convert_to_tensor(y_pred), self.dtype)
        losses = 2 * ops.mean(_pinball(y_true, y_pred, self.quantiles), axis=-1)
        targets = ops.abs(_like(y_true, y_pred))
        if sample_weight is not None:
            weight = ops.cast(sample_weight, self.dtype)
            losses, targets = losses * weight, targets * weight
        self.losses.assign_add(ops.sum(losses))
        self.targets.assign_add(ops.sum(targets))

    def result(self) -> Tensor:
        """Return the loss; 0 where all targets are 0."""
        return ops.divide_no_nan(self.losses, self.targets)


class SymmetricMeanAbsolutePercentageError(_StepMean):
    """sMAPE in percent, 0 to 200: 200 |y - f| / (|y| + |f|), 0 where both are 0.

    Source: Makridakis, Accuracy measures, 1993; the M4 competition.
    """

    def __init__(self, name: str = "smape", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def of_steps(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """Return the error of each step, the mean over the numbers of a step."""
        values = ops.cast(ops.convert_to_tensor(y_true), self.dtype)
        size = ops.abs(values) + ops.abs(y_pred)
        return ops.mean(200 * ops.divide_no_nan(ops.abs(values - y_pred), size), axis=-1)


class MeanAbsoluteScaledError(_StepMean):
    """MASE: the mean absolute error over that of a naive forecast in the training part.

    Source: Hyndman and Koehler, Another look at measures of forecast accuracy, 2006.

    Args:
        scale: the mean absolute difference of steps a season apart.
    """

    def __init__(self, scale: float, name: str = "mase", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.scale = scale

    def of_steps(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """Return the error of each step, the mean over the numbers of a step."""
        values = ops.cast(ops.convert_to_tensor(y_true), self.dtype)
        return ops.mean(ops.abs(values - y_pred), axis=-1) / self.scale


LOSSES: dict[str, type] = {each.__name__: each for each in (Pinball, NegativeLogLikelihood)}
METRICS: dict[str, type] = {
    each.__name__: each
    for each in (
        *(Coverage, CRPS, MeanAbsoluteScaledError, SymmetricMeanAbsolutePercentageError),
        WeightedQuantileLoss,
    )
}
