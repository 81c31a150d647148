"""Random recipes as ONNX: the outputs in onnxruntime are those of Keras."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import randomise
from generated import examples, recipes
from hypothesis import assume, event, given
from onnx_running import LOOPS, assert_runs_as_keras, operators
from test_random_outputs import batch, in_one_precision

import lstmgraph
from lstmgraph.export.onnx import onnx_obstacles

if TYPE_CHECKING:
    from generated_base import Generated


def without_promises(data: dict[str, Any]) -> dict[str, Any]:
    """The recipe without `padding:`, which the random batches do not keep."""
    for layer in data["layers"].values():
        if isinstance(layer.get("mask"), dict):
            layer["mask"].pop("padding", None)
    return data


def check(data: dict[str, Any], tolerance: float) -> None:
    keras.backend.clear_session()
    recipe = lstmgraph.load(json.dumps(data))
    obstacles = onnx_obstacles(recipe.compiled)
    if obstacles:
        event(obstacles[0][1].partition("'")[0])
        assume(False)
    model = recipe.build()
    randomise(model)
    inputs = batch(data, model, np.random.default_rng(len(data["layers"])))
    proto = assert_runs_as_keras(recipe, model, inputs, tolerance)
    assert not LOOPS & set(operators(proto))


@pytest.mark.slow
@examples(6)
@given(recipes(min_layers=3, max_layers=7))
def test_outputs_are_kerass(generated: Generated) -> None:
    check(without_promises(in_one_precision(generated.data, "float32")), 1e-5)


@pytest.mark.slow
@examples(3)
@given(recipes(min_layers=3, max_layers=7))
def test_outputs_of_other_precisions_are_about_kerass(generated: Generated) -> None:
    """Their shapes and dtypes are the same; Keras computes some in half precision."""
    check(without_promises(copy.deepcopy(generated.data)), 5e-2)
