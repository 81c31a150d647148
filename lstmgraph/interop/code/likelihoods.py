"""The losses that Keras does not have, as functions of the file: plain text, with their helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PINBALL = '''\
def pinball(quantiles):
    """Return the quantile loss: the mean over q of max(q * error, (q - 1) * error).

    The last axis of the output has the quantiles; the error is target minus forecast.
    """

    def loss(y_true, y_pred):
        y_true = ops.cast(ops.reshape(y_true, ops.shape(y_pred)[:-1]), y_pred.dtype)
        error = ops.expand_dims(y_true, -1) - y_pred
        q = ops.convert_to_tensor(quantiles, dtype=y_pred.dtype)
        return ops.mean(ops.maximum(q * error, (q - 1) * error), axis=-1)

    return loss'''
NORMAL = '''\
def normal_likelihood(y_true, y_pred):
    """Return minus the log density of a normal distribution.

    The last axis of the output has its mean and its standard deviation.
    """
    mean, deviation = y_pred[..., 0], y_pred[..., 1]
    y_true = ops.cast(ops.reshape(y_true, ops.shape(mean)), y_pred.dtype)
    square = ops.square((y_true - mean) / deviation)
    return 0.5 * square + ops.log(deviation) + 0.5 * np.log(2 * np.pi)'''
STIRLING = '''\
def stirling(z):
    """Return the series that log(gamma(z)) has beyond Stirling's formula."""
    square = 1 / (z * z)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / z'''
GAMMA_STEP = '''\
def log_gamma_half_step(x):
    """Return log(gamma(x + 0.5) / gamma(x)), without the difference of large numbers."""
    above, step = x + 8, 0.5
    log1p = ops.log1p(step / above)
    found = step * ops.log(above) + (above + step - 0.5) * log1p - step
    for power, factor in ((1, 12), (3, -360), (5, 1260), (7, -1680)):
        found = found + ops.expm1(-power * log1p) / (factor * above**power)
    for shift in range(8):
        found = found - ops.log1p(step / (x + shift))
    return found'''
STUDENT_T = '''\
def student_t_likelihood(y_true, y_pred):
    """Return minus the log density of Student's t distribution.

    The last axis of the output has its location, its scale and its degrees of freedom.
    """
    location, scale, freedom = y_pred[..., 0], y_pred[..., 1], y_pred[..., 2]
    y_true = ops.cast(ops.reshape(y_true, ops.shape(location)), y_pred.dtype)
    square = ops.square((y_true - location) / scale)
    constant = 0.5 * ops.log(freedom * np.pi) - log_gamma_half_step(freedom / 2)
    return constant + ops.log(scale) + (freedom + 1) / 2 * ops.log1p(square / freedom)'''
FACTORIAL = '''\
def log_factorial_rest(x):
    """Return log(x!) - (x * log(x) - x), which is small; of 0 it is 0."""
    near, far = ops.minimum(ops.maximum(x, 1e-30), 16.0), ops.maximum(x, 16.0)
    product = near + 1
    for step in range(2, 9):
        product = product * (near + step)
    z = near + 9
    small = near * ops.log1p(9 / near) + 8.5 * ops.log(z) - ops.log(product)
    small = small - 9 + 0.5 * np.log(2 * np.pi) + stirling(z)
    large = 0.5 * ops.log(far) + 0.5 * np.log(2 * np.pi) + stirling(far)
    return ops.where(x > 16.0, large, ops.where(x > 0, small, 0 * x))'''
DEVIANCE = '''\
def deviance(x, wanted, above):
    """Return x * log(x / wanted) - x + wanted, by its series where the two are near.

    `above` is x - wanted.
    """
    share = above / (x + wanted)
    power = square = ops.minimum(share * share, 0.01)
    series = 1 / 3 + 0 * square
    for step in range(2, 8):
        series = series + power / (2 * step + 1)
        power = power * square
    near = above * share + 2 * x * share * square * series
    far = x * ops.log(ops.maximum(x, 1e-30) / wanted) - above
    return ops.where(share * share < 0.01, near, far)'''
POISSON = '''\
def poisson_likelihood(y_true, y_pred):
    """Return minus the log probability of a count; the output's last axis has the mean."""
    mean = y_pred[..., 0]
    y_true = ops.cast(ops.reshape(y_true, ops.shape(mean)), y_pred.dtype)
    return log_factorial_rest(y_true) + deviance(y_true, mean, y_true - mean)'''
NEGATIVE_BINOMIAL = '''\
def negative_binomial_likelihood(y_true, y_pred):
    """Return minus the log probability of a count, of a negative binomial distribution.

    The last axis of the output has its mean and its dispersion: the variance is
    mean + dispersion * mean**2. As in Loader, Fast and Accurate Computation of Binomial
    Probabilities, 2000, no large numbers are subtracted.
    """
    mean, dispersion = y_pred[..., 0], y_pred[..., 1]
    y_true = ops.cast(ops.reshape(y_true, ops.shape(mean)), y_pred.dtype)
    successes, others = 1 / dispersion, 1 + mean * dispersion
    trials, above = successes + y_true, (y_true - mean) / others
    ways = log_factorial_rest(successes) + log_factorial_rest(y_true)
    ways = ways - log_factorial_rest(trials) + ops.log1p(y_true * dispersion)
    of_failures = deviance(y_true, trials * (mean * dispersion / others), above)
    return ways + deviance(successes, trials / others, -above) + of_failures'''

LIKELIHOODS: Mapping[str, tuple[str, ...]] = {
    "normal": (NORMAL,),
    "student_t": (GAMMA_STEP, STUDENT_T),
    "poisson": (STIRLING, FACTORIAL, DEVIANCE, POISSON),
    "negative_binomial": (STIRLING, FACTORIAL, DEVIANCE, NEGATIVE_BINOMIAL),
}
"""The functions of each distribution's loss, ``NAME_likelihood``, which is the last."""
NAMES = (
    *("pinball", "of_scaled", "stirling", "log_gamma_half_step", "log_factorial_rest", "deviance"),
    *(f"{name}_likelihood" for name in LIKELIHOODS),
)
"""The names of all functions that stand before the others."""
