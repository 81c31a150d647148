"""Transfer of weights from one model to another by the names of layers, with a full account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.torch_weights.suffixes import TORCH_SUFFIXES
from lstmgraph.language.text.model_folder import model_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import keras

    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.explain.weight_fit import LayerTransfer
    from lstmgraph.interop.notes import Note
    from lstmgraph.interop.torch_weights.mapping import Pair


@dataclass(frozen=True)
class Transferred:
    """A model with transferred weights, and the outcome for every layer."""

    model: keras.Model
    layers: tuple[LayerTransfer, ...]
    pairs: tuple[Pair, ...] = ()
    """Of weights of PyTorch: which module gives its weights to which layer."""
    notes: tuple[Note, ...] = ()
    """Of weights of PyTorch: what they do not tell, and what is not used."""

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
        found: dict[str, Any] = {
            "complete": self.complete,
            "layers": [layer.as_dict() for layer in self.layers],
        }
        if self.pairs or self.notes:
            found["mapping"] = [pair.as_dict() for pair in self.pairs]
            found["notes"] = [note.as_dict() for note in self.notes]
        return found

    def __str__(self) -> str:
        from lstmgraph.messages.tables import Section, as_text  # noqa: PLC0415 - only when printed

        lines = map(str, (*self.pairs, *self.notes, *self.layers))
        return as_text([Section(lines=list(lines))])


def transfer(
    source: str | Path, recipe: HasCompiled, *, modules: Mapping[str, str] | None = None
) -> Transferred:
    """Build the recipe's model with the weights of a file that fit, matched by layer name.

    A layer is loaded whole or not at all: all of its weights must have the same shapes in the file.

    Args:
        source: any ``.keras`` file, from this package or not, or the folder of a training; a
            ``.weights.h5`` file; or weights of PyTorch, a ``.safetensors`` file or a ``.pt`` file
            of a state dict.
        recipe: the recipe whose model is built.
        modules: layers of the recipe by names of PyTorch's modules, where the guess is wrong.

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

    path = model_path(source)
    if path.suffix in TORCH_SUFFIXES:
        from lstmgraph.interop.torch_weights.transfer import transfer_torch  # noqa: PLC0415 - imports NumPy

        found = transfer_torch(path, recipe, modules)
        return Transferred(found.model, found.layers, found.pairs, found.notes)
    with opened_weights(path) as weights:
        require_layers(weights, path)
        model = build_model(recipe.compiled)
        return Transferred(model, load_layers(weights, model))
