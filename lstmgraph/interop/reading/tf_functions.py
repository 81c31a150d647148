"""Functions of TensorFlow in models of Keras 2 as operations of ``keras.ops``.

Keras 2 saves ``x * 2`` as a layer of the class ``TFOpLambda`` with the name of a function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import tensors_in

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Operation:
    """An operation of ``keras.ops`` in place of a function of TensorFlow."""

    type: str
    config: Mapping[str, Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Form:
    type: str
    further: tuple[str, ...] = ()
    """The function's arguments after the first that are arguments of the call."""
    config: tuple[tuple[str, str, Any], ...] = ()
    """The function's argument, the operation's, and the default, for those of the operation."""


_AXIS = ("axis", "axis", None)
_REDUCED = (_AXIS, ("keepdims", "keepdims", False))

_BINARY = {
    "add": "Add",
    "subtract": "Subtract",
    "multiply": "Multiply",
    "divide": "Divide",
    "truediv": "TrueDivide",
    "floordiv": "FloorDivide",
    "mod": "Mod",
    "pow": "Power",
    "maximum": "Maximum",
    "minimum": "Minimum",
    "equal": "Equal",
    "not_equal": "NotEqual",
    "greater": "Greater",
    "greater_equal": "GreaterEqual",
    "less": "Less",
    "less_equal": "LessEqual",
    "logical_and": "LogicalAnd",
    "logical_or": "LogicalOr",
}
_OPERATORS = {
    "add": "Add",
    "sub": "Subtract",
    "mul": "Multiply",
    "truediv": "TrueDivide",
    "div": "Divide",
    "floordiv": "FloorDivide",
    "mod": "Mod",
    "pow": "Power",
    "eq": "Equal",
    "ne": "NotEqual",
    "gt": "Greater",
    "ge": "GreaterEqual",
    "lt": "Less",
    "le": "LessEqual",
    "and": "LogicalAnd",
    "or": "LogicalOr",
    "matmul": "Matmul",
}
_UNARY = {
    "math.abs": "Absolute",
    "math.negative": "Negative",
    "math.exp": "Exp",
    "math.log": "Log",
    "math.log1p": "Log1p",
    "math.sqrt": "Sqrt",
    "math.rsqrt": "Rsqrt",
    "math.square": "Square",
    "math.sign": "Sign",
    "math.floor": "Floor",
    "math.ceil": "Ceil",
    "math.sin": "Sin",
    "math.cos": "Cos",
    "math.tanh": "Tanh",
    "math.sigmoid": "Sigmoid",
    "math.softplus": "Softplus",
    "math.logical_not": "LogicalNot",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.sigmoid": "Sigmoid",
    "nn.tanh": "Tanh",
    "nn.elu": "Elu",
    "nn.selu": "Selu",
    "nn.silu": "Silu",
    "nn.softplus": "Softplus",
    "nn.softsign": "Softsign",
    "__operators__.neg": "Negative",
    "__operators__.abs": "Absolute",
    "__operators__.invert": "LogicalNot",
    "identity": "Copy",
    "stop_gradient": "StopGradient",
}
FUNCTIONS: Mapping[str, _Form] = {
    **{f"math.{name}": _Form(kind, ("y",)) for name, kind in _BINARY.items()},
    **{f"__operators__.{name}": _Form(kind, ("y",)) for name, kind in _OPERATORS.items()},
    **{name: _Form(kind) for name, kind in _UNARY.items()},
    **{
        f"math.reduce_{name}": _Form(kind, config=_REDUCED)
        for name, kind in (
            ("mean", "Mean"),
            ("sum", "Sum"),
            ("max", "Max"),
            ("min", "Min"),
            ("prod", "Prod"),
            ("any", "Any"),
            ("all", "All"),
            ("logsumexp", "Logsumexp"),
        )
    },
    "math.argmax": _Form("Argmax", config=(_AXIS,)),
    "nn.softmax": _Form("Softmax", config=(("axis", "axis", -1),)),
    "nn.log_softmax": _Form("LogSoftmax", config=(("axis", "axis", -1),)),
    "concat": _Form("Concatenate", config=(("axis", "axis", -1),)),
    "stack": _Form("Stack", config=(("axis", "axis", 0),)),
    "expand_dims": _Form("ExpandDims", config=(("axis", "axis", None),)),
    "squeeze": _Form("Squeeze", config=(_AXIS,)),
    "reshape": _Form("Reshape", config=(("shape", "newshape", None),)),
    "transpose": _Form("Transpose", config=(("perm", "axes", None),)),
    "cast": _Form("Cast", config=(("dtype", "dtype", None),)),
    "zeros_like": _Form("ZerosLike", config=(("dtype", "dtype", None),)),
    "ones_like": _Form("OnesLike", config=(("dtype", "dtype", None),)),
    "tile": _Form("Tile", config=(("multiples", "repeats", None),)),
    "reverse": _Form("Flip", config=(("axis", "axis", None),)),
    "where": _Form("Where", ("x", "y")),
    "linalg.matmul": _Form("Matmul", ("b",)),
    "clip_by_value": _Form(
        "Clip", config=(("clip_value_min", "x_min", None), ("clip_value_max", "x_max", None))
    ),
}
"""The functions that can be read, by the names that Keras 2 saves."""


def operation_of(function: Any, first: Any, keywords: Mapping[str, Any]) -> Operation | None:
    """Return the operation that computes what a function of TensorFlow does; None if unknown.

    Args:
        function: its name, such as ``math.multiply``.
        first: its first argument, with tensors in their places.
        keywords: its other arguments, likewise.
    """
    given = {name: value for name, value in keywords.items() if name != "name"}
    if function == "__operators__.getitem":
        return _indexed(first, given)
    form = FUNCTIONS.get(function) if isinstance(function, str) else None
    if form is None or not set(form.further) <= given.keys():
        return None
    arguments = (first, *(given.pop(name) for name in form.further))
    config = {own: given.pop(name, default) for name, own, default in form.config}
    if any(given.values()) or any(True for _ in tensors_in(config)):  # such as transpose_b=True
        return None
    return Operation(form.type, config, arguments)


def _indexed(first: Any, given: Mapping[str, Any]) -> Operation | None:
    spec = given.get("slice_spec")
    items = spec if isinstance(spec, list) else [spec]
    parts: list[Any] = []
    for item in items:
        if isinstance(item, dict) and set(item) <= {"start", "stop", "step"}:
            ends = [item.get(end) for end in ("start", "stop", "step")]
            if not all(end is None or type(end) is int for end in ends):
                return None
            parts.append(slice(*ends))
        elif isinstance(item, dict) and item.get("class_name") == "__ellipsis__":
            parts.append(...)
        elif item is None or type(item) is int:
            parts.append(item)
        else:
            return None
    return Operation("GetItem", {}, (first, parts))
