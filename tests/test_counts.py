"""Counts: likelihoods of large ones in float32, and targets whose column is a scaled input."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from building import with_header
from scipy import stats

import lstmgraph
from lstmgraph.models.building import forecasting

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

COUNTS = [0, 1, 2, 10, 100, 1001, 1e4, 1e5, 3e5]
MEANS = [1e-3, 0.3, 1, 7, 99, 1001, 1e5, 1.01e5, 2.9e5]
DISPERSIONS = [1e-4, 1e-2, 0.3, 1, 5, 50]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 1e-5)])
def test_likelihoods_of_large_counts_are_those_of_scipy(dtype: str, tolerance: float) -> None:
    grid = zip(*itertools.product(COUNTS, MEANS, DISPERSIONS), strict=True)
    counts, mean, dispersion = (np.array(each, dtype) for each in grid)
    values, m, a = (each.astype("float64") for each in (counts, mean, dispersion))
    for name, given, wanted in (
        ("poisson", [mean], stats.poisson.logpmf(values, m)),
        (
            "negative_binomial",
            [mean, dispersion],
            stats.nbinom.logpmf(values, 1 / a, 1 / (1 + a * m)),
        ),
    ):
        loss = forecasting.NegativeLogLikelihood(name, dtype=dtype, reduction=None)
        found = loss.call(counts, keras.ops.convert_to_tensor(np.stack(given, -1)))
        np.testing.assert_allclose(found, -wanted, rtol=tolerance, err_msg=name)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients with it")
def test_gradients_of_large_counts_keep_their_digits_in_float32() -> None:
    import tensorflow as tf  # noqa: PLC0415 - not on every backend

    grid = zip(*itertools.product(COUNTS, MEANS, DISPERSIONS), strict=True)
    counts, mean, dispersion = (tf.constant(np.array(each, "float32")) for each in grid)
    loss = forecasting.NegativeLogLikelihood("negative_binomial", reduction=None)
    with tf.GradientTape() as tape:
        tape.watch(mean)
        found = loss.call(counts, tf.stack([mean, dispersion], -1))
    y, m, a = (each.numpy().astype("float64") for each in (counts, mean, dispersion))
    wanted = (m - y) / (m * (1 + a * m))
    np.testing.assert_allclose(tape.gradient(found, mean), wanted, rtol=1e-5, atol=1e-7)


RECIPE = """
inputs: {h: {shape: [6, 2]}}
layers:
  read: {type: lstm, input: h, units: 3}
  y: {type: dense, input: read, units: UNITS, activation: softplus}
  by_step: {type: reshape, input: y, target_shape: SHAPE}
outputs: {y: by_step}
runtime: {seed: 1}
training: {loss: LOSS}
data:
  time: day
  window: {history: 6, horizon: 3}
  columns: {sales: {scale: standard}}
  inputs: {h: {columns: [sales, price]}}
  targets: {y: {columns: [sales]}}
"""
LOSSES = {
    "poisson": ("poisson", "3", "[3, 1]"),
    "negative binomial": (
        "{type: negative_log_likelihood, distribution: negative_binomial}",
        "6",
        "[3, 2]",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
def test_counts_stay_counts_where_their_column_is_a_scaled_input(kind: str) -> None:
    loss, units, shape = LOSSES[kind]
    text = RECIPE.replace("UNITS", units).replace("SHAPE", shape).replace("LOSS", loss)
    random = np.random.default_rng(0)
    data = {"sales": random.poisson(90, 40).astype(float), "price": random.normal(size=40)}
    data["day"] = np.datetime64("2024-01-01") + np.arange(40)
    recipe = lstmgraph.load(with_header(text, "counts"))
    fitted = recipe.fitted(data)
    x, y, _ = recipe.load_data(data).train.arrays()
    assert y["y"].min() > 50
    model = fitted.build()
    found = model.predict(x, verbose=0)["y"].astype("float64")
    sales = np.unique(np.concatenate([x["h"][..., 0].ravel(), y["y"].ravel()]))
    read = data["sales"][: len(x["h"]) + 8]
    assert set(sales) == set(read)
    plain = lstmgraph.load(with_header(text.replace("scale: standard", "missing: 0"), "plain"))
    by_hand = plain.build()
    by_hand.set_weights(
        [w for w in model.get_weights() if w.dtype.kind == "f"][-len(by_hand.get_weights()) :]
    )
    scaled = x["h"].copy()
    scaled[..., 0] = (scaled[..., 0] - read.mean()) / read.std()
    np.testing.assert_allclose(found, by_hand.predict({"h": scaled}, verbose=0)["y"], rtol=1e-4)
    counts = y["y"].reshape(len(found), 3)
    if kind == "poisson":
        mean = found.reshape(counts.shape)
        wanted = mean - counts * np.log(mean + 1e-7)
    else:
        m, a = found[..., 0], found[..., 1]
        wanted = -stats.nbinom.logpmf(counts, 1 / a, 1 / (1 + a * m))
    loss_of_model = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(loss_of_model, wanted.mean(), rtol=1e-5)
