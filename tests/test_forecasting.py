"""Losses and metrics of forecasters, against SciPy in float64 and numerical integration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import with_header
from onnx_running import exported, run
from scipy import integrate, stats

import lstmgraph
from lstmgraph.models.building import forecasting
from lstmgraph.models.building.operations import parameters, quantiles

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RANDOM = np.random.default_rng(0)
SHAPE = (3, 5)
VALUES = RANDOM.normal(size=SHAPE) * 4
COUNTS = RANDOM.integers(0, 60, SHAPE).astype("float64")
MEAN, SPREAD = RANDOM.normal(size=SHAPE), RANDOM.random(SHAPE) * 3 + 0.1
FREEDOM = 2 + RANDOM.random(SHAPE) * 20
RATE, DISPERSION = RANDOM.random(SHAPE) * 50 + 0.1, RANDOM.random(SHAPE) + 0.01
SHARES = [0.05, 0.3, 0.5, 0.95]
ORDERED = np.sort(RANDOM.normal(size=(*SHAPE, 4)) * 4, axis=-1)


def binomial() -> np.ndarray:
    count = 1 / DISPERSION
    return stats.nbinom.logpmf(COUNTS, count, count / (count + RATE))


CASES = {
    "normal": (VALUES, (MEAN, SPREAD), -stats.norm.logpdf(VALUES, MEAN, SPREAD)),
    "student_t": (VALUES, (MEAN, SPREAD, FREEDOM), -stats.t.logpdf(VALUES, FREEDOM, MEAN, SPREAD)),
    "negative_binomial": (COUNTS, (RATE, DISPERSION), -binomial()),
    "poisson": (COUNTS, (RATE,), -stats.poisson.logpmf(COUNTS, RATE)),
}


@pytest.mark.parametrize("distribution", CASES)
def test_likelihoods_are_those_of_scipy(distribution: str) -> None:
    values, given, wanted = CASES[distribution]
    loss = forecasting.NegativeLogLikelihood(distribution, dtype="float64", reduction=None)
    found = loss.call(values, keras.ops.convert_to_tensor(np.stack(given, -1)))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    with_axis = loss.call(values[..., None], keras.ops.convert_to_tensor(np.stack(given, -1)))
    np.testing.assert_array_equal(with_axis, found)


def test_pinball_is_its_definition() -> None:
    error = VALUES[..., None] - ORDERED
    wanted = np.where(error > 0, np.array(SHARES) * error, (np.array(SHARES) - 1) * error)
    loss = forecasting.Pinball(SHARES, dtype="float64", reduction=None)
    np.testing.assert_allclose(loss.call(VALUES, ORDERED), wanted.mean(-1), rtol=1e-12)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients with it")
@pytest.mark.parametrize("distribution", [*CASES, "pinball"])
def test_gradients_are_numerical_ones(distribution: str) -> None:
    import tensorflow as tf  # noqa: PLC0415 - not on every backend

    if distribution == "pinball":
        values, output = VALUES, ORDERED
        loss = forecasting.Pinball(SHARES, dtype="float64")
    else:
        values, given, _ = CASES[distribution]
        output = np.stack(given, -1)
        loss = forecasting.NegativeLogLikelihood(distribution, dtype="float64")
    weights = RANDOM.random(SHAPE)
    variable = tf.Variable(output)
    with tf.GradientTape() as tape:
        total = loss(values, variable, weights)
    found = tape.gradient(total, variable).numpy()
    for place in [(0, 0, 0), (1, 2, -1), (2, 4, 0)]:
        step = np.zeros_like(output)
        step[place] = 1e-6
        ends = [float(loss(values, output + sign * step, weights)) for sign in (1, -1)]
        np.testing.assert_allclose(found[place], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-9)


def test_crps_of_a_normal_distribution_is_its_integral() -> None:
    metric = forecasting.CRPS(distribution="normal", dtype="float64")
    found = metric.of_steps(VALUES, np.stack([MEAN, SPREAD], -1))
    for at in [(0, 0), (1, 3), (2, 4)]:
        value, mean, spread = VALUES[at], MEAN[at], SPREAD[at]

        def squared(x: float, mean=mean, spread=spread, value=value) -> float:
            return (stats.norm.cdf(x, mean, spread) - (x >= value)) ** 2

        ends = (min(value, mean - 9 * spread), max(value, mean + 9 * spread))
        wanted, _ = integrate.quad(squared, *ends, points=[value], limit=200)
        np.testing.assert_allclose(found[at], wanted, rtol=1e-6)


def test_crps_of_many_quantiles_is_near_that_of_their_distribution() -> None:
    shares = (np.arange(400) + 0.5) / 400
    output = stats.norm.ppf(shares) * SPREAD[..., None] + MEAN[..., None]
    of_quantiles = forecasting.CRPS(quantiles=list(shares), dtype="float64")
    of_normal = forecasting.CRPS(distribution="normal", dtype="float64")
    wanted = of_normal.of_steps(VALUES, np.stack([MEAN, SPREAD], -1))
    np.testing.assert_allclose(of_quantiles.of_steps(VALUES, output), wanted, rtol=2e-3)


def test_metrics_are_their_definitions_with_weights() -> None:
    weights = RANDOM.random(SHAPE)
    inside = (ORDERED[..., 0] <= VALUES) & (ORDERED[..., -1] >= VALUES)
    error = VALUES[..., None] - ORDERED
    pinball = np.maximum(np.array(SHARES) * error, (np.array(SHARES) - 1) * error).mean(-1)
    point = ORDERED[..., :1]
    gap = np.abs(VALUES[..., None] - point)
    percent = 200 * gap / (np.abs(VALUES[..., None]) + np.abs(point))
    cases = [
        (forecasting.Coverage(), ORDERED, VALUES, np.average(inside, weights=weights)),
        (
            forecasting.WeightedQuantileLoss(quantiles=SHARES),
            ORDERED,
            VALUES,
            2 * (pinball * weights).sum() / (np.abs(VALUES) * weights).sum(),
        ),
        (
            forecasting.SymmetricMeanAbsolutePercentageError(),
            point,
            VALUES[..., None],
            np.average(percent[..., 0], weights=weights),
        ),
        (
            forecasting.MeanAbsoluteScaledError(scale=2.5),
            point,
            VALUES[..., None],
            np.average(gap[..., 0], weights=weights) / 2.5,
        ),
    ]
    for metric, output, values, wanted in cases:
        for rows in (slice(0, 1), slice(1, 3)):
            metric.update_state(values[rows], output[rows], sample_weight=weights[rows])
        np.testing.assert_allclose(float(metric.result()), wanted, rtol=1e-5, err_msg=metric.name)


def test_quantiles_never_cross_and_parameters_are_positive() -> None:
    numbers = RANDOM.normal(size=(1000, 5)) * RANDOM.choice([0.1, 10, 1000], size=(1000, 1))
    numbers = keras.ops.convert_to_tensor(numbers.astype("float32"))
    np.testing.assert_array_equal(quantiles(numbers), np.sort(numbers, axis=-1))
    for level in (-1e3, 64.0):  # added to all numbers, moves all quantiles and stretches none
        np.testing.assert_allclose(
            quantiles(numbers + level), np.asarray(quantiles(numbers)) + level, atol=1e-3
        )
    for distribution, (_, given, _) in CASES.items():
        found = np.asarray(parameters(numbers[:, : len(given)], distribution))
        assert np.isfinite(found).all()
        first = 1 if distribution in ("normal", "student_t") else 0
        assert (found[:, first:] > 0).all()
        if distribution == "student_t":
            assert (found[:, 2] >= 2).all()


# In recipes.

RECIPE = """
inputs: {history: {shape: [time, 1]}, lengths: {shape: [], dtype: int32}}
layers:
  read: {type: lstm, input: history, units: 4, mask: {lengths: lengths}, return_sequences: true}
  y: {type: dense, input: read.sequence, units: UNITS}
outputs: {y: y}
runtime: {seed: 3}
training: {loss: LOSS, metrics: METRICS, epochs: 2}
"""
LOSSES = {
    "quantiles": ("{type: pinball, quantiles: [0.1, 0.5, 0.9]}", 3, "[crps, coverage]"),
    "normal": ("{type: negative_log_likelihood, distribution: normal}", 2, "[crps]"),
    "student_t": ("{type: negative_log_likelihood, distribution: student_t}", 3, "[]"),
    "negative_binomial": (
        "{type: negative_log_likelihood, distribution: negative_binomial}",
        2,
        "[]",
    ),
    "poisson": ("{type: negative_log_likelihood, distribution: poisson}", 1, "[]"),
}


def recipe(kind: str) -> lstmgraph.Recipe:
    loss, units, metrics = LOSSES[kind]
    text = RECIPE.replace("LOSS", loss).replace("UNITS", str(units)).replace("METRICS", metrics)
    return lstmgraph.load(with_header(text, "chances"))


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    x = random.normal(size=(40, 6, 1)).astype("float32")
    lengths = random.integers(1, 7, 40).astype("int32")
    y = np.round(np.abs(x[..., 0]) * 5).astype("float32")
    return {"history": x, "lengths": lengths, "y": y}


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("kind", LOSSES)
def test_masked_steps_do_not_count_and_exports_compute_the_same(kind: str) -> None:
    own, given = recipe(kind), arrays()
    model = own.build()
    x = {name: given[name] for name in ("history", "lengths")}
    found = model.evaluate(x, {"y": given["y"]}, verbose=0, return_dict=True)
    output = model.predict(x, verbose=0)["y"]
    counted = np.arange(6) < given["lengths"][:, None]
    garbage = np.where(counted, given["y"], 1e6).astype("float32")
    again = model.evaluate(x, {"y": garbage}, verbose=0, return_dict=True)
    assert again == found
    loss = model.loss["y"].call(given["y"], output)
    wanted = np.asarray(loss)[counted].mean()
    # Keras averages over rows of batches; every batch here has all of its rows.
    np.testing.assert_allclose(found["loss"], wanted, rtol=5e-2)
    np.testing.assert_allclose(run(exported(own, model), x)["y"], output, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_trained_file_loads_with_keras_alone_and_again_with_its_loss(tmp_path: Path) -> None:
    own = recipe("quantiles")
    result = own.train(arrays(), folder=tmp_path)
    assert result.history["loss"][1] < result.history["loss"][0]
    x = {name: array for name, array in arrays().items() if name != "y"}
    wanted = result.model.predict(x, verbose=0)["y"]
    plain = keras.models.load_model(tmp_path / "chances.keras")
    np.testing.assert_array_equal(plain.predict(x, verbose=0)["y"], wanted)
    whole = lstmgraph.load_model(tmp_path / "chances.keras")
    found = whole.evaluate(x, {"y": arrays()["y"]}, verbose=0, return_dict=True)
    assert {*found} == {"loss", "crps", "coverage"}
    resumed = own.train(arrays(), folder=tmp_path, epochs=3)
    straight = own.train(arrays(), folder=tmp_path / "straight", epochs=3)
    assert resumed.history["loss"] == straight.history["loss"]
    own.export(whole, tmp_path, format="litert")
