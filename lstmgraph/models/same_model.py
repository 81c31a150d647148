"""Comparison of the Keras model in a file with the recipe's own, by their configurations.

What is compared is what a model computes and how it trains: every layer and operation with its
arguments, what each call reads, inputs and outputs. Initial values, seeds and which layers are
frozen are no part of that: weights come from the file, and a user may freeze layers by hand.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.errors import OtherModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]

IGNORED = frozenset({"build_config", "seed", "shared_object_id", "trainable"})
INITIALIZER = "_initializer"
TENSOR = "__keras_tensor__"
"""Says which call a tensor comes from, and its shape and dtype, which follow."""
LONGEST = 80
"""Characters of a value in a message."""


def require_same_model(own: Mapping[str, Any], found: object) -> None:
    """Check that two configurations of functional models, as JSON, are the same.

    Args:
        own: the configuration of the recipe's model.
        found: the configuration in the file, which may be anything.

    Raises:
        OtherModelError: they differ; it names the first layer that differs, and the key.
    """
    layers = _layers(found)
    own_layers = {layer["name"]: layer for layer in own["config"]["layers"]}
    for name, layer in own_layers.items():
        if name not in layers:
            raise OtherModelError(f"it has no layer '{name}'")
        _require_same(layer, layers[name], f" of '{name}'")
    further = next((name for name in layers if name not in own_layers), None)
    if further is not None:
        raise OtherModelError(f"it has a layer '{further}', which the recipe's has not")
    # Names and order of all, the inputs, the outputs, and the class of the model.
    _require_same(_outline(own), _outline(found), "")


def _layers(found: object) -> dict[str, Any]:
    config = found.get("config") if isinstance(found, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or not all(
        isinstance(layer, dict) and isinstance(layer.get("name"), str) for layer in layers
    ):
        raise OtherModelError("its configuration is not that of a functional model")
    return {layer["name"]: layer for layer in layers}


def _outline(model: Any) -> dict[str, Any]:
    config = {key: value for key, value in model["config"].items() if key != "name"}
    config["layers"] = [layer["name"] for layer in config["layers"]]
    return {**model, "config": config, "compile_config": None}


def _require_same(own: Any, found: Any, where: str) -> None:
    difference = next(_differences(own, found, ()), None)
    if difference is not None:
        path, wanted, given = difference
        key = ".".join(str(part) for part in path if part != "config") or "configuration"
        raise OtherModelError(f"`{key}`{where} is {_said(given)}, not {_said(wanted)}")


_ABSENT = object()


def _differences(own: Any, found: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the differences, only as deep as `own` goes: what nests deeper in `found` is one."""
    if isinstance(own, dict) and isinstance(found, dict):
        if own.get("class_name") == TENSOR == found.get("class_name"):
            own, found = _source(own), _source(found)
        for key in (*own, *(key for key in found if key not in own)):
            if key not in IGNORED and not key.endswith(INITIALIZER):
                values = own.get(key, _ABSENT), found.get(key, _ABSENT)
                yield from _differences(*values, (*path, key))
    elif isinstance(own, list) and isinstance(found, list) and len(own) == len(found):
        for index, values in enumerate(zip(own, found, strict=True)):
            yield from _differences(*values, (*path, index))
    elif not _equal(own, found):
        yield path, own, found


def _source(tensor: Mapping[str, Any]) -> dict[str, Any]:
    config = tensor.get("config")
    return {"tensor": config.get("keras_history") if isinstance(config, dict) else None}


def _equal(own: Any, found: Any) -> bool:
    if {type(own), type(found)} <= {int, float}:
        return own == found or (math.isnan(own) and math.isnan(found))
    return type(own) is type(found) and bool(own == found)


def _said(value: Any) -> str:
    text = "missing" if value is _ABSENT else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
