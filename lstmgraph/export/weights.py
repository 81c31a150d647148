"""Weights loaded from Keras's files, matched by the names of layers.

Keras's own ``load_weights`` matches a ``.weights.h5`` file by class and order, so that two layers
of one shape which have changed places are given each other's weights. The file does hold the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.export.inference import weight_mistakes
from lstmgraph.export.mistakes import export_error
from lstmgraph.models.weights_file import opened_weights, own_weights, require_layers

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe


def load_weights(compiled: CompiledRecipe, model: keras.Model, path: Path) -> None:
    """Give `model`, built from the recipe, the weights in a ``.keras`` or ``.weights.h5`` file.

    Raises:
        RecipeError: the file's layers with weights are not the recipe's, or of other shapes (L804).
        WeightsFileError: the file cannot be read, or is not one of these.
    """
    with opened_weights(path) as given, own_weights(model) as own:
        require_layers(given, path)
        shapes = [
            {name: [tuple(data.shape) for data in layer.values()] for name, layer in layers.items()}
            for layers in (own, given.layers)
        ]
        wrong = list(weight_mistakes(compiled, shapes[0], shapes[1], str(path)))
        if wrong:
            raise export_error(compiled, wrong)
        for name, layer in own.items():
            for data, source in zip(layer.values(), given.layers[name].values(), strict=True):
                data[...] = source[...]
