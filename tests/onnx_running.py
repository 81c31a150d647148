"""Recipes as ONNX in onnxruntime, beside the Keras models of the same recipes and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from building import Arrays, outputs_of

from lstmgraph.export.onnx import onnx_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    import lstmgraph

onnxruntime.set_default_logger_severity(3)

RECURRENT_OPERATORS = {"LSTM", "GRU", "RNN"}
LOOPS = {"Loop", "Scan", "If"}


def keras_weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """What `onnx_model` asks for."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def exported(recipe: lstmgraph.Recipe, model: keras.Model) -> onnx.ModelProto:
    """The model of the recipe with the weights of `model`, checked by ONNX's own checker."""
    proto = onnx_model(recipe.compiled, keras_weights(model))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def run(proto: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> Arrays:
    """All outputs, by name."""
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def assert_runs_as_keras(
    recipe: lstmgraph.Recipe,
    model: keras.Model,
    inputs: Mapping[str, np.ndarray],
    tolerance: float = 1e-5,
) -> onnx.ModelProto:
    """Every output has Keras's shape, dtype and numbers."""
    proto = exported(recipe, model)
    found, wanted = run(proto, inputs), outputs_of(model, inputs)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype, name
        assert_near(found[name], array, tolerance, name)
    return proto


def assert_near(found: np.ndarray, wanted: np.ndarray, tolerance: float, name: str) -> None:
    """Relative to the largest number, or to 1 where that is less.

    Where Keras gives nan, onnxruntime's recurrent operators may give a number.
    """
    assert found.shape == wanted.shape, name
    known = ~np.isnan(np.asarray(wanted, "float64"))
    found, wanted = (np.asarray(array, "float64")[known] for array in (found, wanted))
    assert not np.isnan(found).any(), name
    scale = max(1.0, np.abs(wanted).max(initial=0))
    error = np.abs(found - wanted).max(initial=0)
    assert error <= tolerance * scale, f"{name}: {error}"


def operators(proto: onnx.ModelProto) -> list[str]:
    """The kinds of all nodes, also inside others."""
    waiting, found = [proto.graph], []
    while waiting:
        for node in waiting.pop().node:
            found.append(node.op_type)
            waiting += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return found
