"""Weights from a file of Keras's, matched by the names of layers.

Keras's own ``load_weights`` matches a ``.weights.h5`` file by class and order, so that two layers
of one shape which have changed places are given each other's weights. The file does hold the names.
"""

from __future__ import annotations

import io
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import h5py

from lstmgraph.export.inference import weight_mistakes
from lstmgraph.export.mistakes import export_error
from lstmgraph.own_weights import MEMBER, own_weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import keras

    from lstmgraph.compiler import CompiledRecipe

Datasets = dict[str, h5py.Dataset]
"""Of one layer, by where they stand in its part of the file: ``cell/vars/0``."""


class WeightsFileError(ValueError):
    """The file does not hold weights as Keras 3 writes them."""


def load_weights(compiled: CompiledRecipe, model: keras.Model, path: Path) -> None:
    """Give `model`, built from the recipe, the weights in a ``.keras`` or ``.weights.h5`` file.

    Raises:
        RecipeError: the file's layers with weights are not the recipe's, or of other shapes (L804).
        WeightsFileError: the file cannot be read, or is not one of these.
    """
    if not path.is_file():
        raise WeightsFileError(f"there is no file {path}")
    with own_weights(model) as own, _told(path), opened(path) as given:
        _copy(compiled, datasets_by_layer(given, path), datasets_by_layer(own, path), path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError:  # with a text of HDF5's
        raise WeightsFileError(f"cannot read {path}: it is not a weights file") from None


def _copy(
    compiled: CompiledRecipe, given: dict[str, Datasets], own: dict[str, Datasets], path: Path
) -> None:
    shapes = [
        {name: [tuple(data.shape) for data in layer.values()] for name, layer in layers.items()}
        for layers in (own, given)
    ]
    wrong = list(weight_mistakes(compiled, shapes[0], shapes[1], str(path)))
    if wrong:
        raise export_error(compiled, wrong)
    for name, layer in own.items():
        for data, source in zip(layer.values(), given[name].values(), strict=True):
            data[...] = source[...]


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The weights of a ``.keras`` or ``.weights.h5`` file.

    Raises:
        WeightsFileError: a ``.keras`` file holds none.
        OSError: it is another kind of file, with a text of HDF5's.
    """
    if path.suffix != ".keras":
        with h5py.File(path, "r") as file:
            yield file
        return
    try:
        content = zipfile.ZipFile(path).read(MEMBER)
    except (zipfile.BadZipFile, KeyError):
        raise WeightsFileError(f"{path} is not a .keras file with weights in it") from None
    with h5py.File(io.BytesIO(content), "r") as file:
        yield file


def datasets_by_layer(file: h5py.File, path: Path) -> dict[str, Datasets]:
    """The datasets of each layer that has weights, in the order of their places in it."""
    found = {}
    for group in file.get("layers", {}).values():
        datasets: Datasets = {}
        group.visititems(lambda place, item, into=datasets: _note(place, item, into))
        if datasets:
            name = group["vars"].attrs.get("name") if "vars" in group else None
            if not isinstance(name, str):
                raise WeightsFileError(
                    f"{path} does not say which layers its weights are of; save it with Keras 3.15"
                )
            found[name] = dict(sorted(datasets.items()))
    if not found:
        raise WeightsFileError(f"{path} holds no weights of layers")
    return found


def _note(place: str, item: h5py.Group | h5py.Dataset, into: Datasets) -> None:
    # The state of a layer's random numbers is no weight, and is there only with dropout.
    if isinstance(item, h5py.Dataset) and not place.startswith("seed_generator"):
        into[place] = item
