"""The ports of a layer, as recipes name them: ``sequence``, ``last``, ``state.h``, ``scores``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.keras_facts.catalogue import CELLS, RECURRENT_STATES
from lstmgraph.keras_facts.layers.attention import ATTENTION
from lstmgraph.language.declaration.recipe import EmptyStack, RecurrentDeclaration

if TYPE_CHECKING:
    from lstmgraph.language.declaration.recipe import LayerDeclaration, Reference


def slot_units(layer: RecurrentDeclaration, units: int) -> dict[str, int]:
    """Return the sizes of the states of one layer of the stack, in Keras's order.

    The states are ``h`` and ``c``, or ``1_h``, ``1_c``, ``2_h``, ... for several cells.
    """
    if not layer.cells:
        return dict.fromkeys(RECURRENT_STATES[layer.layer], units)
    return {
        f"{number}_{slot}" if len(layer.cells) > 1 else slot: cell["units"]
        for number, cell in enumerate(layer.cells, start=1)
        for slot in RECURRENT_STATES[CELLS[cell["type"]]]
    }


def has_primary(layer: LayerDeclaration | None, reference: Reference) -> bool:
    """Return whether the bare name of a layer refers to one tensor, if it must."""
    names_layer = {"initial_state", "mask"} & set(reference.path)
    return (
        bool(names_layer)
        or not isinstance(layer, RecurrentDeclaration)
        or layer.return_sequences
        or not (layer.residual or layer.normalization)
    )


def port_names(layer: LayerDeclaration | None) -> list[str]:
    """Return the ports of a layer besides its bare name; most layers have none."""
    if isinstance(layer, EmptyStack):
        return ["sequence"]
    if not isinstance(layer, RecurrentDeclaration):
        return ["scores"] if layer and layer.layer in ATTENTION else []
    ways = ("forward.", "backward.") if layer.bidirectional else ("",)
    slots = [slot.replace("_", ".") for slot in slot_units(layer, 0)]
    states = [f"state.{way}{slot}" for way in ways for slot in slots]
    last = [] if layer.residual or layer.normalization else ["last"]
    return ["sequence", *last, "state", *states]
