"""What stands in padded steps reaches no output, no gradient and no weight.

Plain Keras gives finite outputs for NaN in padded steps, and NaN for every gradient: the masked
loop drops the outputs of padded steps, and 0 times NaN is NaN on the way back.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstmgraph
from lstmgraph.graph import Port
from lstmgraph.lowering.padding import Padding

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS, STEPS, FEATURES = 4, 5, 3
LENGTHS = np.array([5, 3, 1, 0], "int32")
KEPT = np.arange(STEPS) < LENGTHS[:, None]

INPUTS = {
    "lengths": "inputs: {x: {shape: [TIME, 3]}, n: {shape: [], dtype: int32}, s: {shape: [2]}}",
    "input": "inputs: {x: {shape: [TIME, 3]}, n: {shape: [TIME], dtype: bool}, s: {shape: [2]}}",
}
MASKS = {"lengths": "{lengths: n}", "input": "{input: n, padding: right}"}

LAYERS = {
    "lstm": "  out: {type: lstm, input: x, units: 4, mask: MASK}",
    "gru": "  out: {type: gru, input: x, units: 4, mask: MASK}",
    "simple_rnn": "  out: {type: simple_rnn, input: x, units: 4, mask: MASK}",
    "both ways": "  out: {type: lstm, input: x, units: 4, bidirectional: true, mask: MASK}",
    "a stack": "  out: {type: lstm, input: x, units: [4, 3], mask: MASK}",
    "cells": "  out: {type: rnn, input: x, mask: MASK, cells: [{type: lstm_cell, units: 4}]}",
    "two cells": (
        "  out: {type: rnn, input: x, mask: MASK,"
        " cells: [{type: lstm_cell, units: 4}, {type: gru_cell, units: 3}]}"
    ),
    "held outputs": (
        "  r: {type: lstm, input: x, units: 4, mask: MASK, padded_output: hold}\n"
        "  out: {type: dense, input: r.sequence, units: 2}"
    ),
    "a static input joined": "  out: {type: lstm, input: [x, s], units: 4, mask: MASK}",
    "a given state": (
        "  out: {type: lstm, input: x, units: 4, mask: MASK, initial_state: {static: [s]}}"
    ),
    "dense before": (
        "  d: {type: dense, input: x, units: 4, activation: tanh}\n"
        "  out: {type: lstm, input: d, units: 4, mask: MASK}"
    ),
    "dropout and dense before": (
        "  p: {type: dropout, input: x, rate: 0.0}\n"
        "  d: {type: dense, input: p, units: 4}\n"
        "  out: {type: gru, input: d, units: 4, mask: MASK}"
    ),
    "time_distributed before": (
        "  d: {type: time_distributed, input: x, layer: {type: dense, units: 4}}\n"
        "  out: {type: lstm, input: d, units: 4, mask: MASK}"
    ),
    "two ways that meet": (
        "  a: {type: dense, input: x, units: 4}\n"
        "  b: {type: dense, input: x, units: 4}\n"
        "  c: {type: add, input: [a, b]}\n"
        "  j: {type: concatenate, input: [c, x]}\n"
        "  out: {type: lstm, input: j, units: 4, mask: MASK}"
    ),
    "two readers": (
        "  a: {type: lstm, input: x, units: 4, mask: MASK}\n"
        "  b: {type: gru, input: x, units: 4, mask: MASK}\n"
        "  out: {type: concatenate, input: [a, b]}"
    ),
}


def recipe(layers: str, mask: str, runtime: str = "seed: 1", time: str = "time") -> str:
    inputs = INPUTS[mask].replace("TIME", time)
    if " s" not in layers.replace("[s", " s"):
        inputs = inputs.replace(", s: {shape: [2]}", "")
    return f"""
recipe: 1
name: padded
{inputs}
layers:
{layers.replace("MASK", MASKS[mask])}
outputs: {{out: out}}
runtime: {{{runtime}}}
training: {{loss: mse, optimizer: adam}}
"""


def data(mask: str, padding: float, dtype: str = "float32") -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    x = random.normal(size=(ROWS, STEPS, FEATURES)).astype(dtype)
    x[~KEPT] = padding
    s = random.normal(size=(ROWS, 2)).astype(dtype)
    return {"x": x, "n": LENGTHS if mask == "lengths" else KEPT, "s": s}


def fed(model: keras.Model, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: arrays[name] for name in model.input}


def gradients(model: keras.Model, arrays: dict[str, np.ndarray]) -> tuple[Any, list[np.ndarray]]:
    with tf.GradientTape() as tape:
        out = model(fed(model, arrays), training=True)["out"]
        loss = tf.reduce_sum(tf.square(tf.cast(out, "float32") - 0.5))
    found = tape.gradient(loss, model.trainable_variables)
    return out.numpy(), [tf.convert_to_tensor(each).numpy() for each in found]


def assert_padding_reaches_nothing(text: str, mask: str) -> None:
    model = lstmgraph.load(text).build()
    out, wanted = gradients(model, data(mask, 0.0))
    assert wanted
    assert all(np.isfinite(each).all() for each in wanted)
    for padding in (np.nan, np.inf, -3e38):
        own, found = gradients(model, data(mask, padding))
        np.testing.assert_array_equal(own, out)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("case", LAYERS)
def test_padding_reaches_no_gradient(case: str, mask: str) -> None:
    assert_padding_reaches_nothing(recipe(LAYERS[case], mask), mask)


@pytest.mark.parametrize("case", ["lstm", "both ways", "dense before"])
def test_padding_reaches_no_gradient_unrolled(case: str) -> None:
    layers = LAYERS[case].replace("MASK}", "MASK, unroll: true}")
    assert_padding_reaches_nothing(recipe(layers, "lengths", time="5"), "lengths")


def test_plain_keras_has_nan_gradients_there() -> None:
    x, mask = keras.Input((None, FEATURES), name="x"), keras.Input((None,), dtype="bool", name="n")
    model = keras.Model({"x": x, "n": mask}, {"out": keras.layers.LSTM(4)(x, mask=mask)})
    out, found = gradients(model, data("input", np.nan))
    assert np.isfinite(out).all()
    assert any(np.isnan(each).any() for each in found)


@pytest.mark.parametrize(
    "runtime", ["xla: true", "kernel: standard", "dtype_policy: mixed_bfloat16"]
)
def test_a_step_of_training_leaves_finite_weights(runtime: str) -> None:
    text = recipe(LAYERS["dense before"], "lengths", f"seed: 1, {runtime}", "5")
    weights = []
    for padding in (0.0, np.nan):
        model = lstmgraph.load(text).build()
        arrays = fed(model, data("lengths", padding))
        target = {"out": np.ones((ROWS, 4), "float32")}
        model.fit(arrays, target, epochs=2, verbose=0, shuffle=False)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_model_needs_no_lstmgraph(tmp_path) -> None:
    loaded_recipe = lstmgraph.load(recipe(LAYERS["dense before"], "lengths"))
    model = loaded_recipe.build()
    loaded_recipe.save(model, tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    arrays = data("lengths", np.nan)
    for one, other in zip(gradients(loaded, arrays)[1], gradients(model, arrays)[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_time_major_inputs() -> None:
    text = recipe(LAYERS["lstm"], "lengths").replace("[time, 3]}", "[time, 3], time_major: true}")
    model = lstmgraph.load(text).build()
    results = []
    for padding in (0.0, np.nan):
        arrays = data("lengths", padding)
        arrays["x"] = arrays["x"].swapaxes(0, 1)
        results.append(gradients(model, arrays))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_of_a_padded_video() -> None:
    text = """
recipe: 1
name: padded
inputs: {x: {shape: [5, 4, 3]}, n: {shape: [], dtype: int32}}
layers:
  out: {type: conv_lstm1d, input: x, filters: 2, kernel_size: 2, mask: {lengths: n}}
outputs: {out: out}
"""
    model = lstmgraph.load(text).build()
    x = np.random.default_rng(1).normal(size=(ROWS, STEPS, 4, 3)).astype("float32")
    results = []
    for padding in (0.0, np.nan):
        x[~KEPT] = padding
        results.append(gradients(model, {"x": x.copy(), "n": LENGTHS}))
    for one, other in zip(results[0][1], results[1][1], strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)


PLACES = {
    LAYERS["lstm"]: ({"x"}, set()),
    LAYERS["dense before"]: ({"x"}, set()),
    LAYERS["two readers"]: ({"x"}, set()),
    # Somebody reads the padded steps as they are: they stay, and are zero where they are masked.
    "  r: {type: lstm, input: x, units: 4, mask: MASK}\n"
    "  f: {type: flatten, input: x}\n"
    "  out: {type: concatenate, input: [r, f]}": (set(), {("r", 0)}),
    # A convolution reads several steps at once.
    "  v: {type: conv1d, input: x, filters: 4, kernel_size: 2, padding: causal}\n"
    "  out: {type: lstm, input: v, units: 4, mask: MASK}": (set(), {("out", 0)}),
    # What a masked layer gives is clean.
    LAYERS["a stack"]: ({"x"}, set()),
}


@pytest.mark.parametrize("layers", PLACES)
def test_where_padded_steps_are_made_zero(layers: str) -> None:
    graph = lstmgraph.load(recipe(layers, "lengths", time="5"))._compiled.graph
    found = Padding(graph)
    assert (set(found.inputs), set(found.calls)) == PLACES[layers]
    assert all(mask.like == Port(name) for name, mask in found.inputs.items())


def test_steps_that_are_compared_with_a_value_need_nothing() -> None:
    text = recipe("  out: {type: lstm, input: x, units: 4, mask: {value: 0.0}}", "lengths")
    text = text.replace(", n: {shape: [], dtype: int32}", "")
    found = Padding(lstmgraph.load(text)._compiled.graph)
    assert not found.inputs
    assert not found.calls
