"""Masks of recurrent calls with an initial state, which Keras 2 passed on and Keras 3 does not.

In Keras 2, ``lstm(masked, initial_state=[h, c])`` leaves padded steps out. In Keras 3 it does not,
unless it is given ``mask``: that argument is added here, so that the model computes the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.interop.keras_masks import Mask, keras_masks
from lstmgraph.interop.keras_model import Call, KerasModel, Layer, Tensor

if TYPE_CHECKING:
    from lstmgraph.interop.reading.problems import Problems

STATES = "initial_state"


def with_old_masks(model: KerasModel, problems: Problems) -> KerasModel:
    """Return a model that Keras 2 wrote with the masks of such calls as arguments.

    A mask that is neither Masking's nor an Embedding's, of the same model, is a problem (M113).
    """
    if not _has_states(model):
        return model
    try:
        model = _added(model)
        masks = keras_masks(model)
    except (LookupError, TypeError, ValueError, AttributeError):
        problems.add("M111", "its calls do not fit together", "save the model again with Keras")
        return model
    for found in masks.calls:
        call = found.call
        if not _lacks_mask(call) or found.carried.get(_sequence(call)) is None:
            continue
        problems.add(
            "M113",
            "Keras 2 gives this call with an initial state the mask of its sequence; Keras 3 does "
            "not, and the mask is made elsewhere or of several",
            "in Keras 2, pass `mask=` to the call and save the model again",
            (*(place[0] for place in found.scope), call.layer),
        )
    return model


def _has_states(model: KerasModel) -> bool:
    nested = (layer.model for layer in model.layers.values() if layer.model is not None)
    return any(map(_lacks_mask, model.calls)) or any(map(_has_states, nested))


def _lacks_mask(call: Call) -> bool:
    has_sequence = bool(call.arguments) and isinstance(call.arguments[0], Tensor)
    return has_sequence and STATES in call.keywords and call.keywords.get("mask") is None


def _sequence(call: Call) -> Tensor:
    tensor = call.arguments[0]
    return tensor if isinstance(tensor, Tensor) else Tensor("")


def _added(model: KerasModel) -> KerasModel:
    layers = {
        name: replace(layer, model=_added(layer.model)) if layer.model is not None else layer
        for name, layer in model.layers.items()
    }
    model = replace(model, layers=layers)
    if not any(map(_lacks_mask, model.calls)):
        return model
    masks = keras_masks(model)
    made: dict[Mask, Tensor] = {}
    calls: list[Call] = []
    for call in model.calls:
        found = masks.of(call) if _lacks_mask(call) else None
        mask = found.carried.get(_sequence(call)) if found is not None else None
        if mask is not None and mask not in made:
            operations = _operations(mask, model)
            if operations:
                layers.update({layer.name: layer for layer, _ in operations})
                calls += [each for _, each in operations]
                made[mask] = Tensor(operations[-1][0].name)
        if mask in made:
            call = replace(call, keywords={**call.keywords, "mask": made[mask]})  # noqa: PLW2901
        calls.append(call)
    return replace(model, layers=layers, calls=tuple(calls))


def _operations(mask: Mask, model: KerasModel) -> list[tuple[Layer, Call]]:
    """Return the operations that compute the mask of a Masking layer or an Embedding."""
    if mask.scope or mask.tensor is None or mask.place is None:
        return []
    name = f"{mask.place[0]}_{mask.place[1]}_mask"
    if mask.kind == "embedding":
        return [_operation(name, "NotEqual", {}, mask.tensor, 0)]
    if mask.kind != "masking" or name in model.layers:
        return []
    values = f"{name}_values"
    return [
        _operation(values, "NotEqual", {}, mask.tensor, mask.value),
        _operation(name, "Any", {"axis": -1, "keepdims": False}, Tensor(values)),
    ]


def _operation(
    name: str, kind: str, config: dict[str, object], *arguments: object
) -> tuple[Layer, Call]:
    return Layer(name, kind, config, is_operation=True), Call(name, 0, arguments)
