"""Transfer of weights from one model to another by the names of layers, with a full account."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.explain.weight_fit import LayerTransfer


@dataclass(frozen=True)
class Transferred:
    """A model with transferred weights, and the outcome for every layer."""

    model: keras.Model
    layers: tuple[LayerTransfer, ...]

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return the names of the layers whose weights come from the file."""
        return tuple(layer.name for layer in self.layers if layer.outcome == "loaded")

    @property
    def complete(self) -> bool:
        """Return whether every layer of the recipe and of the file fits the other side."""
        return len(self.loaded) == len(self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {
            "complete": self.complete,
            "layers": [layer.as_dict() for layer in self.layers],
        }

    def __str__(self) -> str:
        from lstmgraph.messages.tables import Section, as_text  # noqa: PLC0415 - only when printed

        return as_text([Section(lines=[str(layer) for layer in self.layers])])


def transfer(source: str | Path, recipe: HasCompiled) -> Transferred:
    """Build the recipe's model with the weights of a file that fit, matched by layer name.

    A layer is loaded whole or not at all: all of its weights must have the same shapes in the file.

    Args:
        source: any ``.keras`` file, from this package or not, or a ``.weights.h5`` file.
        recipe: the recipe whose model is built.

    Returns:
        The model, and the outcome for each layer with weights in the recipe or the file.

    Raises:
        ValueError: the file holds no weights, or does not say which layers they belong to.
        RecipeError: the model cannot be built.
    """
    from lstmgraph.models.building import build_model  # noqa: PLC0415 - imports TensorFlow
    from lstmgraph.models.given_weights import load_layers  # noqa: PLC0415 - imports h5py
    from lstmgraph.models.weights_file import (  # noqa: PLC0415 - as above
        opened_weights,
        require_layers,
    )

    path = Path(source)
    with opened_weights(path) as weights:
        require_layers(weights, path)
        model = build_model(recipe.compiled)
        return Transferred(model, load_layers(weights, model))
