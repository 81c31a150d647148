"""Stacks of no layers, ``depth: 0``: the sequence goes through, with its mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import load, outputs_of
from onnx_running import assert_runs_as_keras

from lstmgraph.tuning.search.spaces import hyperparameters, plain_values

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WHOLE = """
inputs:
  x: {shape: [time, 3]}
  n: {shape: [], dtype: int32}
  z: {shape: [2]}
  m: {shape: [time], dtype: bool}
layers:
  plain: {type: lstm, input: x, depth: 0, units: 4, return_sequences: true, dropout: 0.5}
  joined: {type: gru, input: [x, z], depth: 0, units: 4, mask: {lengths: n}}
  value: {type: lstm, input: x, depth: 0, units: 4, bidirectional: true, mask: {value: 0.0}}
  given: {type: simple_rnn, input: x, depth: 0, units: 4, mask: {input: m}, initial_state: input}
  passed: {type: lstm, input: given.sequence, depth: 0, units: 2}
  dropped: {type: lstm, input: passed.sequence, depth: 0, units: 2, mask: none}
  copied: {type: lstm, input: x, depth: 0, units: 2, mask: {from: joined}}
  again: {call: plain, input: joined.sequence}
  of_lengths: {type: global_average_pooling1d, input: joined.sequence}
  of_values: {type: global_average_pooling1d, input: value.sequence}
  of_mask: {type: global_average_pooling1d, input: passed.sequence}
  of_all: {type: global_average_pooling1d, input: dropped.sequence}
  of_copy: {type: global_average_pooling1d, input: copied.sequence}
  of_call: {type: global_average_pooling1d, input: again}
  last: {type: gru, input: joined.sequence, units: 2}
  same: {type: gru, input: [x, z], units: 2, mask: {lengths: n}}
outputs:
  plain: plain
  joined: joined.sequence
  of_lengths: of_lengths
  of_values: of_values
  of_mask: of_mask
  of_all: of_all
  of_copy: of_copy
  of_call: of_call
  last: last
  same: same
"""
RANDOM = np.random.default_rng(0)
LENGTHS = np.array([5, 3, 1, 4], "int32")
STEPS = np.arange(5) < LENGTHS[:, None]
X = RANDOM.normal(size=(4, 5, 3)).astype("float32")
X[1, 3:] = 0
Z = RANDOM.normal(size=(4, 2)).astype("float32")
GIVEN = RANDOM.random((4, 5)) < 0.6
GIVEN[:, 0] = True
FEEDS = {"x": X, "n": LENGTHS, "z": Z, "m": GIVEN}


def mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The mean of the counted steps, (batch, features)."""
    weights = counted[..., None].astype("float64")
    return (values * weights).sum(1) / weights.sum(1)


def test_the_sequence_goes_through_with_its_mask(tmp_path: Path) -> None:
    recipe = load(WHOLE)
    model = recipe.build()
    model.get_layer("same").set_weights(model.get_layer("last").get_weights())
    found = outputs_of(model, FEEDS)
    x = X.astype("float64")
    joined = np.concatenate([x, np.repeat(Z[:, None], 5, 1)], -1)
    expected = {
        "plain": x,
        "joined": joined * STEPS[..., None],  # as the padded steps of recurrent layers
        "of_lengths": mean(joined, STEPS),
        "of_values": mean(x, (X != 0).any(-1)),
        "of_mask": mean(x, GIVEN),
        "of_all": (x * GIVEN[..., None]).mean(1),
        "of_copy": mean(x, STEPS),
        "of_call": mean(joined, STEPS),
        "last": found["same"],
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(found[name], wanted, atol=1e-6, err_msg=name)
    assert {row.name: row.parameters for row in recipe.explain().layers}["joined"] == 0

    assert_runs_as_keras(recipe, model, FEEDS)
    path = tmp_path / "model.keras"
    model.save(path)
    again = outputs_of(keras.saving.load_model(path), FEEDS)
    assert all(np.array_equal(again[name], found[name]) for name in found)


TIED = """
vars: {depth: {$search: {int: [0, 2]}}}
inputs: {x: {shape: [time, 3]}}
layers:
  e: {type: lstm, input: x, depth: "${vars.depth}", units: 3, return_sequences: true}
  d:
    type: lstm
    input: e
    depth: "${vars.depth}"
    units: {$search: {int: [4, 8], step: 4, per_layer: true}}
    return_sequences: true
outputs: {d: d}
"""


def test_a_tuner_searches_the_depth_of_two_stacks_at_once() -> None:
    recipe = load(TIED)
    space = recipe.space()
    names = ["vars.depth", "layers.d.units.1", "layers.d.units.2"]
    assert list(space.by_name) == names
    assert space.size() == len(list(space.grid())) == 1 + 2 + 4
    declared = hyperparameters(space)
    assert [each.name for each in declared.space] == names
    for point in space.grid():
        declared.values |= point
        declared.ensure_active_values()
        assert plain_values(space, declared.values) == point
    counts = {}
    for depth in range(3):
        at = recipe.at({"vars.depth": depth})
        counts[depth] = at.explain().trainable_parameters
        assert at.build().count_params() == counts[depth]
    assert counts[0] == 0 < counts[1] < counts[2]
