"""Weights from one recipe's model to another's: by the names of layers, and nothing unsaid."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.wording import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from lstmgraph.api import Recipe

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class LayerTransfer:
    """What became of one layer's weights."""

    name: str
    outcome: str
    """``loaded``; ``shape``: the file's have other shapes; ``missing``: the file has no such layer,
    and the recipe's keeps its fresh weights; ``left over``: the recipe has no such layer."""
    given: Shapes = ()
    """Shapes in the file."""
    wanted: Shapes = ()
    """Shapes in the recipe."""
    meant: str | None = None
    """Of a missing layer, one that is left over and fits."""

    def __str__(self) -> str:
        given, wanted = _said(self.given), _said(self.wanted)
        meant = f" (is it the file's '{self.meant}'? rename one)" if self.meant else ""
        reason = {
            "loaded": wanted,
            "shape": f"the file has {given}, the recipe {wanted}; these stay fresh",
            "missing": f"the file has no such layer; {wanted} stay fresh{meant}",
            "left over": f"the recipe has no such layer; {given} are not used",
        }[self.outcome]
        return f"{self.outcome:9}  {self.name}: {reason}"


@dataclass(frozen=True)
class Transferred:
    """A model, and what became of the weights of every layer."""

    model: keras.Model
    layers: tuple[LayerTransfer, ...]

    @property
    def loaded(self) -> tuple[str, ...]:
        """Layers whose weights are those of the file."""
        return tuple(layer.name for layer in self.layers if layer.outcome == "loaded")

    @property
    def complete(self) -> bool:
        """Whether every layer of either side fits."""
        return len(self.loaded) == len(self.layers)

    def as_dict(self) -> dict[str, Any]:
        """The stable form of ``--format json``."""
        return {
            "complete": self.complete,
            "layers": [
                {
                    "name": layer.name,
                    "outcome": layer.outcome,
                    "given": [list(shape) for shape in layer.given],
                    "wanted": [list(shape) for shape in layer.wanted],
                }
                for layer in self.layers
            ],
        }

    def __str__(self) -> str:
        return "\n".join(str(layer) for layer in self.layers)


def transfer(source: str | Path, recipe: Recipe) -> Transferred:
    """Build the recipe's model with those weights of a file that fit, by the names of layers.

    A layer is loaded whole or not at all: all of its weights have the shapes of the file's.

    Args:
        source: a ``.keras`` file, of this package or not, or a ``.weights.h5`` file.
        recipe: whose model is built.

    Returns:
        The model, and for each layer with weights, of the recipe or the file, what became of it.

    Raises:
        ValueError: the file holds no weights, or does not say which layers they are of.
        RecipeError: the model cannot be built.
    """
    import h5py  # noqa: PLC0415 - it comes with Keras

    from lstmgraph.export.weights import (  # noqa: PLC0415 - imports TensorFlow
        WeightsFileError,
        datasets_by_layer,
        opened,
    )

    path = Path(source)
    if not path.is_file():
        raise WeightsFileError(f"there is no file {path}")
    model = recipe.build()
    with tempfile.TemporaryDirectory() as folder:
        own_path = Path(folder) / "own.weights.h5"
        model.save_weights(own_path)
        try:
            with opened(path) as given, h5py.File(own_path, "r+") as own:
                theirs, ours = datasets_by_layer(given, path), datasets_by_layer(own, own_path)
                ours = {each.name: ours[each.name] for each in model.layers if each.name in ours}
                found = _compared(_shapes(theirs), _shapes(ours))
                for layer in found:
                    if layer.outcome == "loaded":
                        for place, data in ours[layer.name].items():
                            data[...] = theirs[layer.name][place][...]
        except OSError:  # with a text of HDF5's
            raise WeightsFileError(f"cannot read {path}: it is not a weights file") from None
        model.load_weights(own_path)
    return Transferred(model, found)


Places = dict[str, tuple[int, ...]]
"""Shapes of a layer's weights, by where they stand in it."""


def _shapes(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, Places]:
    return {
        name: {place: tuple(data.shape) for place, data in layer.items()}
        for name, layer in layers.items()
    }


def _compared(
    given: Mapping[str, Places], wanted: Mapping[str, Places]
) -> tuple[LayerTransfer, ...]:
    """Each layer of the recipe in its order, then what is left over of the file."""
    unused = [name for name in given if name not in wanted]
    found = []
    for name, places in wanted.items():
        shapes = tuple(places.values())
        if name not in given:
            same = [other for other in unused if given[other] == places]
            meant = same[0] if len(same) == 1 else nearest(name, same)
            found.append(LayerTransfer(name, "missing", (), shapes, meant))
        else:
            outcome = "loaded" if given[name] == places else "shape"
            found.append(LayerTransfer(name, outcome, tuple(given[name].values()), shapes))
    found += [LayerTransfer(name, "left over", tuple(given[name].values())) for name in unused]
    return tuple(found)


def _said(shapes: Shapes) -> str:
    return ", ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
