"""Comparison of two Keras models call by call, whatever their operations are named."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

import lstmgraph
from lstmgraph.interop.importing import convert
from lstmgraph.interop.reading import read_model

if TYPE_CHECKING:
    import keras

NOT_COMPARED = {"seed", "shared_object_id", "build_config", "registered_name"}
"""Seeds and names of files; weights are moved, so that seeds of initial ones have no effect."""


def round_trip(recipe: lstmgraph.Recipe) -> tuple[str, list[str]]:
    """Return the recipe that a recipe's model is imported to, and how their models differ."""
    model = recipe.build()
    text = convert(read_model(model)).text
    return text, differences(model, lstmgraph.load(text).build())


def without_sections(text: str | dict[str, Any]) -> lstmgraph.Recipe:
    """Return a recipe without what no Keras model holds: further models, data, searches."""
    data = lstmgraph.load(text).to_dict()
    return lstmgraph.load({k: v for k, v in data.items() if k not in ("models", "data", "search")})


def digest(value: Any) -> str:
    """Return a short name for plain data."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def differences(one: keras.Model, other: keras.Model) -> list[str]:
    """Return the layers, calls, inputs and outputs that only one of two models has."""
    first, second = (
        Counter(described(json.loads(model.to_json())["config"])) for model in (one, other)
    )
    only = (first - second) | (second - first)
    return [f"{'-' if first[part] > second[part] else '+'} {part}" for part in sorted(only)]


def described(config: dict[str, Any]) -> list[str]:
    """Return each layer with its arguments, and what each of its calls reads, as texts.

    Calls of one layer are told apart by what they read, as their order has no effect.
    """
    layers = {layer["name"]: layer for layer in config["layers"]}
    operations: dict[str, str] = {}
    calls: dict[tuple[str, int], str | int] = {}

    def is_operation(layer: dict[str, Any]) -> bool:
        return layer["module"].startswith("keras.src.ops")

    def tensor(history: list[Any]) -> Any:
        name, call, output = history
        layer = layers[name]
        if not is_operation(layer):
            return [name, call_of(name, call), output]
        if name not in operations:  # by a digest: texts within texts grow with every operation
            own = [plain(layer["config"]), plain(layer["inbound_nodes"])]
            operations[name] = f"{layer['class_name']} {digest(own)}"
        return [operations[name], output]

    def call_of(name: str, call: int) -> str | int:
        nodes = layers[name]["inbound_nodes"]
        if len(nodes) < 2:
            return call
        if (name, call) not in calls:
            calls[name, call] = digest(plain(nodes[call]))
        return calls[name, call]

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return tensor(value["config"]["keras_history"])
            return {k: plain(v) for k, v in value.items() if k not in {*NOT_COMPARED, "name"}}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return value

    found = [
        json.dumps([name, layer["class_name"], plain(layer["config"])], sort_keys=True)
        for name, layer in layers.items()
        if not is_operation(layer)
    ]
    for name, layer in layers.items():
        if not is_operation(layer):
            found += [
                json.dumps([name, plain(node)], sort_keys=True) for node in layer["inbound_nodes"]
            ]
    outputs = {name: tensor(history) for name, history in config["output_layers"].items()}
    return [*found, json.dumps(outputs, sort_keys=True), str(sorted(config["input_layers"]))]


def randomized(model: keras.Model) -> None:
    """Give every weight other numbers: zeros of a bias hide in which order gates are."""
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(size=weight.shape, scale=0.5).astype(weight.dtype))
