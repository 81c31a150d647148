"""The weights of a file that every trial of a search begins with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.compile import compile_point
from lstmgraph.language.space.fill import piece
from lstmgraph.language.space.variants import chosen_variants
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError, WeightsFileError
from lstmgraph.models.given_weights import fit_recipe, given_weights, load_fitting

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.explain.weight_fit import LayerTransfer
    from lstmgraph.language.space.variants import Variant
    from lstmgraph.models.given_weights import GivenWeights

LOADED, OTHER_SHAPE = "loaded", "shape"


@dataclass(frozen=True)
class TrialWeights:
    """A file of weights, and which layers take them in every trial that has the layer."""

    given: GivenWeights
    outcomes: Mapping[str, str]
    """``loaded`` or ``shape`` for each layer that is in the file, as in ``LayerTransfer``."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that ``begin_trial`` reads."""
        path = str(self.given.path.absolute())
        own = {"path": path, "fingerprint": self.given.fingerprint}
        return {**own, "outcomes": dict(self.outcomes)}


def begun_with(recipe: CompiledRecipe, path: Path) -> TrialWeights:
    """Return what the weights of a file are for the trials of a searched recipe.

    Raises:
        WeightsFileError: the file cannot be read, or none of its layers fits at the default point.
        RecipeError: a value of the space decides whether a layer can take them (L775).
    """
    given = given_weights(recipe, path)
    outcomes = _outcomes(given.layers)
    found = []
    for variant in chosen_variants(recipe.written, recipe.collected.space):
        with suppress(RecipeError):  # its trials fail, and say why
            layers = fit_recipe(given.shapes, compile_point(recipe.written, variant.point))
            found += [
                _mistake(recipe, variant, layer, path)
                for layer in layers
                if outcomes.get(layer.name, layer.outcome) != layer.outcome
            ]
            outcomes = {**_outcomes(layers), **outcomes}
    if found:
        raise RecipeError(found, recipe.written.sources)
    return TrialWeights(given, outcomes)


def _outcomes(layers: tuple[LayerTransfer, ...]) -> dict[str, str]:
    return {each.name: each.outcome for each in layers if each.outcome in (LOADED, OTHER_SHAPE)}


def _mistake(
    recipe: CompiledRecipe, variant: Variant, layer: LayerTransfer, path: Path
) -> Diagnostic:
    says = variant.says(recipe.collected.space)
    does = "takes" if layer.outcome == LOADED else "cannot take"
    message = f"{says}, '{layer.name}' {does} the weights of {path}; with other values it is not so"
    hint = (
        "trials that begin with other weights cannot be compared: search only sizes of layers that "
        "the file does not have, or give the layer another name, so that it always begins fresh"
    )
    target = variant.dimension.target
    place = recipe.written.place(piece(variant.dimension, variant.value))
    return Diagnostic("L775", message, target, place, hint)


def begin_trial(model: keras.Model, weights: Mapping[str, Any]) -> None:
    """Load the weights of ``TrialWeights.as_dict`` into the model of a trial.

    Raises:
        WeightsFileError: the file has changed, or a layer does not begin as in other trials.
    """
    path, known = Path(weights["path"]), weights["outcomes"]
    for layer in load_fitting(model, path, weights["fingerprint"]):
        if known.get(layer.name, layer.outcome) != layer.outcome:
            raise WeightsFileError(
                f"'{layer.name}' does not begin as in other trials with the weights of {path}: "
                f"{replace(layer, name='here')}"
            )
