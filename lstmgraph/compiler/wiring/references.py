"""Find the references to layers and inputs in a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.language.declaration.recipe import (
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

    from lstmgraph.language.declaration.recipe import (
        LayerDeclaration,
        ModelDeclaration,
        RecipeDeclaration,
        Reference,
        StateForm,
    )


def references(layer: LayerDeclaration) -> Iterator[Reference]:
    """Yield every reference of `layer`: inputs, mask and initial states."""
    yield from layer.inputs
    if isinstance(layer.mask, MaskByLengths):
        yield layer.mask.lengths
    elif isinstance(layer.mask, MaskByInput | MaskFrom):
        yield layer.mask.source
    if isinstance(layer, RecurrentDeclaration):
        yield from state_references(layer.initial_state)


def state_references(forms: Iterable[StateForm]) -> Iterator[Reference]:
    """Yield every reference of initial states."""
    for form in forms:
        if isinstance(form, Split):
            yield from state_references([form.h] if form.c is None else [form.h, form.c])
        elif isinstance(form, FromLayer):
            yield form.source
        elif isinstance(form, FromStatic):
            yield from form.sources


def unread_names(recipe: RecipeDeclaration) -> list[str]:
    """Return the inputs and layers that nothing refers to."""
    named = {read.layer for layer in recipe.layers.values() for read in references(layer)}
    named.update(layer.call for layer in recipe.layers.values() if layer.call)
    named.update(_read_by_models(recipe.outputs.values(), recipe.models.values()))
    return [name for name in (*recipe.inputs, *recipe.layers) if name not in named]


def _read_by_models(
    outputs: Iterable[Reference], models: Iterable[ModelDeclaration]
) -> Iterator[str]:
    """Yield the names that the outputs of the main model and further models refer to."""
    yield from (reference.layer for reference in outputs)
    for model in models:
        yield from (reference.layer for reference in (*model.inputs, *model.outputs.values()))
        yield from model.initial_state


def read_layers(
    order: Iterable[LayerDeclaration],
    outputs: Iterable[Reference],
    models: Iterable[ModelDeclaration],
) -> frozenset[str]:
    """Return the names of the layers that outputs and further models need, also for masks."""
    layers = {layer.name: layer for layer in order}
    waiting = list(_read_by_models(outputs, models))
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in layers and name not in needed:
            needed.add(name)
            waiting += [reference.layer for reference in references(layers[name])]
    return frozenset(needed)
