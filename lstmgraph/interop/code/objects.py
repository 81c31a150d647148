"""Layers, initializers, optimizers and the like, from their configurations, as source.

A class is taken from Keras's public modules alone, by its name. Arguments that have their default
are left out.
"""

from __future__ import annotations

import inspect
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.code.errors import CodeError
from lstmgraph.interop.code.layout import Text, called, listed, literal, mapped, tupled
from lstmgraph.interop.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.interop.code.layout import Source
    from lstmgraph.interop.keras_model import Layer

PLACES = (
    "keras.layers",
    "keras.initializers",
    "keras.regularizers",
    "keras.constraints",
    "keras.optimizers",
    "keras.optimizers.schedules",
    "keras.losses",
    "keras.metrics",
    "keras",
)
"""Public modules whose classes may be in a configuration."""
SHORT = ("layers", "initializers", "regularizers", "constraints")
"""Modules that the code imports by name."""
RUNS_CODE = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
SHAPES = frozenset({"dims", "kernel_size", "pool_size", "shape", "strides", "target_shape"})
"""Arguments that are usually written as tuples."""


def object_source(
    value: Mapping[str, Any],
    place: str | None = None,
    *,
    name: str | None = None,
    keep_trainable: bool = True,
    functions: Mapping[int, str] = MappingProxyType({}),
) -> Source:
    """Return the source that makes a Keras object from its configuration.

    Args:
        value: ``{"class_name": ..., "config": {...}}``, with its ``module`` or without.
        place: the public module of its class, where the configuration has none.
        name: the name of a layer, unless the configuration has one.
        keep_trainable: whether ``trainable=False`` is written.
        functions: the function that builds each model inside a layer, by the model's ``id``.

    Raises:
        CodeError: it is none of Keras's own public classes (M302).
    """
    config = value.get("config")
    kind = str(value.get("class_name"))
    if kind in ("DTypePolicy", "Policy") and isinstance(config, dict):
        return literal(config.get("name"))
    if kind == "__numpy__" and isinstance(config, dict):
        return array_source(config["value"], config["dtype"])
    if kind == "function" and isinstance(config, str) and value.get("module") == "builtins":
        if place is not None and not is_keras_name(config, place):
            raise _foreign(config)
        return literal(config)
    module, made = public_class(kind, value.get("module") or place)
    own = {**config} if isinstance(config, dict) else {}
    if module == "keras.layers" and own.get("name") is None:
        own["name"] = name
    return _made(module, kind, made, own, functions, keep_trainable=keep_trainable)


def public_class(name: str, module: Any = None) -> tuple[str, Any]:
    """Return the public module of one of Keras's classes, and the class.

    Raises:
        CodeError: there is no such class (M302).
    """
    found = None
    places = PLACES if module is None else [module] if module in PLACES else []
    if name.isidentifier() and not name.startswith("_") and name not in RUNS_CODE:
        found = next((p for p in places if inspect.isclass(getattr(_module(p), name, None))), None)
    if found is None:
        raise _foreign(name)
    return found, getattr(_module(found), name)


def is_keras_name(name: str, place: str) -> bool:
    """Return whether a public module has a loss, metric, optimizer or the like by this name.

    Only Keras's own table is asked: a name that this process registered is none of Keras's.
    """
    try:
        found = _module(place).get(name)
    except TypeError:
        return True  # a class that needs arguments
    except (AttributeError, ValueError):
        return False
    return str(found.__module__).partition(".")[0] == "keras"


def _foreign(name: str) -> CodeError:
    return CodeError(
        Note(
            "M302",
            f"'{name}' is no layer or object of Keras's own that is plain data",
            "write that part by hand, or replace it by layers of keras.layers",
        )
    )


@cache
def _module(name: str) -> Any:
    import keras  # noqa: PLC0415 - imports TensorFlow

    place: Any = keras
    for part in name.split(".")[1:]:
        place = getattr(place, part)
    return place


def _made(  # noqa: PLR0913 - what a layer is made from
    module: str,
    name: str,
    made: Any,
    config: dict[str, Any],
    functions: Mapping[int, str],
    *,
    keep_trainable: bool,
) -> Source:
    short = module.removeprefix("keras.")
    function = f"{short if short in SHORT else module}.{name}"
    parameters = _parameters(made)
    if name == "Bidirectional":
        config = _directions(config)
    names = _inner_names(name, config)
    keywords: dict[str, Source] = {}
    positional: list[Source] = []
    in_order = True
    for key, default in parameters.items():
        if key not in config or (key == "trainable" and not keep_trainable):
            in_order = False
            continue
        value = config[key]
        if key in ("layer", "backward_layer", "cell", "cells", "layers"):
            source = _inner(value, names.get(key, ""), functions, keep_trainable=keep_trainable)
        else:
            own = tuple(value) if _is_shape(key, value) else value
            source = value_source(own, default, _family(key))
        if default is inspect.Parameter.empty and in_order:
            positional.append(source)
            continue
        in_order = False
        if key == "dtype" and source.flat() == '"float32"':
            continue
        if default is inspect.Parameter.empty or not _is_default(value, source, default):
            keywords[key] = source
    named = keywords.pop("name", None)
    items = [("", each) for each in positional]
    items += [(f"{key}=", each) for key, each in keywords.items()]
    return called(function, [*items, *([("name=", named)] if named else [])])


def _is_shape(key: str, value: Any) -> bool:
    return isinstance(value, list) and key in SHAPES


def _family(key: str) -> str | None:
    """Return the public module of what an argument takes, by the ending of its name."""
    ending = key.rpartition("_")[2]
    if ending in ("initializer", "regularizer", "constraint"):
        return f"keras.{ending}s"
    if ending == "optimizer":
        return "keras.optimizers"
    return "keras.optimizers.schedules" if key == "learning_rate" else None


def _inner_names(kind: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of layers inside a layer, where its configuration leaves them out."""
    name = config.get("name") or ""
    if kind == "Bidirectional":
        forward = name if "backward_layer" not in config else f"forward_{name}"
        return {"layer": forward, "backward_layer": f"backward_{name}"}
    if kind == "StackedRNNCells":
        return {"cells": f"{str(name).removesuffix('_cells')}_cell"}
    cell = config.get("cell")
    several = isinstance(cell, dict) and cell.get("class_name") == "StackedRNNCells"
    return {"layer": f"{name}_layer", "cell": f"{name}_cells" if several else f"{name}_cell_1"}


def _inner(value: Any, name: str, functions: Mapping[int, str], *, keep_trainable: bool) -> Source:
    if isinstance(value, dict) and (function := functions.get(id(value.get("model")))):
        return called(function, [])
    if isinstance(value, dict) and "class_name" in value:
        own = keep_trainable
        return object_source(
            value, "keras.layers", name=name, keep_trainable=own, functions=functions
        )
    if isinstance(value, list | tuple):
        numbered = [(each, f"{name}_{number}") for number, each in enumerate(value, start=1)]
        return listed(
            [_inner(e, own, functions, keep_trainable=keep_trainable) for e, own in numbered]
        )
    return value_source(value)


@cache
def _parameters(made: Any) -> dict[str, Any]:
    """Return the parameters of a class and their defaults; those of its bases come last."""
    found: dict[str, Any] = {}
    for at, each in enumerate(made.__mro__):
        if "__init__" not in vars(each):
            continue
        parameters = inspect.signature(each.__init__).parameters.values()
        for own in parameters:
            usual = own.kind not in (own.VAR_POSITIONAL, own.VAR_KEYWORD) and own.name != "self"
            if usual and (not found or at == 0 or own.default is not own.empty):
                found.setdefault(own.name, own.default)
        if not any(own.kind is own.VAR_KEYWORD for own in parameters):
            break
    return found


def _is_default(value: Any, source: Source, default: Any) -> bool:
    """Return whether Keras makes the value of a configuration from a default."""
    if default is None and value == "linear":
        return True  # an activation
    if isinstance(default, float | int) and isinstance(value, float | int):
        return (type(default) is not bool and type(value) is not bool and default == value) or (
            default is value
        )
    try:
        return value == default or source.flat() == literal(default).flat()
    except TypeError:
        return False


def _directions(config: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a Bidirectional without what it makes from them itself."""
    forward, backward = (_inner_config(config.get(key)) for key in ("layer", "backward_layer"))
    if forward is None:
        return config
    changed = {**config, "layer": {**config["layer"], "config": forward}}
    if backward is None:
        changed.pop("backward_layer", None)
        return changed
    changed["backward_layer"] = {**config["backward_layer"], "config": backward}
    base = str(forward.get("name") or "").removeprefix("forward_")
    mirrored = {**forward, "go_backwards": True}
    if backward.get("name") is not None:
        mirrored["name"] = f"backward_{base}"
    same_class = config["layer"].get("class_name") == config["backward_layer"].get("class_name")
    if backward == mirrored and same_class:
        if "name" in forward:
            forward["name"] = base
        del changed["backward_layer"]
    return changed


def _inner_config(value: Any) -> dict[str, Any] | None:
    config = value.get("config") if isinstance(value, dict) else None
    if not isinstance(config, dict):
        return None
    # It follows return_sequences.
    return {key: each for key, each in config.items() if key != "zero_output_for_mask"}


def value_source(value: Any, default: Any = None, place: str | None = None) -> Source:
    """Return the source of a value of a configuration.

    An object that has the defaults of its class, where a name would do, is written as the name.

    Raises:
        CodeError: it holds something that is no data of Keras's (M302).
    """
    if isinstance(value, Text):  # of something that the file finds
        return value
    if isinstance(value, dict) and "class_name" in value:
        return _by_name(value, default, place) or object_source(value, place)
    if isinstance(value, dict):
        return mapped({str(key): value_source(each) for key, each in value.items()})
    if isinstance(value, list):
        return listed([value_source(each) for each in value])
    if isinstance(value, tuple):
        return tupled([value_source(each) for each in value])
    try:
        return literal(value)
    except TypeError:
        text = f"a value of the type {type(value).__name__} cannot be written as code"
        raise CodeError(Note("M302", text, "write that part by hand")) from None


def _by_name(value: Mapping[str, Any], default: Any, place: str | None) -> Source | None:
    """Return the name of an object that is as Keras makes it from that name; None for others."""
    module, config = value.get("module") or place, value.get("config")
    if module not in ("keras.initializers", "keras.constraints"):
        return None
    name = str(value.get("class_name"))
    _, made = public_class(name, module)
    parameters = _parameters(made)
    if not isinstance(config, dict) or any(
        key in parameters and parameters[key] != each for key, each in config.items()
    ):
        return None
    spelled = _snake(name)
    # Keras has several names for some: the default of Embedding is called `uniform`.
    for each in (default, spelled):
        if isinstance(each, str) and _is_name_of(each, made, module):
            return literal(each)
    return None


def _is_name_of(name: str, made: Any, module: str) -> bool:
    try:
        return type(_module(module).get(name)) is made
    except ValueError:
        return False


def _snake(name: str) -> str:
    """Return ``glorot_uniform`` for ``GlorotUniform``."""
    return "".join(
        f"_{c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name)
    )


def is_default_phase(layer: Layer, training: Any) -> bool:
    """Return whether a layer is called with its own default of ``training``, which Keras notes."""
    if layer.model is not None:
        return False
    _, made = public_class(layer.type, "keras.layers")
    parameter = inspect.signature(made.call).parameters.get("training")
    return parameter is not None and parameter.default is training


def array_source(values: Sequence[Any], dtype: str) -> Source:
    """Return the source of a NumPy array."""
    return called("np.array", [("", literal(values)), ("dtype=", literal(dtype))])
