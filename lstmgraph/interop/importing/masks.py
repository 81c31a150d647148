"""The masks of a Keras model's calls in a recipe's terms; which those are, `keras_masks` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.execution import flat, flat_tensors
from lstmgraph.interop.importing.expressions import Filled, Fold, Mask, Port
from lstmgraph.interop.importing.lifted import Lost
from lstmgraph.interop.keras_masks import ATTENTION, MERGES, keras_masks
from lstmgraph.interop.keras_model import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.importing.expressions import Expression, Value
    from lstmgraph.interop.keras_masks import ChangeKind
    from lstmgraph.interop.keras_masks import Mask as KerasMask
    from lstmgraph.interop.keras_model import Call, KerasModel


REASONS: Mapping[ChangeKind, str] = {
    "not_received": "the call has an initial_state",
    "cleared": "attention takes it off what it reads",
    "operation": "an operation before it loses it",
    "unmasked": "it is merged with an input that has none",
}
"""Why a mask is lost without a word, by the kind of change; of other changes Keras warns."""
ALL = "it is joined by OR with an input that has none"


class CallMasks:
    """What each call gets and hands on.

    Args:
        model: the model, without nested ones.
        values: what its tensors are, of all calls before the one that is asked for.
        inputs_masked: whether each call of the model gives its inputs masks.
    """

    def __init__(
        self, model: KerasModel, values: Mapping[Tensor, Value], *, inputs_masked: bool = False
    ) -> None:
        self.model = model
        self.values = values
        self.found = keras_masks(model, inputs_masked=inputs_masked)
        self.made_inside: dict[KerasMask, Mask | None] = {}
        """The masks that calls of nested models hand on, of those that are made inside."""
        self.calls = {(call.layer, call.index): call for call in model.calls}

    def received(self, call: Call, argument: str = "mask") -> Mask | None:
        """Return the mask that a call is given; the first one, of several inputs."""
        own = self.found.of(call)
        given = own.received.get(argument) if own else None
        return self.lifted(next(iter(flat(given)), None))

    def of_attention(self, call: Call) -> tuple[Mask | None, ...]:
        """Return the masks that attention uses of its inputs.

        With heads, that of the query is None: it changes padded outputs alone.
        """
        own = self.found.of(call)
        received = own.received if own else {}
        if own is None or own.layer.type in ATTENTION:
            given = [None, received.get("value_mask"), received.get("key_mask")]
        else:
            given = list(flat(received.get("mask")))
        return tuple(map(self.lifted, given))

    def carried(self, call: Call, output: int = 0) -> Mask | None:
        """Return the mask that an output of a call carries."""
        own = self.found.of(call)
        return self.lifted(own.outputs[output]) if own and output < len(own.outputs) else None

    def add_made_inside(self, call: Call, mask: Mask | None) -> None:
        """Note what the mask on the output of a nested model is in a recipe's terms."""
        own = self.found.of(call)
        made = own.outputs[0] if own else None
        if made is not None and made.scope:
            self.made_inside.setdefault(made, mask)

    def lifted(self, mask: KerasMask | None) -> Mask | None:
        """Return a mask of Keras in a recipe's terms."""
        if mask is None:
            return None
        if mask in self.made_inside:
            return self.made_inside[mask]
        if mask.kind == "outside" and mask.tensor:
            return self.values[mask.tensor].mask
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

    def merged(self, mask: KerasMask) -> Mask | None:
        """Return a mask that is made of several; None if every step counts in it."""
        if mask.kind == "or" and None in mask.parts:
            return None
        layer = mask.place[0] if mask.place else ""
        if layer and self.model.layers[layer].is_operation:
            value = self.values.get(Tensor(*mask.place)) if mask.place else None
            own = as_mask(value.expression) if value else None
            if own is not None and own.kind != "other":
                return own
        kind = "or" if mask.kind == "or" else "other"
        return Mask(kind, Port(mask.kind), parts=tuple(map(self.lifted, mask.parts)))

    def lost(self, call: Call) -> Lost | None:
        """Return the mask that a call would use, had Keras not lost it or joined it by OR."""
        own = self.found.of(call)
        used = next(iter(flat(own.received.get("mask"))), None) if own else None
        if own is None:
            return None
        if used is not None:  # one that people joined themselves is meant
            is_joined = own.filled and used.kind == "or"
            return self._lost(used, ALL if None in used.parts else "") if is_joined else None
        way = [(call, True)]
        seen = set()
        while way:
            call, is_reader = way.pop()
            own = self.found.of(call)
            if own is None or (place := (call.layer, call.index)) in seen:
                continue
            seen.add(place)
            for change in own.changes:
                if change.kind in REASONS and (change.kind != "operation" or not is_reader):
                    return self._lost(change.masks[0], REASONS[change.kind])
            read = flat_tensors(call.arguments) or flat_tensors(dict(call.keywords))
            several = own.layer.is_operation or own.layer.type in {*MERGES, "Concatenate"}
            for tensor in reversed(read if several else read[:1]):
                before = self.calls.get((tensor.layer, tensor.call))
                if before and not tensor.output and self._has_its_steps(tensor, call, is_reader):
                    way.append((before, False))
        return None

    def _lost(self, mask: KerasMask | None, reason: str) -> Lost | None:
        """Return a mask, of several the first, as one that is lost."""
        parts = [part for part in mask.parts if part] if mask and mask.kind == "or" else []
        if parts:
            return self._lost(parts[0], reason)
        found = self.lifted(mask)
        return Lost(found, reason) if found else None

    def _has_its_steps(self, tensor: Tensor, call: Call, is_reader: bool) -> bool:
        """Return whether a call's output has the steps of a tensor that it reads."""
        before = self.model.shapes.get(tensor, ())
        after = self.model.shapes.get(Tensor(call.layer, call.index), ())
        return len(before) > 2 and (is_reader or tuple(before[:2]) == tuple(after[:2]))


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
