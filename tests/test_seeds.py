"""`runtime.seed`: the same weights in every build, and different ones in every kernel."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from building import build

RECIPE = """
inputs: {x: {shape: [time, 4]}, ids: {shape: [time], dtype: int32}, static: {shape: [4]}}
layers:
  first: {type: lstm, input: x, units: 4, dropout: 0.5}
  second: {type: lstm, input: x, units: 4, dropout: 0.5}
  stacked: {type: lstm, input: x, units: 4, depth: 3, initial_state: {static: [static]}}
  both: {type: lstm, input: x, units: 4, bidirectional: true}
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 8}
  token: {type: time_distributed, input: embedding, layer: {type: dense, units: 4}}
  other: {type: time_distributed, input: embedding, layer: {type: dense, units: 4}}
outputs: {first: first, second: second, stacked: stacked, both: both, token: token, other: other}
"""
SEEDED = RECIPE + "runtime: {seed: 11}\n"


def random_weights(model) -> list[np.ndarray]:
    """Every weight that a random initializer made: biases are zeros and ones."""
    return [w for w in model.get_weights() if len(np.unique(w)) > 2]


def assert_all_different(weights: list[np.ndarray]) -> None:
    """Different also where shapes are: an equal beginning would mean an equal seed."""
    for one, other in itertools.combinations(weights, 2):
        assert not np.array_equal(one.ravel()[:4], other.ravel()[:4])


def test_two_builds_have_the_same_weights() -> None:
    for one, other in zip(build(SEEDED).get_weights(), build(SEEDED).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


# Weights whose initializer is no argument of a layer: scales of attention, thin matrices.
UNSEEDED = """
inputs: {x: {shape: [time, 4]}}
layers:
  adapted: {type: dense, input: x, units: 4, lora_rank: 2}
  attended: {type: additive_attention, input: [adapted, x]}
outputs: {y: attended}
runtime: {seed: 11}
"""


def test_two_builds_have_the_same_weights_where_keras_takes_no_seed() -> None:
    one, other = build(UNSEEDED), build(UNSEEDED)
    assert len(random_weights(one)) == 3
    assert_all_different(random_weights(one))
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second, strict=True)


def test_another_seed_gives_other_weights() -> None:
    one, other = build(SEEDED), build(SEEDED.replace("11", "12"))
    assert_all_different([random_weights(one)[0], random_weights(other)[0]])


def test_without_a_seed_builds_differ() -> None:
    assert_all_different([random_weights(build(RECIPE))[0], random_weights(build(RECIPE))[0]])


def test_every_kernel_is_different() -> None:
    weights = random_weights(build(SEEDED))
    # 8 LSTMs of two kernels, counting stacked ones and directions; 6 state projections;
    # an embedding and two heads.
    assert len(weights) == 2 * 7 + 6 + 3
    assert_all_different(weights)


@pytest.mark.parametrize("seed", [None, 11])
@pytest.mark.parametrize(
    "layer", ["units: 4, bidirectional: true", "units: 4, depth: 2", "units: [4, 4]"]
)
def test_own_seed_of_an_initializer_is_not_used_twice(layer: str, seed: int | None) -> None:
    """Keras makes equal kernels from one seeded initializer."""
    reader = (
        f"{{type: lstm, input: x, {layer}, "
        "kernel_initializer: {type: glorot_uniform, seed: 1}, "
        "recurrent_initializer: {type: glorot_uniform, seed: 1}}"
    )
    recipe = (
        f"inputs: {{x: {{shape: [time, 4]}}}}\nlayers: {{reader: {reader}}}\n"
        f"outputs: {{y: reader}}\nruntime: {{seed: {seed or 'null'}}}\n"
    )
    weights, again = random_weights(build(recipe)), random_weights(build(recipe))
    assert len(weights) == 4
    assert_pairs_differ(weights)
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_pairs_differ(weights: list[np.ndarray]) -> None:
    """Those of the first direction or layer, and those of the second."""
    for one, other in zip(weights[:2], weights[2:], strict=True):
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed", [None, 11])
def test_own_seed_of_a_layer_is_not_used_twice(seed: int | None) -> None:
    """Both directions, and all layers of a stack, would drop the same."""
    recipe = f"""
    inputs: {{x: {{shape: [time, 4]}}}}
    layers:
      both: {{type: lstm, input: x, units: 4, dropout: 0.5, seed: 3, bidirectional: true}}
      stack: {{type: gru, input: x, units: 4, dropout: 0.5, seed: 3, depth: 2}}
      alone: {{type: lstm, input: x, units: 4, dropout: 0.5, seed: 3}}
    outputs: {{both: both, stack: stack, alone: alone}}
    runtime: {{seed: {seed or "null"}}}
    """
    seeds = dropout_seeds(build(recipe))
    assert len(set(seeds)) == 5
    assert seeds[-1] == 3
    assert dropout_seeds(build(recipe)) == seeds


def dropout_seeds(model) -> list[int]:
    both = model.get_layer("both")
    stack = [model.get_layer(name) for name in ("stack_1", "stack_2", "alone")]
    return [layer.cell.seed for layer in (both.forward_layer, both.backward_layer, *stack)]


def test_dropout_is_the_same_in_every_build_and_different_in_every_layer() -> None:
    recipe = """
    inputs: {x: {shape: [50, 4]}}
    layers:
      one: {type: dropout, input: x, rate: 0.5}
      two: {type: dropout, input: x, rate: 0.5}
    outputs: {one: one, two: two}
    runtime: {seed: 11}
    """
    model, again = build(recipe), build(recipe)
    data = {"x": np.ones((3, 50, 4), "float32")}
    first, second = model(data, training=True), again(data, training=True)
    np.testing.assert_array_equal(first["one"], second["one"])
    assert not np.array_equal(first["one"], first["two"])


@pytest.mark.parametrize("recipe", [SEEDED, RECIPE])
def test_numpy_random_state_is_not_touched(recipe: str) -> None:
    before = np.random.get_state()
    build(recipe)
    for one, other in zip(np.random.get_state(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_python_random_state_is_not_touched() -> None:
    before = random.getstate()
    build(SEEDED)
    assert random.getstate() == before
