"""What small groups of operations are for: the comments and the names of their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import Tensor, tensors_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.interop.keras_model import Call, KerasModel, Layer

COMPARISONS = frozenset(
    {"LessEqual", "Less", "Greater", "GreaterEqual", "Equal", "NotEqual", "Any", "All"}
    | {"LogicalAnd", "LogicalOr", "LogicalNot"}
)


class Origins:
    """Finds the calls that tensors come from."""

    def __init__(self, model: KerasModel) -> None:
        self.layers = model.layers
        self._calls = {(each.layer, each.index): each for each in model.calls}
        self._masks = {
            tensor
            for each in model.calls
            for key, value in each.keywords.items()
            if "mask" in key
            for tensor in tensors_in(value)
        }

    def made_by(self, tensor: Any, kind: str) -> Call | None:
        """Return the call that a tensor comes from, if it is one of an operation of a kind."""
        if not isinstance(tensor, Tensor) or self.layers[tensor.layer].type != kind:
            return None
        return self._calls.get((tensor.layer, tensor.call))

    def is_mask(self, call: Call) -> bool:
        """Return whether a result is the mask of another call."""
        return Tensor(call.layer, call.index) in self._masks


def purpose(origins: Origins, layer: Layer, call: Call, text: Callable[[Any], str]) -> str:
    """Return what a call is for, if it is one of a known group; else nothing.

    Args:
        origins: of the model.
        layer: the layer or the operation.
        call: its call.
        text: returns the source of an argument.
    """
    first = call.arguments[0] if call.arguments else None
    if layer.type == "Masking" and abs(float(layer.config.get("mask_value") or 0)) > 60000:
        return "Masking marks the padded steps, which hold the lowest number, for later layers."
    if not layer.is_operation:
        return ""
    if layer.type == "LessEqual":
        return _of_lengths(origins, call, text)
    if layer.type == "Any" and (inner := origins.made_by(first, "NotEqual")):
        value = inner.arguments[1]
        if not isinstance(value, Tensor):
            return f"A step counts unless all of its numbers are {value}."
    is_number = layer.type == "NotEqual" and not isinstance(call.arguments[1], Tensor)
    if is_number and origins.is_mask(call):
        return f"A step counts unless it is {call.arguments[1]}."
    if layer.type == "Where" and len(call.arguments) == 3 and call.arguments[2] == 0:
        return "Padded steps become zeros: NaN there would reach the gradients."
    return ""


def _of_lengths(origins: Origins, call: Call, text: Callable[[Any], str]) -> str:
    steps, ends = call.arguments[:2]
    counted, whole = origins.made_by(steps, "Cumsum"), origins.made_by(ends, "ExpandDims")
    if not counted or not whole or not origins.made_by(counted.arguments[0], "OnesLike"):
        return ""
    lengths = whole.arguments[0]
    cast = origins.made_by(lengths, "Cast")
    lengths = cast.arguments[0] if cast else lengths
    return f"The first `{text(lengths)}` steps of each row count."


def result_name(origins: Origins, call: Call) -> str:
    """Return a name for the result of an operation."""
    layer = origins.layers[call.layer]
    source = _origin(origins, call)
    if layer.type in COMPARISONS:
        return f"{source}_mask" if source else "mask"
    if layer.type == "Where" and len(call.arguments) == 3 and call.arguments[2] == 0:
        value = call.arguments[1]
        own = value.layer if isinstance(value, Tensor) else source
        own = own if own in origins.layers and not origins.layers[own].is_operation else source
        return f"{own}_without_padding"
    if layer.type == "GetItem":
        return f"{source}_part" if source else "part"
    if layer.type == "Concatenate":
        return "joined"
    return f"{source}_{_snake(layer.type)}" if source else _snake(layer.type)


def _origin(origins: Origins, call: Call, depth: int = 6) -> str:
    """Return the layer or input that the first argument of an operation comes from."""
    tensor = next(call.tensors(), None)
    if tensor is None or depth == 0:
        return ""
    layer = origins.layers[tensor.layer]
    if not layer.is_operation:
        return tensor.layer
    inner = origins.made_by(tensor, layer.type)
    return _origin(origins, inner, depth - 1) if inner else ""


def _snake(name: str) -> str:
    return "".join(
        f"_{c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name)
    )
