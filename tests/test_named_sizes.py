"""`repeat_vector` along a named size: numbers, gradients, padding, and ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import reference as ref
from building import load, outputs_of, randomise, weights_by_layer
from onnx_running import assert_runs_as_keras

import lstmgraph

if TYPE_CHECKING:
    import keras

TEXT = """
inputs: {x: {shape: [time, 3]}, wide: {shape: [2, other]}}
layers:
  m: {type: masking, input: x}
  enc: {type: lstm, input: m, units: 5}
  rep: {type: repeat_vector, input: enc, n: time}
  dec: {type: lstm, input: rep, units: 5, mask: {from: m}}
  y: {type: dense, input: dec.sequence, units: 3}
  along: {type: repeat_vector, input: enc, n: other}
  again: {call: along, input: dec.last}
outputs: {y: y, rep: rep, along: along, again: again}
"""


ALONE = TEXT.replace(", rep: rep, along: along, again: again", "")


@pytest.fixture(scope="module")
def built() -> tuple[lstmgraph.Recipe, keras.Model]:
    recipe = load(TEXT)
    model = recipe.build()
    randomise(model)
    return recipe, model


@pytest.mark.parametrize(("steps", "other"), [(1, 5), (3, 1), (5, 2)])
def test_a_vector_is_repeated_as_often_as_the_size_says(built, steps: int, other: int) -> None:
    """Also where sizes are equal by chance, and where the tensor that has the size holds NaN."""
    recipe, model = built
    random = np.random.default_rng(steps)
    counted = np.arange(steps) < np.array([steps, 1])[:, None]
    x = (random.normal(size=(2, steps, 3)) * counted[..., None]).astype("float32")
    data = {"x": x, "wide": np.full((2, 2, other), np.nan, "float32")}
    found, weights = outputs_of(model, data), weights_by_layer(model)
    code = ref.lstm(x, weights["enc"], counted).last
    repeated = np.repeat(code[:, None], steps, axis=1)
    decoded = ref.lstm(repeated, weights["dec"], counted)
    kernel, bias = weights["y"]
    wanted = {
        "y": decoded.sequence @ kernel + bias,
        "rep": repeated,
        "along": np.repeat(code[:, None], other, axis=1),
        "again": np.repeat(decoded.last[:, None], other, axis=1),
    }
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=1e-5, err_msg=name)
    assert_runs_as_keras(recipe, model, data)


def test_a_half_precision_code_is_repeated_in_half() -> None:
    recipe = load("runtime: {dtype_policy: mixed_float16}\n" + ALONE)
    assert {row.name: row.dtype for row in recipe.explain().layers}["rep"] == "float16"
    recipe.build()


def test_such_a_decoder_does_not_run_step_by_step() -> None:
    """Its code is known only after the last step."""
    with pytest.raises(lstmgraph.RecipeError, match="known only after the last step"):
        load(ALONE).derive("step")
