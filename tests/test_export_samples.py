"""Random inputs made from the graph alone: what a model is checked with after it is written."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import SHIPPED, load
from hypothesis import given
from hypothesis import strategies as st

import lstmgraph
from lstmgraph.export.samples import sample_batches
from lstmgraph.export.sizes import choose_sizes
from lstmgraph.keras_facts.tensors import (
    add_dims,
    ceil_divide_dim,
    dim_size,
    multiply_dims,
    scale_dim,
    shift_dim,
)

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph

    Arrays = dict[str, np.ndarray]


def graph_of(text: str) -> Graph:
    return load(text).compiled.graph


def batches(text: str, **options: int) -> list[Arrays]:
    return list(sample_batches(graph_of(text), **options))


# --- shapes and dtypes ---


TYPES = """
inputs: {x: {shape: [time, 3], dtype: DTYPE}}
layers: {y: {type: identity, input: x}}
outputs: {y: y}
"""


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "bfloat16", "float64", "int8", "int64", "uint8", "bool"]
)
def test_dtypes_are_those_of_the_recipe(dtype: str) -> None:
    for batch in batches(TYPES.replace("DTYPE", dtype)):
        assert batch["x"].dtype.name == dtype


TWO_TIMES = """
inputs:
  a: {shape: [time, 3]}
  b: {shape: [time, 2]}
  other: {shape: [steps, 2]}
  h: {shape: [4]}
layers:
  first: {type: lstm, input: a, units: 4, initial_state: {h: h, c: zeros}}
  second: {type: lstm, input: b, units: 4}
  third: {type: lstm, input: other, units: 4}
  y: {type: add, input: [first, second, third]}
outputs: {y: y}
"""


def test_equal_names_have_equal_sizes_and_others_do_not() -> None:
    found = batches(TWO_TIMES)
    for batch in found:
        rows, time, features = batch["a"].shape
        assert batch["b"].shape == (rows, time, 2)
        assert batch["other"].shape[1] != time
        assert (batch["h"].shape, features) == ((rows, 4), 3)
    assert len({batch["a"].shape for batch in found}) == 3  # rows and steps vary
    assert 1 in {len(batch["a"]) for batch in found}


def test_rows_can_be_fixed() -> None:
    assert {len(batch["a"]) for batch in batches(TWO_TIMES, batch_size=2)} == {2}


def test_rows_of_the_recipe() -> None:
    text = TWO_TIMES + "runtime: {batch_size: 6}\n"
    assert {len(batch["a"]) for batch in batches(text)} == {6}


def test_batches_are_random_and_can_be_made_again() -> None:
    first, second, third = (batches(TWO_TIMES, seed=seed)[0]["a"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != third).all()


TIME_MAJOR = """
inputs:
  by_time: {shape: [time, 3], time_major: true}
  lengths: {shape: [], dtype: int32}
layers: {y: {type: gru, input: by_time, units: 2, mask: {lengths: lengths}}}
outputs: {y: y}
"""


def test_time_major_inputs_have_the_time_first() -> None:
    for batch in batches(TIME_MAJOR):
        assert batch["by_time"].shape[1] == len(batch["lengths"])


# --- ids, lengths and masks ---


def test_lengths_differ_by_row_and_are_never_zero() -> None:
    for batch in batches(TIME_MAJOR):
        time, rows, _ = batch["by_time"].shape
        lengths = batch["lengths"]
        assert len(set(lengths.tolist())) == rows
        assert (lengths.min(), lengths.max()) >= (1, 1)
        assert lengths.max() <= time


def test_single_rows_have_different_lengths_too() -> None:
    found = [int(batch["lengths"][0]) for batch in batches(TIME_MAJOR, batch_size=1)]
    assert len(set(found)) == 3
    assert 1 in found


IDS = """
inputs:
  words: {shape: [time], dtype: int32}
  more: {shape: [time], dtype: int64}
  kind: {shape: [4], dtype: int32}
layers:
  vectors: {type: embedding, input: words, input_dim: 3, output_dim: 2, mask_zero: true}
  reshaped: {type: reshape, input: kind, target_shape: [2, 2]}
  kinds: {type: embedding, input: reshaped, input_dim: 2, output_dim: 2}
  sometimes: {type: embedding, input: more, input_dim: 2000, output_dim: 2}
  again: {type: embedding, input: more, input_dim: 1500, output_dim: 2}
  reader: {type: lstm, input: vectors, units: 2, mask: {from: vectors, padding: left}}
outputs: {y: reader, kinds: kinds, sometimes: sometimes, again: again}
"""


def test_ids_are_below_the_smallest_limit_on_their_way() -> None:
    for batch in batches(IDS):
        assert batch["kind"].max() == 1
        assert batch["words"].max() <= 2
        assert 1000 < batch["more"].max() < 1500


def test_ids_are_padded_as_the_recipe_says() -> None:
    for batch in batches(IDS):
        valid = batch["words"] != 0
        assert valid[:, -1].all()
        assert (np.diff(valid.astype(int), axis=1) >= 0).all()  # zeros, then words
    assert any((batch["words"] == 0).any() for batch in batches(IDS))


MASK_INPUT = """
inputs:
  x: {shape: [time, 3]}
  valid: {shape: [time], dtype: bool}
layers: {y: {type: lstm, input: x, units: 2, mask: {input: valid, padding: PADDING}}}
outputs: {y: y}
"""


@pytest.mark.parametrize(("padding", "change"), [("right", -1), ("left", 1)])
def test_bool_masks_are_padded_as_the_recipe_says(padding: str, change: int) -> None:
    for batch in batches(MASK_INPUT.replace("PADDING", padding)):
        steps = np.diff(batch["valid"].astype(int), axis=1)
        assert set(steps.ravel()) <= {0, change}
        assert batch["valid"].any(axis=1).all()


def test_masks_of_which_nothing_is_known_have_gaps() -> None:
    changes = [
        np.diff(b["valid"].astype(int))
        for b in batches(MASK_INPUT.replace("PADDING", "any"), batch_size=5)
    ]
    assert any(((steps == 1).any(axis=1) & (steps == -1).any(axis=1)).any() for steps in changes)


BY_VALUE = """
inputs: {x: {shape: [time, 3]}}
layers: {y: {type: lstm, input: x, units: 2, mask: {value: -7.0, padding: right}}}
outputs: {y: y}
"""


def test_values_that_mean_padding_stand_at_the_end_of_rows() -> None:
    found = batches(BY_VALUE)
    for batch in found:
        padded = (batch["x"] == -7).all(axis=-1)
        assert not padded[:, 0].any()
        assert (np.diff(padded.astype(int), axis=1) >= 0).all()
    assert any((batch["x"] == -7).any() for batch in found)


# --- sizes ---


CONVOLUTIONS = """
inputs: {x: {shape: [time, 3]}}
layers:
  first: {type: conv1d, input: x, filters: 2, kernel_size: 9, strides: 2}
  second: {type: conv1d, input: first, filters: 2, kernel_size: 9}
  y: {type: reshape, input: x, target_shape: [-1, 9]}
outputs: {second: second, y: y}
"""


def test_sizes_leave_something_for_every_layer() -> None:
    """The first convolution gives 9 steps from 25 on, and y a whole number of rows of threes."""
    for batch in batches(CONVOLUTIONS):
        time = batch["x"].shape[1]
        assert time >= 25
        assert time % 3 == 0


def test_larger_sizes_can_be_asked_for() -> None:
    assert min(batch["a"].shape[1] for batch in batches(TWO_TIMES, smallest=40)) >= 40


def test_sizes_that_nothing_suits_are_an_error() -> None:
    graph = graph_of(CONVOLUTIONS.replace("kernel_size: 9, strides: 2", "kernel_size: 1500"))
    with pytest.raises(ValueError, match="no sizes of time"):
        choose_sizes(graph, 1)


dims = st.recursive(
    st.sampled_from(["time", "ahead", 7]),
    lambda inner: st.one_of(
        st.builds(shift_dim, inner, st.integers(-3, 3)),
        st.builds(scale_dim, inner, st.integers(1, 4)),
        st.builds(ceil_divide_dim, inner, st.integers(1, 4)),
        st.builds(add_dims, inner, inner),
        st.builds(lambda first, second: multiply_dims([first, second]), inner, inner),
    ),
    max_leaves=4,
)


@given(dims, st.integers(1, 30), st.integers(1, 30))
def test_sizes_of_dimensions_are_what_python_makes_of_them(dim, time: int, ahead: int) -> None:
    names = {"time": Fraction(time), "ahead": Fraction(ahead), "ceil": math.ceil}
    wanted = eval(dim, {}, names) if isinstance(dim, str) else dim
    assert dim_size(dim, {"time": time, "ahead": ahead}) == wanted


# --- whole models ---


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_are_given_every_input(path) -> None:
    graph = lstmgraph.load(path).compiled.graph
    for batch in sample_batches(graph):
        assert set(batch) == set(graph.inputs)
        assert all(np.isfinite(array.astype("float64")).all() for array in batch.values())


def test_lengths_that_are_ids_are_ids_of_the_embedding() -> None:
    found = batches("""
inputs:
  frames: {shape: [9, 3]}
  lengths: {shape: [], dtype: int32}
layers:
  reader: {type: gru, input: frames, units: 4, mask: {lengths: lengths}}
  count: {type: embedding, input: lengths, input_dim: 6, output_dim: 3}
outputs: {y: reader, count: count}
""")
    assert max(batch["lengths"].max() for batch in found) == 5
