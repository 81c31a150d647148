"""Weights of a file that a model begins with, matched by the names of layers, with a full account.

A layer is loaded whole or not at all: all of its weights must have the same shapes in the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.trained import frozen_at_random
from lstmgraph.explain.weight_fit import LayerTransfer, fit_weights
from lstmgraph.messages.errors import WeightsFileError
from lstmgraph.messages.wording import counted
from lstmgraph.models.weights_file import opened_weights, own_weights, require_layers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.messages.diagnostics import Diagnostic
    from lstmgraph.models.weights_file import Weights


@dataclass(frozen=True)
class GivenWeights:
    """A file whose weights fit layers of a recipe."""

    path: Path
    fingerprint: str
    """A hash of all numbers in the file, with the names of their layers."""
    layers: tuple[LayerTransfer, ...]
    """What happens to each layer of the recipe, and of the file."""
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    """The shapes in the file, by layer and by their path in it."""

    @property
    def loaded(self) -> frozenset[str]:
        """The names of the layers whose weights come from the file."""
        return frozenset(layer.name for layer in self.layers if layer.outcome == "loaded")

    def __str__(self) -> str:
        """Return one line, and one more for each layer that is not loaded."""
        left = [layer for layer in self.layers if layer.outcome != "loaded"]
        first = f"weights: {self.path}, {counted(len(self.loaded), 'layer')} loaded"
        return "\n".join([first, *map(str, left)])

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {"file": str(self.path), "layers": [layer.as_dict() for layer in self.layers]}


def given_weights(compiled: CompiledRecipe, path: Path) -> GivenWeights:
    """Return which layers of a recipe the weights of a file fit. TensorFlow is not imported.

    Args:
        compiled: the recipe.
        path: any ``.keras`` file, from this package or not, or a ``.weights.h5`` file.

    Raises:
        WeightsFileError: the file holds no weights, or none that fits.
    """
    with opened_weights(path) as weights:
        require_layers(weights, path)
        shapes, digest = _shapes(weights.layers), _digest(weights)
    layers = fit_recipe(shapes, compiled)
    given = GivenWeights(path, digest, layers, shapes)
    if not given.loaded:
        lines = "\n".join(map(str, layers))
        raise WeightsFileError(f"no weights of {path} fit a layer of the recipe:\n{lines}")
    return given


def warned_of(compiled: CompiledRecipe, given: GivenWeights | None) -> tuple[Diagnostic, ...]:
    """Return warnings of layers that stay random in a training that begins with `given`."""
    begun = given.loaded if given else ()
    return frozen_at_random(compiled.graph, compiled.document, begun)


def fit_recipe(
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]], compiled: CompiledRecipe
) -> tuple[LayerTransfer, ...]:
    """Return what weights of these `shapes`, by layer, are for each layer of a recipe."""
    return fit_weights(shapes, {n.name: n.weights for n in compiled.graph.nodes if n.weights})


def load_fitting(
    model: keras.Model, path: Path, fingerprint: str | None = None
) -> tuple[LayerTransfer, ...]:
    """Load the weights of a file that fit into `model`; return what happened to each layer.

    Args:
        model: a model that is changed.
        path: as for ``given_weights``.
        fingerprint: of the file as it was when the work began; None to take it as it is.

    Raises:
        WeightsFileError: the file holds no weights, or has another fingerprint.
    """
    with opened_weights(path) as weights:
        require_layers(weights, path)
        if fingerprint not in (None, _digest(weights)):
            raise WeightsFileError(f"{path} has changed: it held other weights when this began")
        return load_layers(weights, model)


def load_layers(weights: Weights, model: keras.Model) -> tuple[LayerTransfer, ...]:
    """Load the open `weights` that fit into `model`; return what happened to each layer."""
    with own_weights(model) as own:
        ours = {each.name: own[each.name] for each in model.layers if each.name in own}
        outcomes = fit_weights(_shapes(weights.layers), _shapes(ours))
        for layer in outcomes:
            if layer.outcome == "loaded":
                for place, data in ours[layer.name].items():
                    data[...] = weights.layers[layer.name][place][...]
    return outcomes


def _shapes(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, tuple[int, ...]]]:
    return {
        name: {place: tuple(data.shape) for place, data in layer.items()}
        for name, layer in layers.items()
    }


def _digest(weights: Weights) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name, layer in sorted(weights.layers.items()):
        for place, data in layer.items():
            found.update(f"{name} {place} {data.shape} {data.dtype.str};".encode())
            found.update(np.ascontiguousarray(data[...]).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
