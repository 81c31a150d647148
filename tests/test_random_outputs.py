"""The numbers of random recipes: Keras's outputs are those of NumPy, from the recipe's words alone.

With ``LSTMGRAPH_EXAMPLES=1000`` 160 examples run, drawn anew, and pytest's
``--hypothesis-show-statistics`` says how many had no formula, and how large the largest error was.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import Arrays, outputs_of, randomise, weights_by_layer
from generated import examples, recipes
from generated_base import DIMS, Generated
from hypothesis import assume, event, given, target
from numpy_layers import NotEvaluatedError
from numpy_model import RECURRENT, NumpyModel, Value

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS = 3
"""In a batch, where the recipe does not say how many."""
MOST_ERROR = {"float32": 1e-5, "float64": 1e-12}
"""Of a value, relative to the largest one of its output or, where that is less, to 1.

One number of float32 in a model of float64 is an error of about 1e-8.
"""
ROUNDED_BY_KERAS = {"multi_head_attention"}
"""Layers with a number of float32 of Keras's own: 1 / sqrt(key_dim)."""


def in_one_precision(data: dict[str, Any], policy: str) -> dict[str, Any]:
    """The recipe without other precisions, whose errors say little."""
    data = copy.deepcopy(data)
    data["runtime"] = {**data.get("runtime", {}), "dtype_policy": policy}
    for layer in data["layers"].values():
        layer.pop("dtype_policy", None)
    return data


def batch(data: Mapping[str, Any], model: keras.Model, random: np.random.Generator) -> Arrays:
    """Inputs of the model, padded on the right; lengths run from 0 to all steps."""
    rows = data.get("runtime", {}).get("batch_size") or ROWS
    found = {}
    for name, tensor in model.input.items():
        declared = data["inputs"].get(name, {"shape": tensor.shape[1:]})
        shape = [DIMS.get(dim, dim) for dim in declared["shape"]]
        values = _values((rows, *shape), tensor.dtype, random).astype(tensor.dtype)
        found[name] = values.swapaxes(0, 1) if declared.get("time_major") else values
    return found


def _values(shape: tuple[int, ...], dtype: str, random: np.random.Generator) -> np.ndarray:
    if "int" in dtype and len(shape) == 1:
        return random.integers(0, max(DIMS.values()) + 1, shape)
    if dtype == "bool" or "int" in dtype:
        return random.integers(0, 2 if dtype == "bool" else 6, shape) * _counting(shape, random)
    values = random.normal(size=shape).astype("float32")
    if len(shape) == 3:  # padded, and with steps of the other values that masks name
        values *= _counting(shape[:2], random)[:, :, None]
        values[0, 0], values[-1, -1] = 1.0, -2.5
    return values


def _counting(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    lengths = random.integers(0, shape[1] + 1, shape[0])
    return np.arange(shape[1]) < lengths[:, None]


def largest_error(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    known = np.nan_to_num(wanted)
    scale = max(1.0, np.abs(known).max(initial=0))
    return float(np.abs(np.nan_to_num(found) - known).max(initial=0) / scale)


def check_zeros(data: dict[str, Any], name: str, found: np.ndarray, wanted: Value) -> None:
    """The padded steps of a recurrent layer's own sequence are zeros, to the bit."""
    layer = data["layers"].get(data["outputs"].get(name, "").partition(".")[0], {})
    layer = {**data["layers"].get(layer.get("call"), {}), **layer}
    changed = {"residual", "normalization"} & set(layer) or layer.get("padded_output") == "hold"
    if layer.get("type") in RECURRENT and wanted.mask is not None and not changed:
        assert not found[~wanted.mask].any(), name


@pytest.mark.slow
@examples(7)
@given(recipes(min_layers=3, max_layers=7))
def test_outputs_are_those_of_numpy(generated: Generated) -> None:
    check_outputs(generated, "float32")


@pytest.mark.slow
@examples(5)
@given(recipes(min_layers=3, max_layers=7))
def test_outputs_in_float64_are_those_of_numpy(generated: Generated) -> None:
    check_outputs(generated, "float64")


def check_outputs(generated: Generated, policy: str) -> None:
    keras.backend.clear_session()
    data = in_one_precision(generated.data, policy)
    model = lstmgraph.load(json.dumps(data)).build()
    randomise(model)
    random = np.random.default_rng(len(data["layers"]))
    carried: dict[str, dict[str, np.ndarray]] = {}
    largest = 0.0
    for _ in range(2 if "carried" in json.dumps(data) else 1):
        inputs = batch(data, model, random)
        expected = NumpyModel(data, weights_by_layer(model), inputs, carried)
        try:
            wanted = expected.outputs()
        except NotEvaluatedError:
            event("not evaluated")
            assume(False)
        found = outputs_of(model, inputs)
        assert found.keys() == wanted.keys()
        rounded = ROUNDED_BY_KERAS & {layer.get("type") for layer in data["layers"].values()}
        for name, value in wanted.items():
            error = largest_error(found[name], value.array)
            assert error < MOST_ERROR["float32" if rounded else policy], name
            largest = max(largest, error)
            check_zeros(data, name, found[name], value)
        carried = expected.left()
    target(largest, label="largest error")
