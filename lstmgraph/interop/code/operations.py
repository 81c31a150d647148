"""Calls of ``keras.ops`` as source, and what some of them are for, as comments."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.code.errors import CodeError
from lstmgraph.interop.code.layout import Text, called, listed, mapped, tupled
from lstmgraph.interop.code.objects import value_source
from lstmgraph.interop.notes import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.interop.code.layout import Source
    from lstmgraph.interop.keras_model import Call, Layer

GET_ITEM = "GetItem"
OTHER_NAMES = {
    "BatchNorm": "batch_normalization",
    "LayerNorm": "layer_normalization",
    "RMSNorm": "rms_normalization",
}
"""Functions whose operation has another name."""
CALL_NAMES: Mapping[str, tuple[str, ...]] = {
    "Average": ("x", "weights"),
    "Full": ("fill_value",),
    "Pad": ("x", "constant_values"),
}
"""What an operation is called with, where a function takes it in another order."""


def operation_source(layer: Layer, call: Call, source_of: Callable[[Any], Source]) -> Source:
    """Return the call of a function of ``keras.ops``.

    Args:
        layer: the operation.
        call: its call.
        source_of: returns the source of an argument.

    Raises:
        CodeError: no public function does it (M301).
    """
    if layer.type == GET_ITEM:
        base, key = call.arguments[:2] if len(call.arguments) > 1 else _get_item(call)
        return Text(f"{source_of(base).flat()}[{_index(key, source_of)}]")
    name, function, arguments = operation_call(layer, call)
    parameters = inspect.signature(function).parameters
    items = [
        (f"{key}=" if key else "", source_of(value))
        for key, value in arguments
        if not key or not _same(value, parameters[key].default)
    ]
    return called(name, items)


def operation_call(
    layer: Layer, call: Call
) -> tuple[str, Callable[..., Any], list[tuple[str, Any]]]:
    """Return the function of ``keras.ops`` that computes an operation, and its arguments.

    Returns:
        Its name, as ``ops.not_equal``, the function, and each argument with its name; the name is
        empty for positional ones.

    Raises:
        CodeError: no public function does it (M301).
    """
    name, function = _function(layer.type)
    parameters = inspect.signature(function).parameters
    config = {
        key: _as_tuple(value)
        for key, value in layer.config.items()
        if key != "name" and not (value is None and key not in parameters)
    }
    if layer.type == "Einsum":
        operands = [("", each) for each in call.arguments]
        return name, function, [("", config["subscripts"]), *operands]
    unknown = [key for key in (*config, *call.keywords) if key not in parameters]
    if unknown:
        raise CodeError(_no_function(layer.type, f"has no argument {unknown[0]}"))
    names = CALL_NAMES.get(layer.type)
    positional = [
        ("" if names is None or (at == 0 and names[0] == "x") else names[at], argument)
        for at, argument in enumerate(call.arguments)
    ]
    return name, function, [*positional, *config.items(), *call.keywords.items()]


def _get_item(call: Call) -> tuple[Any, Any]:
    return call.arguments[0], next(iter(call.keywords.values()))


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(each) for each in value) if isinstance(value, list) else value


@cache
def _function(kind: str) -> tuple[str, Any]:
    from keras import ops  # noqa: PLC0415 - imports TensorFlow

    for place, module in (("ops", ops), ("ops.image", ops.image), ("ops.linalg", ops.linalg)):
        for name in dir(module):
            if name == OTHER_NAMES.get(kind) or name.replace("_", "") == kind.lower():
                function = getattr(module, name)
                if inspect.isfunction(function):
                    return f"{place}.{name}", function
    raise CodeError(_no_function(kind, "is no function of keras.ops"))


def _no_function(kind: str, problem: str) -> Note:
    hint = "write that part by hand, or make it of layers and other functions of keras.ops"
    return Note("M301", f"the operation {kind!r} {problem}", hint)


def _index(key: Any, source_of: Callable[[Any], Source]) -> str:
    """Return an index, whose parts are slices, numbers, ``...``, lists and tensors."""
    if isinstance(key, list | tuple):
        text = ", ".join(_part(each, source_of) for each in key)
        return f"{text}," if len(key) == 1 else text
    return _part(key, source_of)


def _part(key: Any, source_of: Callable[[Any], Source]) -> str:
    if not isinstance(key, slice):
        return source_of(key).flat()
    ends = (key.start, key.stop, key.step)
    start, stop, step = ("" if end is None else source_of(end).flat() for end in ends)
    return f"{start}:{stop}" + (f":{step}" if step else "")


def plain_source(value: Any, source_of_tensor: Callable[[Any], Source | None]) -> Source:
    """Return the source of an argument of a call, in which tensors stand."""
    found = source_of_tensor(value)
    if found is not None:
        return found
    if value is ...:
        return Text("...")
    if isinstance(value, dict) and "class_name" not in value:
        return mapped({str(k): plain_source(v, source_of_tensor) for k, v in value.items()})
    if isinstance(value, list | tuple):
        inner = [plain_source(each, source_of_tensor) for each in value]
        return tupled(inner) if isinstance(value, tuple) else listed(inner)
    return value_source(value)
