"""Weights of a model's file by layer, in the order of Keras 3's ``layer.weights``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lstmgraph.interop.inlining import BETWEEN
from lstmgraph.interop.keras_model import inner_model
from lstmgraph.messages.errors import WeightsFileError
from lstmgraph.models.weights_file import opened_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from lstmgraph.interop.keras_model import KerasModel

ORDER = (
    "vars",
    "forward_layer",
    "backward_layer",
    "layer",
    "cell",
    "cells",
    "query_dense",
    "key_dense",
    "value_dense",
    "output_dense",
)
"""The parts of a layer in the order of its weights; others follow by name."""
_NUMBERED = re.compile(r"(.*?)_?(\d*)")


def read_weights(path: Path, model: KerasModel) -> dict[str, list[npt.NDArray[Any]]]:
    """Return the weights of each layer that has any.

    Args:
        path: a ``.keras`` file, a ``.weights.h5`` file of Keras 3, or an ``.h5`` file of Keras 2
            with the whole model or its weights.
        model: the model that they are of.

    Returns:
        Arrays in the order of ``layer.weights`` of Keras 3, by the layer's name; of a layer in the
        nested model ``encoder``, or in the model in a TimeDistributed of that name,
        ``encoder/first``, as `inlined` names it.

    Raises:
        WeightsFileError: the file is of another kind, is damaged, holds what Keras never writes,
            or lacks a nested model's layer.
    """
    with opened_weights(path) as weights:
        if weights.is_old:
            return _of_old(weights.layers, model, "")
        with h5py.File(weights.path, "r") as file:
            return dict(_of_new(weights.layers, model, file["layers"], ""))


def _ordered(places: Mapping[str, Any], cells: list[str]) -> list[npt.NDArray[Any]]:
    """Return a layer's arrays; `cells` are the classes of its stacked cells, in order."""

    def rank(place: str) -> list[Any]:
        parts = place.split("/")
        ranks: list[Any] = []
        for before, part in zip([None, *parts], parts, strict=False):
            if before == "cells" and part in cells:
                ranks.append((0, cells.index(part), ""))
            elif part.isdigit():
                ranks.append((0, int(part), ""))
            else:
                known = part in ORDER
                ranks.append((0, ORDER.index(part), "") if known else (1, 0, part))
        return ranks

    order = sorted(places, key=rank)
    own = [place for place in order if place.startswith("vars/")]
    if own and len(own) < len(order) and order[-1].startswith("layer/"):
        # SpectralNormalization: its vector follows the kernel, which some files hold twice.
        kernel, *rest = order[len(own) :]
        order = [kernel, own[-1], *rest]
    return [np.asarray(places[place][...]) for place in order]


def _cells_of(config: Mapping[str, Any]) -> list[str]:
    """Return the names that a file has for the cells of a layer, in order."""
    for key in ("layer", "cell"):
        inner = config.get(key)
        if isinstance(inner, dict):
            return _cells_of(inner["config"])
    cells = config.get("cells")
    names: list[str] = []
    for cell in cells if isinstance(cells, list) else ():
        name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cell["class_name"])
        count = sum(_NUMBERED.fullmatch(each)[1] == name.lower() for each in names)  # type: ignore[index]
        names.append(name.lower() + (f"_{count}" if count else ""))
    return names


def _of_old(
    layers: Mapping[str, Mapping[str, Any]], model: KerasModel, top: str
) -> dict[str, list[npt.NDArray[Any]]]:
    found: dict[str, list[npt.NDArray[Any]]] = {}
    for name, layer in model.layers.items():
        model_inside = layer.model or inner_model(layer)
        if model_inside is not None:
            inner = _of_old(layers, model_inside, top or name)
            found.update({f"{name}{BETWEEN}{each}": own for each, own in inner.items()})
            continue
        places = layers.get(f"{top}/{name}" if top else name)
        if places is not None:
            found[name] = _ordered(places, _cells_of(layer.config))
    return found


def _of_new(
    layers: Mapping[str, Mapping[str, Any]], model: KerasModel, group: h5py.Group, prefix: str
) -> Iterator[tuple[str, list[npt.NDArray[Any]]]]:
    for name, layer in model.layers.items():
        model_inside = layer.model or inner_model(layer)
        if model_inside is None:
            if name in layers:
                yield f"{prefix}{name}", _ordered(layers[name], _cells_of(layer.config))
            continue
        own = next((each for each in group.values() if _name_of(each) == name), None)
        while own is not None and "layer" in own:  # of TimeDistributed
            own = own["layer"]
        inner = own.get("layers") if own is not None else None
        if not isinstance(inner, h5py.Group):
            continue
        yield from _of_new(_below(inner), model_inside, inner, f"{prefix}{name}{BETWEEN}")


def _name_of(group: h5py.Group) -> str | None:
    own = group.get("vars")
    name = own.attrs.get("name") if isinstance(own, h5py.Group) else None
    return name if isinstance(name, str) else None


def _below(group: h5py.Group) -> dict[str, dict[str, h5py.Dataset]]:
    """Return the datasets of each layer of a nested model, by their places."""
    found: dict[str, dict[str, h5py.Dataset]] = {}
    for own in group.values():
        name = _name_of(own)
        if name is None:
            raise WeightsFileError(
                "it does not say which layers its weights belong to; save it with Keras 3.15"
            )
        datasets: dict[str, h5py.Dataset] = {}

        def visit(place: str, item: Any, datasets: dict[str, h5py.Dataset] = datasets) -> None:
            if isinstance(item, h5py.Dataset) and not place.startswith("seed_generator"):
                datasets[place] = item

        own.visititems(visit)
        if datasets and "layers" not in own:
            found[name] = datasets
    return found
