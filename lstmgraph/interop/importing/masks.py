"""The masks of a Keras model's calls in a recipe's terms; which those are, `keras_masks` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.execution import flat
from lstmgraph.interop.importing.expressions import Filled, Fold, Mask, Port
from lstmgraph.interop.keras_masks import keras_masks
from lstmgraph.interop.keras_model import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.importing.expressions import Expression, Value
    from lstmgraph.interop.keras_masks import Mask as KerasMask
    from lstmgraph.interop.keras_model import Call, KerasModel


class CallMasks:
    """What each call gets and hands on.

    Args:
        model: the model, without nested ones.
        values: what its tensors are, of all calls before the one that is asked for.
    """

    def __init__(self, model: KerasModel, values: Mapping[Tensor, Value]) -> None:
        self.model = model
        self.values = values
        self.found = keras_masks(model)

    def received(self, call: Call, argument: str = "mask") -> Mask | None:
        """Return the mask that a call is given; the first one, of several inputs."""
        own = self.found.of(call)
        given = own.received.get(argument) if own else None
        return self.lifted(next(iter(flat(given)), None))

    def carried(self, call: Call, output: int = 0) -> Mask | None:
        """Return the mask that an output of a call carries."""
        own = self.found.of(call)
        return self.lifted(own.outputs[output]) if own and output < len(own.outputs) else None

    def lifted(self, mask: KerasMask | None) -> Mask | None:
        """Return a mask of Keras in a recipe's terms."""
        if mask is None:
            return None
        if mask.parts:
            return self.merged(mask)
        if mask.tensor is None or mask.tensor not in self.values:
            return Mask("other", Port("constant"))
        expression = self.values[mask.tensor].expression
        if mask.kind == "embedding":
            return Mask("ids", unfilled(expression))
        if mask.kind != "masking":
            return as_mask(expression)
        if isinstance(expression, Filled) and mask.place and is_marking(mask.place[0]):
            return expression.mask
        return Mask("value", unfilled(expression), float(mask.value))

    def merged(self, mask: KerasMask) -> Mask:
        """Return a mask that is made of several."""
        layer = mask.place[0] if mask.place else ""
        if layer and self.model.layers[layer].is_operation:
            value = self.values.get(Tensor(*mask.place)) if mask.place else None
            own = as_mask(value.expression) if value else None
            if own is not None and own.kind != "other":
                return own
        kind = "or" if mask.kind == "or" else "other"
        return Mask(kind, Port(mask.kind), parts=tuple(map(self.lifted, mask.parts)))


def is_marking(layer: str) -> bool:
    """Return whether a layer has the name of those that lstmgraph adds to carry a mask."""
    return "." in layer


def as_mask(expression: Expression) -> Mask:
    """Return what a tensor of booleans is as a mask."""
    if isinstance(expression, Mask):
        return expression
    if isinstance(expression, Port):
        return Mask("input", expression)
    if isinstance(expression, Fold):
        return as_mask(expression.source)
    return Mask("other", Port(""), expression=expression)


def unfilled(expression: Any) -> Any:
    """Return a tensor as it was before numbers were put into its padded steps."""
    return unfilled(expression.source) if isinstance(expression, Filled) else expression
