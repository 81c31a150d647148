"""Recurrent layers on one step: no loop, the numbers of Keras's loop, and nothing in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="on JAX such a loop costs nothing"
    ),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

ONE_STEP = """
inputs: {frames: {shape: [1, 2]}, lengths: {shape: [], dtype: int32}}
layers:
  both:
    {type: lstm, input: frames, units: 2, bidirectional: true, mask: {lengths: lengths}}
  held: {type: gru, input: both.sequence, units: 2, padded_output: hold, initial_state: learned}
  cells:
    type: rnn
    input: held.sequence
    cells: [{type: lstm_cell, units: 2}, {type: gru_cell, units: 3}]
  y: {type: dense, input: cells, units: 1}
outputs: {y: y}
training: {loss: mse, optimizer: sgd, batch_size: 4}
runtime: {seed: 1, xla: false}
"""
LOOPS = {"While", "StatelessWhile"}


def operations(model: keras.Model, frames: np.ndarray) -> set[str]:
    """The kinds of operations of a call of the model, those inside of functions too."""
    import tensorflow as tf  # noqa: PLC0415 - other backends skip these tests

    given = {"frames": frames, "lengths": np.ones(len(frames), "int32")}
    call = tf.function(model).get_concrete_function(
        {name: tf.constant(x) for name, x in given.items() if name in model.input}
    )
    graph = call.graph.as_graph_def()
    functions = [node for function in graph.library.function for node in function.node_def]
    return {node.op for node in [*graph.node, *functions]}


@pytest.mark.slow
def test_trains_as_keras_loop(tmp_path: Path) -> None:
    """The file that Keras loads has Keras's loops."""
    random = np.random.default_rng(0)
    x = {"frames": random.normal(size=(8, 1, 2)).astype("float32")}
    x["lengths"] = np.array([1, 0, 1, 1, 0, 1, 1, 1], "int32")
    y = {"y": random.normal(size=(8, 1)).astype("float32")}
    recipe = load(ONE_STEP)
    model, path = recipe.build(), tmp_path / "m.keras"
    recipe.save(model, path)
    by_keras = keras.models.load_model(path)
    assert not [layer for layer in by_keras.layers if getattr(layer, "unroll", False)]
    found = []
    for each in (model, by_keras):
        each.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        found.append(each.get_weights())
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-7)
    assert operations(by_keras, x["frames"]) & LOOPS
    assert not operations(model, x["frames"]) & LOOPS


def test_the_same_layer_loops_over_a_longer_sequence() -> None:
    """As a layer written by hand, which takes one step more from the state of the others."""
    recipe = load("""
    inputs: {frames: {shape: [3, 2]}, one: {shape: [1, 2]}}
    layers:
      reader: {type: lstm, input: frames, units: 2}
      single: {call: reader, input: one, initial_state: reader}
    outputs: {y: reader.sequence, one: single.sequence}
    runtime: {seed: 1, xla: false}
    """)
    model, frames = recipe.build(), np.random.default_rng(1).normal(size=(2, 4, 2)).astype("f")
    found = model({"frames": frames[:, :3], "one": frames[:, 3:]})
    layer = keras.layers.LSTM(2, return_sequences=True)
    layer.build(frames.shape)
    layer.set_weights(model.get_layer("reader").get_weights())
    expected = layer(frames)
    np.testing.assert_allclose(found["y"], expected[:, :3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found["one"], expected[:, 3:], rtol=0, atol=1e-6)
