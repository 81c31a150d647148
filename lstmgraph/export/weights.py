"""Loading of weights from a Keras file, matched by the names of layers.

Keras's own ``load_weights`` matches the layers of a ``.weights.h5`` file by class and order: two
layers of one shape that have changed places get each other's weights. The file holds their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.fitted import unfitted_columns
from lstmgraph.export.inference import weight_mistakes
from lstmgraph.export.mistakes import export_error
from lstmgraph.messages.errors import WeightsFileError
from lstmgraph.messages.wording import listed
from lstmgraph.models.weights_file import opened_weights, own_weights, require_layers

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe


def load_weights(compiled: CompiledRecipe, model: keras.Model, path: Path) -> None:
    """Load the weights of a ``.keras`` or ``.weights.h5`` file into `model`, built from the recipe.

    Raises:
        RecipeError: the weights belong to other layers than the recipe's, or have other shapes
            (L804).
        WeightsFileError: the file cannot be read, or is not a weights file; or the numbers that
            columns are scaled by, which belong to the weights, are not in the recipe.
    """
    unfitted = unfitted_columns(compiled)
    if unfitted:
        raise WeightsFileError(
            f"{path}: the recipe does not have the numbers that {listed(unfitted)} were scaled by "
            "for these weights. Load the .keras file itself in place of the recipe, or the recipe "
            "that the training wrote beside it (NAME.resolved.yaml)"
        )
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
