"""A layer of which only the calls are read, and messages about the arguments of calls."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import batch_for, load, outputs_of, randomise, weights_by_layer
from onnx_running import assert_runs_as_keras
from reference import gru

import lstmgraph

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ONLY_CALLS = """
inputs:
  x: {shape: [time, 3]}
  answer: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
layers:
  tower: {type: gru, input: x, units: 4, mask: {lengths: lengths}, initial_state: learned}
  other: {call: tower, input: answer, mask: none}
  third: {call: tower, input: answer, mask: {value: 0.0}, initial_state: zeros}
  one: {type: dense, input: tower, units: 2}
  two: {call: one, input: third}
outputs: {y: two, z: other}
training: {loss: mse, learning_rates: {tower: 0.1}}
"""


@pytest.mark.slow
def test_a_layer_whose_calls_alone_are_read_is_used(tmp_path) -> None:
    recipe = load(ONLY_CALLS)
    warnings = [(each.code, each.path, each.hint) for each in recipe.warnings]
    hint = "only 'tower' reads it, whose calls alone are read: give it the inputs of a call"
    assert warnings == [
        ("W302", ("inputs", "x"), hint),
        ("W302", ("inputs", "lengths"), hint),
    ]
    rows = {row.name: row for row in recipe.explain().layers}
    assert "tower" not in rows
    assert rows["other"].calls == "tower"
    model = recipe.build()
    randomise(model)
    weights = weights_by_layer(model)
    assert sorted(weights) == ["one", "tower", "tower_h"]
    data = batch_for(model)
    found = outputs_of(model, data)
    start = np.repeat(weights["tower_h"][0], 5, axis=0)
    unmasked = gru(data["answer"], weights["tower"], state=(start,)).last
    kernel, bias = weights["one"]
    wanted = {"z": unmasked, "y": gru(data["answer"], weights["tower"]).last @ kernel + bias}
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=1e-6)
    recipe.save(model, tmp_path / "m.keras")
    loaded = outputs_of(keras.models.load_model(tmp_path / "m.keras"), data)
    for name, array in found.items():
        np.testing.assert_array_equal(loaded[name], array)
    assert_runs_as_keras(recipe, model, data)


ARGUMENTS = """
inputs: {x: {shape: [time, 3]}, ids: {shape: [n], dtype: int8}}
layers:
  a: {type: lstm, input: x, units: 4, activation: relu, dropout: 0.95}
  b: {call: a, input: x}
  e: {type: embedding, input: ids, input_dim: 500, output_dim: 3}
  e2: {call: e, input: ids}
  p: {type: time_distributed, input: e, layer: {type: dense, units: 1, activation: softmax}}
  p2: {call: p, input: e2}
  head: {type: dense, input: a, units: 3, activation: sigmoid, dtype_policy: mixed_float16}
  head2: {call: head, input: b}
outputs: {y: head, z: head2, p: p, p2: p2}
training: {loss: {z: categorical_crossentropy}}
"""


def test_a_warning_about_an_argument_is_given_once_at_the_layer() -> None:
    found = [(each.code, *each.path[1:2]) for each in load(ARGUMENTS).warnings]
    assert found == [
        ("W405", "a"),
        ("W407", "a"),
        ("W402", "e"),
        ("W404", "p"),
        ("W401", "head"),
        ("W754", "loss"),
    ]
    assert "for 'head', or" in str(load(ARGUMENTS).warnings[-1].hint)


FROZEN = """
inputs: {x: {shape: [time, 3]}}
layers:
  a: {type: lstm, input: x, units: 4, trainable: false}
  b: {call: a, input: x}
outputs: {y: b}
training: {loss: mse}
"""


@pytest.mark.parametrize(
    ("old", "new", "code", "hint"),
    [
        ("", "", "L779", "remove a `trainable: false`"),
        ("loss: mse", "loss: mse, learning_rates: {b: 0.1}", "L777", "write the rate of 'a'"),
    ],
)
def test_what_is_trained_is_that_of_the_called_layer(old, new, code, hint) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(FROZEN.replace(old, new))
    found = {each.code: each.hint for each in caught.value.diagnostics}
    assert hint in found[code]


def test_keras_cannot_load_two_stateful_layers_with_one_cell(tmp_path) -> None:
    """Why carried states of several calls are refused (L308)."""
    x = keras.Input(batch_shape=(2, 3, 4))
    first = keras.layers.RNN(keras.layers.GRUCell(2), stateful=True)
    second = keras.layers.RNN(first.cell, stateful=True)
    keras.Model(x, [first(x), second(x)]).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="could not be loaded"):
        keras.models.load_model(tmp_path / "m.keras")
