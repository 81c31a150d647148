"""States, constants and joined tensors keep their numbers where layers of two precisions meet."""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
import reference as ref
from building import Arrays, batch_for, build, load, outputs_of, randomise, weights_by_layer
from numpy_model import NumpyModel

if TYPE_CHECKING:
    import keras

    from lstmgraph import Recipe

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float64")
MOST_ERROR = {"float32": 2e-6, "mixed_float16": 5e-3, "mixed_bfloat16": 4e-2, "float64": 1e-13}
"""Of outputs of about 1."""

PASSED_ON = {
    "lstm": ("type: lstm, units: 4", "type: lstm, units: 4, initial_state: {source}"),
    "gru": ("type: gru, units: 4", "type: gru, units: 4, initial_state: {source}"),
    "simple_rnn": (
        "type: simple_rnn, units: 4",
        "type: simple_rnn, units: 4, initial_state: {source}",
    ),
    "both ways": (
        "type: lstm, units: 4, bidirectional: true",
        "type: lstm, units: 4, bidirectional: true, initial_state: {source}",
    ),
    "concat": (
        "type: lstm, units: 2, bidirectional: true",
        "type: lstm, units: 4, initial_state: {{from: {source}, bridge: concat}}",
    ),
    "dense": (
        "type: lstm, units: 3",
        "type: lstm, units: 4, initial_state: {{from: {source}, bridge: dense}}",
    ),
    "cells": (
        "type: rnn, cells: [{{type: lstm_cell, units: 3}}, {{type: gru_cell, units: 4}}]",
        "type: rnn, cells: [{{type: lstm_cell, units: 3}}, {{type: gru_cell, units: 4}}], "
        "initial_state: {source}",
    ),
    "split": (
        "type: lstm, units: 4",
        "type: lstm, units: 4, initial_state: {{h: {source}.state.c, c: {{constant: 0.1}}}}",
    ),
}


@pytest.mark.slow
@pytest.mark.tensorflow("JAX has no float64")
@pytest.mark.parametrize("kind", PASSED_ON)
def test_states_pass_between_any_two_precisions(kind: str) -> None:
    """In one model: each of float32 and float64 computes from the numbers it is given.

    For LSTM all pairs of precisions, for the others half of them, in which each is on both sides;
    ``LSTMGRAPH_EXAMPLES`` tries all.
    """
    source, target = PASSED_ON[kind]
    whole = kind == "lstm" or "LSTMGRAPH_EXAMPLES" in os.environ
    turn = list(PASSED_ON).index(kind)
    pairs = [
        (one, other)
        for number, (one, other) in enumerate(product(POLICIES, POLICIES))
        if whole or (number + number // len(POLICIES) + turn) % 2
    ]
    layers = {
        f"from_{one}": f"{{{source.format()}, input: x, dtype_policy: {one}}}" for one in POLICIES
    }
    outputs = [f"from_{one}: from_{one}.state" for one in POLICIES]
    for one, other in pairs:
        name = f"{one}_to_{other}"
        form = target.format(source=f"from_{one}")
        layers[name] = f"{{{form}, input: y, dtype_policy: {other}}}"
        outputs.append(f"{name}: {name}")
    lines = "\n".join(f"  {name}: {layer}" for name, layer in layers.items())
    recipe = load(
        f"inputs: {{x: {{shape: [time, 3]}}, y: {{shape: [time, 2]}}}}\n"
        f"layers:\n{lines}\noutputs: {{{', '.join(outputs)}}}\n"
    )
    model = recipe.build()
    randomise(model)
    data = batch_for(model)
    found = outputs_of(model, data)
    wanted = in_numpy(recipe, model, data)
    for one, other in pairs:
        name = f"{one}_to_{other}"
        most = max(MOST_ERROR[one], MOST_ERROR[other])
        np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=most, err_msg=name)


def in_numpy(recipe: Recipe, model: keras.Model, data: Arrays) -> Arrays:
    values = NumpyModel(recipe.compiled.completed, weights_by_layer(model), data).outputs()
    return {name: value.array for name, value in values.items()}


@pytest.mark.parametrize("policy", POLICIES)
def test_state_of_16_bits_enters_a_wider_layer_unchanged(policy: str) -> None:
    """What the outputs say the state is, the next layer begins from, to its own precision."""
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 3]}}}}
        layers:
          source: {{type: lstm, input: x, units: 4, dtype_policy: {policy}}}
          target: {{type: lstm, input: x, units: 4, initial_state: source}}
        outputs: {{state: source.state, y: target}}
        """
    )
    randomise(model)
    data = batch_for(model)
    found = outputs_of(model, data)
    state = (found["state_h"], found["state_c"])
    wanted = ref.lstm(data["x"], weights_by_layer(model)["target"], state=state).last
    np.testing.assert_allclose(found["y"], wanted, rtol=0, atol=MOST_ERROR["float32"])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_states_fed_back_are_those_of_one_long_run(policy: str) -> None:
    """A state is given in float32 and taken in float32: nothing is lost on the way."""
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 3]}}}}
        layers: {{reader: {{type: lstm, input: x, units: 4, initial_state: {{inputs: [h, c]}}}}}}
        outputs: {{y: reader.sequence, state: reader.state}}
        runtime: {{dtype_policy: {policy}}}
        """
    )
    data = batch_for(model)
    whole = outputs_of(model, data)
    first = outputs_of(model, {**data, "x": data["x"][:, :2]})
    state = {"h": first["state_h"], "c": first["state_c"]}
    rest = outputs_of(model, {"x": data["x"][:, 2:], **state})
    parts = np.concatenate([first["y"], rest["y"]], axis=1)
    np.testing.assert_array_equal(parts, whole["y"])


# The numbers of a recipe are those that are computed with.


@pytest.mark.parametrize("value", ["0.1", "[0.1, -0.3, 1.0e-9, 0.7]"])
@pytest.mark.parametrize("policy", ["float32", "float64"])
@pytest.mark.parametrize("read", ["mixed_bfloat16", "float32"])
def test_constant_state_is_not_rounded_to_the_sequence(read: str, policy: str, value: str) -> None:
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 3], dtype: float32}}}}
        layers:
          low: {{type: gru, input: x, units: 3, dtype_policy: {read}}}
          y:
            type: lstm
            input: low.sequence
            units: 4
            initial_state: {{constant: {value}}}
        outputs: {{low: low.sequence, y: y}}
        runtime: {{dtype_policy: {policy}}}
        """
    )
    randomise(model)
    found = outputs_of(model, batch_for(model))
    state = np.broadcast_to(np.array(eval(value), "float64"), (5, 4))
    weights = weights_by_layer(model)["y"]
    wanted = ref.lstm(found["low"].astype("float64"), weights, state=(state, state)).last
    np.testing.assert_allclose(found["y"], wanted, rtol=0, atol=MOST_ERROR[policy] / 4)


def test_tensors_of_all_precisions_join_and_merge() -> None:
    """A join is in the wider one; a merging layer in its own, as Keras casts what it is given."""
    recipe = load(
        """
        inputs: {x: {shape: [time, 3]}, static: {shape: [2], dtype: float64}}
        layers:
          half: {type: lstm, input: x, units: 2, dtype_policy: mixed_float16}
          brain: {type: lstm, input: x, units: 2, dtype_policy: mixed_bfloat16}
          double: {type: lstm, input: x, units: 2, dtype_policy: float64}
          join: {type: lstm, input: [half.sequence, brain.sequence], units: 2}
          wide: {type: gru, input: [brain.sequence, static], units: 2, dtype_policy: float64}
          sum: {type: add, input: [half.sequence, double.sequence], dtype_policy: float64}
          concat: {type: concatenate, input: [double.sequence, brain.sequence]}
          residual:
            type: gru
            input: double.sequence
            units: [2, 2]
            residual: true
            normalization: layer
            dtype_policy: mixed_float16
        outputs:
          {join: join, wide: wide, sum: sum, concat: concat, residual: residual.sequence}
        """
    )
    graph = recipe.compiled.graph
    model = recipe.build()
    randomise(model)
    data = batch_for(model)
    found, wanted = outputs_of(model, data), in_numpy(recipe, model, data)
    most = MOST_ERROR["mixed_bfloat16"]
    for name, port in graph.outputs.items():
        assert found[name].dtype.name == graph.by_name[port.node].outputs[port.output].dtype
        np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=most)
    assert graph.by_name["join_input"].outputs["output"].dtype == "float32"
    assert graph.by_name["wide_input"].outputs["output"].dtype == "float64"
    assert found["sum"].dtype == found["wide"].dtype == "float64"
