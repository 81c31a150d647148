"""Masks that a recipe's model is given, and that Keras would give it anyway."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.interop.keras_masks import keras_masks
from lstmgraph.interop.keras_model import tensors_in
from lstmgraph.interop.shapes import with_shapes

if TYPE_CHECKING:
    from lstmgraph.interop.keras_masks import KerasMasks
    from lstmgraph.interop.keras_model import Call, KerasModel


def without_repeated_masks(model: KerasModel) -> KerasModel:
    """Return a model without the masks that Keras hangs on its tensors by a Masking layer.

    A recipe's model is given every mask. Where a Masking layer in it makes the same one, it would
    stand in the code twice.
    """
    if all(layer.type != "Masking" for layer in model.layers.values()):
        return model
    masks = keras_masks(with_shapes(model))
    calls = tuple(_without_mask(each, masks) for each in model.calls)
    return _without_unread(replace(model, calls=calls), model)


def _without_mask(call: Call, masks: KerasMasks) -> Call:
    """Return a call without the argument ``mask`` that Keras fills in by itself."""
    if call.keywords.get("mask") is None:
        return call
    rest = {key: value for key, value in call.keywords.items() if key != "mask"}
    found, tensors = masks.of(call), list(tensors_in([call.arguments, rest]))
    if found is None or len(tensors) != 1:
        return call
    carried = found.carried.get(tensors[0])
    is_filled_in = carried is not None and carried.kind == "masking"
    same = is_filled_in and found.received.get("mask") is carried
    return replace(call, keywords=rest) if same else call


def _without_unread(model: KerasModel, before: KerasModel) -> KerasModel:
    """Return a model without the operations that were read before, and are no more."""
    read_before = _read(before)
    calls = model.calls
    while True:
        read = _read(replace(model, calls=calls))
        kept = tuple(
            each
            for each in calls
            if (each.layer, each.index) in read or (each.layer, each.index) not in read_before
        )
        if len(kept) == len(calls):
            return replace(model, calls=calls)
        calls = kept


def _read(model: KerasModel) -> set[tuple[str, int]]:
    """Return the calls whose results are read."""
    tensors = [tensor for call in model.calls for tensor in call.tensors()]
    return {(each.layer, each.call) for each in (*tensors, *tensors_in(model.outputs))}
