"""Run a model that was read, with Keras's own layers and operations: not with this package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.interop.inlining import inlined
from lstmgraph.interop.keras_model import Constant, KerasModel, Layer, Tensor, flat_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(
    model: KerasModel, weights: Mapping[str, list[np.ndarray]], inputs: list[np.ndarray]
) -> list[np.ndarray]:
    """The outputs of a model whose weights are given by layer, in Keras's order."""
    model = inlined(model)
    layers = {
        name: made(layer)
        for name, layer in model.layers.items()
        if not layer.is_operation and layer.type != "InputLayer"
    }
    called(model, layers, inputs)  # builds each layer
    assert {name for name, layer in layers.items() if layer.weights} == weights.keys()
    for name, arrays in weights.items():
        layers[name].set_weights(arrays)
        if getattr(layers[name], "stateful", False):
            layers[name].reset_state()
    values = called(model, layers, inputs)
    return [np.asarray(values[tensor]) for tensor in flat_tensors(model.outputs)]


def made(layer: Layer) -> keras.Layer:
    config = with_modules({**layer.config, "name": layer.name.replace("/", "_")})
    found = {"module": "keras.layers", "class_name": layer.type, "registered_name": None}
    return keras.saving.deserialize_keras_object({**found, "config": config})


def with_modules(value: Any, key: str = "") -> Any:
    """A configuration with the modules that Keras looks for."""
    if isinstance(value, list):
        return [with_modules(item, key) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" in value:
        families = ("initializer", "regularizer", "constraint")
        family = next((each for each in families if key.endswith(each)), None)
        module = f"keras.{family}s" if family else "keras.layers"
        return {
            "module": module,
            "class_name": value["class_name"],
            "config": with_modules(value["config"]),
            "registered_name": None,
        }
    return {name: with_modules(item, name) for name, item in value.items()}


def called(
    model: KerasModel, layers: Mapping[str, keras.Layer], inputs: list[np.ndarray]
) -> dict[Tensor, Any]:
    values: dict[Tensor, Any] = dict(zip(flat_tensors(model.inputs), inputs, strict=True))
    values = {tensor: keras.ops.convert_to_tensor(value) for tensor, value in values.items()}
    for call in model.calls:
        arguments = filled(call.arguments, values)
        keywords = {key: filled(value, values) for key, value in call.keywords.items()}
        if call.layer in layers:
            outputs = layers[call.layer](*arguments, **keywords)
        else:
            outputs = operation(model.layers[call.layer], list(arguments), keywords)
        for number, output in enumerate(keras.tree.flatten(outputs)):
            values[Tensor(call.layer, call.index, number)] = output
    return values


def operation(layer: Layer, arguments: list[Any], keywords: Mapping[str, Any]) -> Any:
    if layer.type == "GetItem":
        value, key = arguments
        return value[tuple(key)]
    function = getattr(keras.ops, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", layer.type).lower())
    return function(*arguments, **keywords, **layer.config)


def filled(value: Any, values: Mapping[Tensor, Any]) -> Any:
    if isinstance(value, Tensor):
        return values[value]
    if isinstance(value, Constant):
        return keras.ops.convert_to_tensor(np.array(value.value), value.dtype)
    if isinstance(value, (list, tuple)):
        return [filled(item, values) for item in value]
    return value
