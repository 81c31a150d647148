"""What is read: every name of a layer or an input that stands in another part of a recipe."""

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


def unread_names(recipe: RecipeDeclaration) -> list[str]:
    """Inputs and layers that nothing names."""
    named = {read.layer for layer in recipe.layers.values() for read in references(layer)}
    named.update(_read_by_models(recipe.outputs.values(), recipe.models.values()))
    return [name for name in (*recipe.inputs, *recipe.layers) if name not in named]


def _read_by_models(
    outputs: Iterable[Reference], models: Iterable[ModelDeclaration]
) -> Iterator[str]:
    """Names that the main model's outputs and further models read."""
    yield from (reference.layer for reference in outputs)
    for model in models:
        yield from (reference.layer for reference in (*model.inputs, *model.outputs.values()))
        yield from model.initial_state


def read_layers(
    order: Iterable[LayerDeclaration],
    outputs: Iterable[Reference],
    models: Iterable[ModelDeclaration],
) -> frozenset[str]:
    """Names of the layers that an output or a further model is computed from, masks included."""
    layers = {layer.name: layer for layer in order}
    waiting = list(_read_by_models(outputs, models))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in layers and name not in found:
            found.add(name)
            waiting += [reference.layer for reference in references(layers[name])]
    return frozenset(found)
