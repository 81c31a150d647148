"""Arguments of a Keras layer as a recipe writes them: by their names, without defaults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import (
    CELLS,
    argument_defaults,
    family_defaults,
    is_recurrent,
    layer_class,
    named_class,
)
from lstmgraph.resources import KERAS_SCHEMA, RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_WRITTEN = frozenset({"name", "dtype", "implementation", "use_cudnn", "layer", "embeddings"})
"""Arguments that say nothing in a recipe, or that other keys of it say."""
OF_RECURRENT = frozenset(
    {"return_state", "stateful", "unroll", "return_sequences", "zero_output_for_mask"}
)
"""Arguments of recurrent layers that follow from what is read of them, or that have own keys."""
SIZES = ("kernel_size", "strides", "dilation_rate", "pool_size", "size")
"""Arguments with a number for each axis, or one for all."""
FAMILIES = {
    "_initializer": "initializer",
    "_regularizer": "regularizer",
    "_constraint": "constraint",
}


class NotSayableError(Exception):
    """A value that the language has no word for."""


def spelling(name: str) -> str:
    """Return a class name in the recipe's spelling: ``Conv1D`` -> ``conv1d``."""
    names = read_schema(KERAS_SCHEMA)["x-layer-names"]
    return _spelled(name, names)


def _spelled(name: str, names: Mapping[str, str]) -> str:
    found = [own for own, cls in names.items() if cls == name and own == own.lower()]
    return max(found, key=len) if found else name


def named(family: str, value: Any) -> Any:
    """Return an initializer, loss or the like as its name, or as a mapping with its arguments.

    Raises:
        NotSayableError: Keras has no such class.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value if not isinstance(value, str) else _known(family, value)
    if not isinstance(value, dict) or "class_name" not in value:
        raise NotSayableError(f"{family} {str(value)[:60]}")
    config = value.get("config")
    if isinstance(config, str):  # a function by its name
        return _known(family, config)
    name = _known(family, value["class_name"])
    defaults = family_defaults(family, name)
    own = {
        key: _plain(each)
        for key, each in (config or {}).items()
        if key in defaults or each is not None
    }
    own.pop("name", None) if family in ("loss", "metric", "optimizer") else None
    known = read_schema(KERAS_SCHEMA)["$defs"][f"{family}.{named_class(family, name)}"]
    properties = known.get("properties", {})
    written = {
        key: each
        for key, each in own.items()
        if key in properties and not same(each, defaults.get(key))
    }
    return {"type": name, **written} if written else name


def _known(family: str, name: str) -> str:
    names = read_schema(KERAS_SCHEMA)["x-names"][family]
    if name not in names:
        raise NotSayableError(f"the {family.replace('_', ' ')} '{name}', which is not Keras's own")
    return name if name == name.lower() else _spelled(names[name], names)


def same(own: Any, default: Any) -> bool:
    """Return whether a value is a default; 1 is 1.0, and a list is a tuple."""
    if isinstance(own, bool) or isinstance(default, bool):
        return own is default
    if isinstance(own, list | tuple) and isinstance(default, list | tuple):
        return len(own) == len(default) and all(
            same(a, b) for a, b in zip(own, default, strict=True)
        )
    return bool(own == default)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return _shortest(value)
    return value


def _shortest(value: float) -> float:
    """Return the shortest number that is the same in float32: 0.001 for 0.0010000000474974513."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return value
    from struct import pack, unpack  # noqa: PLC0415 - one use

    (single,) = unpack("f", pack("f", value)) if abs(value) < 3e38 else (value,)
    short = float(f"{value:.7g}")
    if single == value and short != value:
        (again,) = unpack("f", pack("f", short))
        return short if again == single else value
    return value


def layer_arguments(layer: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a layer, or of a cell, that a recipe has to write.

    Raises:
        NotSayableError: a value has no form in the language.
    """
    definitions = read_schema(RECIPE_SCHEMA)["$defs"]
    if layer in CELLS:
        known, defaults = set(definitions["cell"]["properties"]), argument_defaults(CELLS[layer])
    elif is_recurrent(layer):
        own = definitions["rnn" if layer == "RNN" else "recurrent"]["properties"]
        known, defaults = set(own), argument_defaults("LSTM" if layer == "RNN" else layer)
    else:
        known = set(read_schema(KERAS_SCHEMA)["$defs"][layer]["properties"])
        defaults = argument_defaults(layer)
    written: dict[str, Any] = {}
    for key in sorted(known):
        if key not in config or key in NOT_WRITTEN:
            continue
        if key in OF_RECURRENT and is_recurrent(layer):
            continue
        value = _argument(key, config[key])
        if key in defaults and _same_argument(key, value, defaults[key]):
            continue
        if key not in defaults and value is None:
            continue
        written[key] = value
    windows = _argument("pool_size", config.get("pool_size"))
    if defaults.get("strides", 0) is None and written.get("strides", 0) == windows:
        del written["strides"]  # of pooling, whose steps are its windows
    order = [key for key in config if key in written]
    return {key: written[key] for key in order}


def _argument(key: str, value: Any) -> Any:
    family = next((each for ending, each in FAMILIES.items() if key.endswith(ending)), None)
    if (family and key != "activity_regularizer") or key == "activity_regularizer":
        return named(family or "regularizer", value)
    if key in ("activation", "recurrent_activation"):
        return _activation(value)
    if key in SIZES and isinstance(value, list) and value and value.count(value[0]) == len(value):
        return value[0]
    return _plain(value)


def _activation(value: Any) -> Any:
    if isinstance(value, dict):
        value = value["config"] if isinstance(value.get("config"), str) else value.get("class_name")
    if value is None or isinstance(value, str):
        return value
    raise NotSayableError(f"the activation {str(value)[:60]}")


def _same_argument(key: str, value: Any, default: Any) -> bool:
    if same(value, default):
        return True
    if key.endswith("activation"):
        return {value, default} <= {None, "linear"}
    family = next((each for ending, each in FAMILIES.items() if key.endswith(ending)), None)
    if family and isinstance(value, str) and isinstance(default, str):
        return named_class(family, value) == named_class(family, default)
    if key == "axis" and value == [default]:
        return True
    if key == "data_format":
        return {value, default} <= {None, "channels_last"}
    return False


def policy_name(config: Mapping[str, Any]) -> str:
    """Return the dtype policy of a layer's configuration."""
    value = config.get("dtype") or "float32"
    if isinstance(value, dict):
        value = value.get("config", {}).get("name", "float32")
    return str(value)


def identifier(name: str, taken: set[str]) -> str:
    """Return a name that the language allows, `name` itself where it may be, and no taken one."""
    from lstmgraph.language.declaration.references import RESERVED  # noqa: PLC0415 - a constant

    clean = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:90] or "layer"
    if not clean[0].isalpha():
        clean = f"layer_{clean}"
    found, number = clean, 1
    while found in taken or found in RESERVED:
        number += 1
        found = f"{clean}_{number}"
    return found


__all__ = [
    "NotSayableError",
    "identifier",
    "layer_arguments",
    "layer_class",
    "named",
    "policy_name",
    "same",
    "spelling",
]
