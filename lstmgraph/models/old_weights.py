"""Weights in the HDF5 files of Keras 2, under the places that Keras 3 has for them.

Such a file has a group for each layer, whose attribute ``weight_names`` lists its weights in order,
such as ``encoder/lstm_cell/kernel:0``; Keras 3's place of that one is ``cell/vars/0``. The kernels
and biases of CuDNNLSTM and CuDNNGRU are in another layout: see `plain_kernels`.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import h5py
import numpy as np

from lstmgraph.messages.errors import WeightsFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


Array: TypeAlias = Any
"""A dataset of HDF5, or an array of NumPy."""
WHOLE = "model_weights"
"""The group of a whole model's file that holds the weights."""
NAMES = "layer_names"
CONFIG = "model_config"
MOST_OF_ATTRIBUTE = 32_000_000
"""The most bytes of an attribute: that of a model's configuration."""
MOST_NAMES = 100_000
WRAPPERS = ("TimeDistributed", "SpectralNormalization")
MODELS = ("Functional", "Model", "Sequential")

_CELL = re.compile(r"(?P<kind>lstm|gru|simple_rnn)_cell(_\d+)?")
_STACK = re.compile(r"stacked_rnn_cells(_\d+)?")
_NUMBER = re.compile(r":\d+$")
_ATTENTION = {
    "query": "query_dense",
    "key": "key_dense",
    "value": "value_dense",
    "attention_output": "output_dense",
}


def attribute(item: h5py.Group, name: str) -> Any:
    """Return an attribute of a file that is not trusted, or None; texts are decoded.

    Raises:
        WeightsFileError: it is larger than any that Keras writes.
    """
    if name not in item.attrs:
        return None
    stored = h5py.h5a.open(item.id, name.encode())
    if math.prod(stored.shape) * stored.get_type().get_size() > MOST_OF_ATTRIBUTE:
        raise WeightsFileError(f"its attribute {name[:80]} is too large")
    value = item.attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
        return [each.decode("utf-8") if isinstance(each, bytes) else each for each in value.flat]
    return list(value.flat) if isinstance(value, np.ndarray) else value


def is_old(file: h5py.File) -> bool:
    """Return whether Keras 2, or Keras 3 in its format, wrote an open file."""
    return weights_group(file) is not None


def weights_group(file: h5py.File) -> h5py.Group | None:
    """Return the group with the weights of an open file in Keras 2's format."""
    whole = file.get(WHOLE) if isinstance(file.get(WHOLE, getlink=True), h5py.HardLink) else None
    group = whole if isinstance(whole, h5py.Group) else file
    has_names = any(name in group.attrs for name in (NAMES, f"{NAMES}0"))
    return group if has_names else None


def old_layers(
    file: h5py.File, datasets: Mapping[tuple[str, ...], h5py.Dataset]
) -> dict[str, dict[str, Array]]:
    """Return the weights of each layer of a file in Keras 2's format, by Keras 3's place.

    A layer of a nested model, or of one inside TimeDistributed, has the name ``encoder/first``.

    Args:
        file: the open file.
        datasets: its datasets by path, each checked.

    Raises:
        WeightsFileError: it is not as Keras writes it.
    """
    group = weights_group(file)
    if group is None:
        raise WeightsFileError("it has no list of layers")
    classes = _classes(attribute(file, CONFIG))
    start = (WHOLE,) if group.name == f"/{WHOLE}" else ()
    found: dict[str, dict[str, Array]] = {}
    for layer in _texts(group, NAMES):
        own = group.get(layer)
        if not isinstance(own, h5py.Group):
            raise WeightsFileError(f"it has no group of the layer '{layer[:80]}'")
        named: dict[str, list[tuple[list[str], h5py.Dataset]]] = {}
        for name in _texts(own, "weight_names"):
            data = datasets.get((*start, *f"{layer}/{name}".split("/")))
            if data is None:
                raise WeightsFileError(f"it lacks the weights '{name[:80]}'")
            first, *parts = _NUMBER.sub("", name).split("/")
            if len(parts) > 1 and first not in classes and parts[0] == layer:
                first, *parts = parts  # Keras 3 writes the whole Sequential model's name first
            while classes.get(first) in MODELS and len(parts) > 1:  # `head/wide/kernel`
                first, *parts = parts
            is_nested = classes.get(layer) in MODELS if classes else first != layer
            key = f"{layer}/{first}" if is_nested else layer
            named.setdefault(key, []).append((parts, data))
        for key, weights in named.items():
            kind = classes.get(key.rpartition("/")[2] if key != layer else layer)
            found[key] = _placed(weights, is_wrapped=kind in WRAPPERS)
    return found


def _texts(group: h5py.Group, name: str) -> list[str]:
    """Return a list of names, which Keras divides over several attributes if it is long."""
    values = attribute(group, name)
    if values is None:
        values = []
        while (more := attribute(group, f"{name}{len(values)}")) is not None:
            values.append(more)
        values = [text for part in values for text in part]
    if not isinstance(values, list) or len(values) > MOST_NAMES:
        raise WeightsFileError(f"its attribute {name} is not a list of names")
    if not all(isinstance(value, str) for value in values):
        raise WeightsFileError(f"its attribute {name} is not a list of names")
    if len(set(values)) < len(values):
        raise WeightsFileError(f"its attribute {name} has a name twice")
    return values


def _classes(config: Any) -> dict[str, str]:
    """Return the class of each layer, those of nested models too, by its name.

    A model inside TimeDistributed has the name of that.
    """
    try:
        whole = json.loads(config) if isinstance(config, str) else None
    except (ValueError, RecursionError):
        return {}
    classes: dict[str, str] = {}
    waiting = [whole]
    while waiting:
        value = waiting.pop()
        own = value.get("config") if isinstance(value, dict) else None
        layers = own.get("layers") if isinstance(own, dict) else own
        for layer in layers if isinstance(layers, list) else ():
            inner = layer.get("config") if isinstance(layer, dict) else None
            if isinstance(inner, dict) and isinstance(layer.get("class_name"), str):
                own = _innermost(layer)
                kind = own["class_name"] if own["class_name"] in MODELS else layer["class_name"]
                classes |= {each: kind for each in (_name(layer), _name(own)) if each is not None}
                waiting.append(own)
    return classes


def _innermost(layer: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of the layer inside of TimeDistributed, at any depth."""
    while layer.get("class_name") == "TimeDistributed":
        config = layer.get("config")
        inner = config.get("layer") if isinstance(config, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("class_name"), str):
            break
        layer = inner
    return layer


def _name(layer: dict[str, Any]) -> str | None:
    config = layer.get("config")
    name = layer.get("name", config.get("name") if isinstance(config, dict) else None)
    return name if isinstance(name, str) else None


def _placed(
    weights: Sequence[tuple[list[str], h5py.Dataset]], *, is_wrapped: bool
) -> dict[str, Array]:
    """Return a layer's weights by Keras 3's places, those of cuDNN's layers in Keras's layout."""
    prefixes: dict[str, str] = {}
    counts: dict[str, int] = {}
    groups: dict[str, list[tuple[str, h5py.Dataset]]] = {}
    leaves = {parts[-1] for parts, _ in weights if parts}
    for parts, data in weights:
        *inner, leaf = parts or [""]
        own = "/".join(inner)
        if is_wrapped and leaf == "vector_u":  # of SpectralNormalization itself
            own = "vector_u"
            prefixes[own] = ""
        elif own not in prefixes:
            is_recurrent = "recurrent_kernel" in leaves
            prefixes[own] = "/".join(
                _prefix(inner, counts, is_wrapped=is_wrapped, is_recurrent=is_recurrent)
            )
        groups.setdefault(prefixes[own], []).append((leaf, data))
    return {
        f"{prefix}/vars/{number}".removeprefix("/"): data
        for prefix, own in groups.items()
        for number, data in enumerate(plain_kernels(own))
    }


def _prefix(
    parts: Sequence[str], counts: dict[str, int], *, is_wrapped: bool, is_recurrent: bool
) -> Iterator[str]:
    """Yield the parts of Keras 3's place for the parts of Keras 2's name of a weight."""
    if is_wrapped:
        yield "layer"
        if parts and not _CELL.fullmatch(parts[0]):  # Keras 3 writes the inner layer's name
            parts = parts[1:] if not parts[0].startswith(("forward_", "backward_")) else parts
    is_stacked = has_cell = False
    side = ""
    for part in parts:
        cell = _CELL.fullmatch(part)
        if part.startswith(("forward_", "backward_")) and not side:
            side = f"{part.partition('_')[0]}_layer"
            yield side
        elif _STACK.fullmatch(part):
            is_stacked = has_cell = True
            yield "cell"
        elif cell and is_stacked:
            key = f"{side}{cell['kind']}"
            count = counts.get(key, 0)
            counts[key] = count + 1
            yield f"cells/{cell['kind']}_cell" + (f"_{count}" if count else "")
        elif cell:
            has_cell = True
            yield "cell"
        else:
            yield _ATTENTION.get(part, "layer")
    if is_recurrent and not has_cell:  # CuDNNLSTM, CuDNNGRU and ConvLSTM of Keras 2
        yield "cell"


def plain_kernels(named: Sequence[tuple[str, h5py.Dataset]]) -> list[Array]:
    """Return the weights of one cell in the layout of LSTM and GRU.

    cuDNN's layers have two biases for each gate, one after the other. Per gate, their recurrent
    kernel is transposed, and their kernel is in Fortran's order. LSTM has the sum of both biases,
    GRU with ``reset_after`` has both as rows.
    """
    arrays: list[Array] = [data for _, data in named]
    if [leaf for leaf, _ in named] != ["kernel", "recurrent_kernel", "bias"]:
        return arrays
    kernel, recurrent, bias = (data for _, data in named)
    if len(recurrent.shape) != 2 or len(bias.shape) != 1 or len(kernel.shape) != 2:
        return arrays
    units, columns = recurrent.shape
    gates = columns // units if units else 0
    fits = gates in (3, 4) and columns == gates * units == kernel.shape[1]
    if not fits or bias.shape != (2 * columns,):
        return arrays
    parts = np.hsplit(kernel[...], gates), np.hsplit(recurrent[...], gates)
    both = bias[...].reshape(2, -1)
    return [
        np.hstack([part.T.reshape(part.shape, order="F") for part in parts[0]]),
        np.hstack([part.T for part in parts[1]]),
        both.sum(axis=0, dtype=both.dtype) if gates == 4 else both,
    ]
