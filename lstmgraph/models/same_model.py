"""Comparison of a model's configuration in a file with that of the recipe's own model.

The comparison covers what a model computes and how it trains: every layer and operation with its
arguments, what each call reads, inputs and outputs. It leaves out initial values, seeds and frozen
layers: weights come from the file, and a user may freeze layers by hand.
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
"""The class name under which a configuration says which call a tensor comes from."""
LONGEST = 80
"""The most characters of a value in a message."""


def require_same_model(own: Mapping[str, Any], found: object) -> None:
    """Check that two configurations of functional models are the same model.

    Args:
        own: the configuration of the recipe's model, parsed from JSON.
        found: the configuration in a file, parsed from JSON: any value.

    Raises:
        OtherModelError: they differ; the message names the first layer and key that do.
    """
    layers = _layers(found)
    own_layers = {layer["name"]: layer for layer in own["config"]["layers"]}
    for name, layer in own_layers.items():
        if name not in layers:
            raise OtherModelError(f"it has no layer '{name}'")
        _require_same(layer, layers[name], f" of '{name}'")
    further = next((name for name in layers if name not in own_layers), None)
    if further is not None:
        raise OtherModelError(f"it has a layer '{further}', which the recipe does not have")
    # The names and order of all layers, the inputs, the outputs, and the class of the model.
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
        raise OtherModelError(f"`{key}`{where} is {_shown(given)}, not {_shown(wanted)}")


_ABSENT = object()


def _differences(own: Any, found: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Yield path, own value and found value of each difference, no deeper than `own` is nested."""
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


def _shown(value: Any) -> str:
    text = "missing" if value is _ABSENT else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
