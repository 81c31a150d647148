"""What a layer reads: every name of another layer or an input that stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.recipe import (
    FromInputs,
    FromLayer,
    FromStatic,
    MaskByInput,
    MaskByLengths,
    MaskFrom,
    RecurrentDeclaration,
    Split,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.recipe import LayerDeclaration, Reference, StateForm


def references(layer: LayerDeclaration) -> Iterator[Reference]:
    """Everything that `layer` reads."""
    yield from layer.inputs
    if isinstance(layer.mask, MaskByLengths):
        yield layer.mask.lengths
    elif isinstance(layer.mask, MaskByInput | MaskFrom):
        yield layer.mask.source
    if isinstance(layer, RecurrentDeclaration):
        yield from state_references(layer.initial_state)


def state_references(forms: Iterable[StateForm]) -> Iterator[Reference]:
    """Every layer or input that initial states are read from."""
    for form in forms:
        if isinstance(form, Split):
            yield from state_references([form.h] if form.c is None else [form.h, form.c])
        elif isinstance(form, FromLayer):
            yield form.source
        elif isinstance(form, FromStatic):
            yield from form.sources
        elif isinstance(form, FromInputs):
            continue
