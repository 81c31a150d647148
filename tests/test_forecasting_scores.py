"""Scores of quantiles and of distributions, alone and in models, against SciPy in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import with_header
from onnx_running import exported, run
from scipy import integrate, special, stats

import lstmgraph
from lstmgraph.models.building import forecasting

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Z = np.array([0.0, 0.3, -2.0, 4.0, -30.0, 1.0, 40.0])
FREEDOM = np.array([3.0, 2.0001, 30.0, 5.0, 4.0, 1e6, 2.5])


def students(dtype: str) -> keras.KerasTensor:
    output = np.stack([np.full(7, 2.0), np.full(7, 1.5), FREEDOM], -1)
    return keras.ops.convert_to_tensor(output, dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-7), ("float32", 2e-6)])
def test_crps_of_students_t_is_its_integral(dtype: str, tolerance: float) -> None:
    def integral(z: float, freedom: float) -> float:
        below = integrate.quad(lambda x: stats.t.cdf(x, freedom) ** 2, -np.inf, z, limit=200)
        above = integrate.quad(lambda x: stats.t.sf(x, freedom) ** 2, z, np.inf, limit=200)
        return below[0] + above[0]

    wanted = [1.5 * integral(z, freedom) for z, freedom in zip(Z, FREEDOM, strict=True)]
    metric = forecasting.CRPS(distribution="student_t", dtype=dtype)
    found = metric.of_steps((2 + 1.5 * Z).astype(dtype), students(dtype))
    np.testing.assert_allclose(found, wanted, rtol=tolerance)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_coverage_of_distributions_is_that_of_their_intervals(level: float) -> None:
    values = np.random.default_rng(2).standard_t(3, size=(300, 7)) * 1.5 + 2
    high = stats.t.ppf((1 + level) / 2, FREEDOM)
    metric = forecasting.Coverage(level, distribution="student_t")
    metric.update_state(values, keras.ops.stack([students("float32")] * 300))
    inside = np.abs(values - 2) / 1.5 <= high
    np.testing.assert_allclose(float(metric.result()), inside.mean(), atol=1e-6)
    metric = forecasting.Coverage(level, distribution="normal")
    metric.update_state(values, np.full((300, 7, 2), [2, 1.5], "float32"))
    inside = np.abs(values - 2) / 1.5 <= stats.norm.ppf((1 + level) / 2)
    np.testing.assert_allclose(float(metric.result()), inside.mean(), atol=1e-6)


def test_likelihoods_near_simpler_distributions_keep_their_digits_in_float32() -> None:
    """A negative binomial near Poisson's, and a Student's t near the normal distribution."""
    counts, mean = np.array([0, 3, 12, 40.0]), np.array([0.5, 5, 9, 35.0])
    freedom = np.array([1e3, 1e5, 1e7, 1e9])
    for dispersion in (1e-6, 1e-4, 1e-2):
        size = 1 / dispersion
        wanted = -stats.nbinom.logpmf(counts, size, size / (size + mean))
        given = np.stack([mean, np.full(4, dispersion)], -1).astype("float32")
        loss = forecasting.NegativeLogLikelihood("negative_binomial")
        np.testing.assert_allclose(loss.call(counts, given), wanted, rtol=1e-4)
    given = np.stack([np.zeros(4), np.ones(4), freedom], -1).astype("float32")
    found = forecasting.NegativeLogLikelihood("student_t").call(counts / 10, given)
    np.testing.assert_allclose(found, -stats.t.logpdf(counts / 10, freedom), rtol=1e-5)


# In a model: every head, masked, weighted and measured.

RECIPE = """
inputs: {history: {shape: [6, 2]}, lengths: {shape: [], dtype: int32}}
layers:
  read: {type: gru, input: history, units: 4, mask: {lengths: lengths}, return_sequences: true}
  one: {type: dense, input: read.sequence, units: 1}
  two: {type: dense, input: read.sequence, units: 2}
  three: {type: dense, input: read.sequence, units: 3}
outputs: {q: three, point: three, n: two, t: three, b: two, p: one}
runtime: {seed: 3}
training:
  optimizer: {type: adam, learning_rate: 0.02}
  loss:
    q: {type: pinball, quantiles: [0.1, 0.5, 0.9]}
    point: mse
    n: {type: negative_log_likelihood, distribution: normal}
    t: {type: negative_log_likelihood, distribution: student_t}
    b: {type: negative_log_likelihood, distribution: negative_binomial}
    p: {type: negative_log_likelihood, distribution: poisson}
  metrics:
    q: [mae, root_mean_squared_error, smape, {type: mase, scale: 2.5}, crps]
    n: [crps, {type: coverage, level: 0.5}]
    t: [mae, crps]
    b: [mse]
    p: [mae]
  weighted_metrics: {q: [coverage, weighted_quantile_loss, mae], t: [coverage]}
"""
NEEDS_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="ONNX and LiteRT files come from TensorFlow"
)


def examples() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Inputs, targets (40, 6) and weights (40, 6)."""
    random = np.random.default_rng(5)
    x = random.normal(size=(40, 6, 2)).astype("float32")
    lengths = random.integers(1, 7, 40).astype("int32")
    y = np.round(np.abs(x[..., 0]) * 5).astype("float32")
    return {"history": x, "lengths": lengths}, y, random.random((40, 6)).astype("float32")


@pytest.fixture(scope="module")
def heads() -> tuple[lstmgraph.Recipe, keras.Model]:
    recipe = lstmgraph.load(with_header(RECIPE, "heads"))
    return recipe, recipe.build()


def wanted_losses(outputs: dict[str, np.ndarray], y: np.ndarray) -> dict[str, np.ndarray]:
    """Each loss of each step, (40, 6), of outputs in float64."""
    error = y[..., None] - outputs["q"]
    mean, spread = outputs["n"][..., 0], outputs["n"][..., 1]
    location, scale, freedom = np.moveaxis(outputs["t"], -1, 0)
    rate, size = outputs["b"][..., 0], 1 / outputs["b"][..., 1]
    return {
        "q": np.maximum([0.1, 0.5, 0.9] * error, [-0.9, -0.5, -0.1] * error).mean(-1),
        "n": -stats.norm.logpdf(y, mean, spread),
        "t": -stats.t.logpdf(y, freedom, location, scale),
        "b": -stats.nbinom.logpmf(y, size, size / (size + rate)),
        "p": -stats.poisson.logpmf(y, outputs["p"][..., 0]),
    }


def students_crps(y: np.ndarray, output: np.ndarray) -> np.ndarray:
    """The score by E|X - y| - E|X - X'| / 2, which is written with beta functions."""
    location, scale, n = np.moveaxis(np.where(output == 0, 3, output), -1, 0)
    z = (y - location) / scale
    far = z * (2 * stats.t.cdf(z, n) - 1) + 2 * stats.t.pdf(z, n) * (n + z**2) / (n - 1)
    apart = special.beta(0.5, n - 0.5) / special.beta(0.5, n / 2) ** 2
    return scale * (far - 2 * np.sqrt(n) / (n - 1) * apart)


@pytest.mark.slow
def test_losses_and_metrics_leave_padded_steps_out_and_take_weights(heads) -> None:
    _, model = heads
    x, y, weights = examples()
    outputs = {k: v.astype("float64") for k, v in model.predict(x, verbose=0).items()}
    counted = np.arange(6) < x["lengths"][:, None]
    padded = np.where(counted, y, np.nan).astype("float32")
    targets = dict.fromkeys(model.output, padded) | {"point": np.stack([padded] * 3, -1)}
    sample_weight = dict.fromkeys(model.output, weights)
    model.run_eagerly = True  # the graph takes longer to trace than to run
    found = model.evaluate(
        x, targets, sample_weight=sample_weight, batch_size=40, verbose=0, return_dict=True
    )
    with np.errstate(all="ignore"):  # the padded steps are zeros
        losses = wanted_losses(outputs, y)
    wanted = {f"{k}_loss": (v * weights)[counted].sum() / counted.sum() for k, v in losses.items()}
    median, gap = outputs["q"][..., 1], np.abs(outputs["q"][..., 1] - y)
    mean, spread = outputs["n"][..., 0], outputs["n"][..., 1]
    z = (y - mean) / np.where(counted, spread, 1)
    inside = (outputs["q"][..., 0] <= y) & (outputs["q"][..., 2] >= y)
    location, scale, freedom = np.moveaxis(outputs["t"], -1, 0)
    chance = stats.t.cdf(np.abs(y - location)[counted] / scale[counted], freedom[counted])
    own = weights[counted]
    score = spread * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5)
    percent = 200 * gap / np.maximum(np.abs(median) + y, 1e-30)
    wanted |= {
        "q_mae": gap[counted].mean(),
        "q_root_mean_squared_error": np.sqrt((gap[counted] ** 2).mean()),
        "q_smape": percent[counted].mean(),
        "q_mase": gap[counted].mean() / 2.5,
        "q_crps": 2 * losses["q"][counted].mean(),
        "q_coverage": np.average(inside[counted], weights=own),
        "q_weighted_mae": np.average(gap[counted], weights=own),
        "q_weighted_quantile_loss": 2
        * (losses["q"] * weights)[counted].sum()
        / (y * weights)[counted].sum(),
        "n_crps": score[counted].mean(),
        "n_coverage": (np.abs(z[counted]) <= stats.norm.ppf(0.75)).mean(),
        "t_mae": np.abs(location - y)[counted].mean(),
        "t_crps": students_crps(y, outputs["t"])[counted].mean(),
        "t_coverage": np.average(2 * chance - 1 <= 0.8, weights=own),
        "b_mse": ((outputs["b"][..., 0] - y)[counted] ** 2).mean(),
        "p_mae": np.abs(outputs["p"][..., 0] - y)[counted].mean(),
    }
    for name, number in wanted.items():
        np.testing.assert_allclose(found[name], number, rtol=2e-5, err_msg=name)
    assert np.isfinite(list(found.values())).all()
    np.testing.assert_array_equal(np.sort(outputs["point"]), outputs["q"])  # of one layer


@pytest.mark.slow
def test_training_lowers_every_loss() -> None:
    faster = {"training.optimizer.learning_rate": 0.1}
    recipe = lstmgraph.load(with_header(RECIPE, "heads"), overrides=faster)
    x, y, _ = examples()
    counted = np.arange(6) < x["lengths"][:, None]
    padded = np.where(counted, y, np.nan).astype("float32")
    model = recipe.build()
    model.run_eagerly = True
    targets = dict.fromkeys(model.output, padded)
    targets["point"] = np.stack([padded] * 3, -1)
    history = model.fit(x, targets, epochs=6, batch_size=40, verbose=0).history
    for name in ("q", "n", "t", "b", "p"):
        assert history[f"{name}_loss"][-1] < history[f"{name}_loss"][0], name


@pytest.mark.slow
@NEEDS_TENSORFLOW
def test_every_head_is_exported(heads, tmp_path: Path) -> None:
    recipe, model = heads
    x, _, _ = examples()
    wanted, found = model.predict(x, verbose=0), run(exported(recipe, model), x)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5, err_msg=name)
    recipe.export(model, tmp_path, format="litert")  # which compares both on random inputs


def test_counts_are_whole_numbers_from_0() -> None:
    recipe = lstmgraph.load(
        with_header(
            """
inputs: {x: {shape: [3]}}
layers: {y: {type: dense, input: x, units: 1}}
outputs: {y: y}
training: {loss: {type: negative_log_likelihood, distribution: poisson}}
"""
        )
    )
    x = np.zeros((8, 3), "float32")
    for value in (-1.0, 2.5):
        with pytest.raises(lstmgraph.DataError, match="poisson is of whole numbers from 0"):
            recipe.load_data({"x": x, "y": np.full(8, value, "float32")})
    recipe.load_data({"x": x, "y": np.full((8, 1), 3, "float32")})


def test_initializers_keep_their_own_distributions() -> None:
    text = """
inputs: {x: {shape: [3]}}
layers:
  y: {type: dense, input: x, units: 1,
    kernel_initializer: {type: VarianceScaling, distribution: WORD}}
outputs: {y: y}
"""
    lstmgraph.load(with_header(text.replace("WORD", "untruncated_normal")))
    with pytest.raises(lstmgraph.RecipeError, match="uniform"):
        lstmgraph.load(with_header(text.replace("WORD", "poisson")))
