"""Build a model that was read, with Keras's own layers and operations, and give it its weights.

Keras opens less than the reader does: no HDF5 file with operations in it, nor many of Keras 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.interop.code.errors import CodeError
from lstmgraph.interop.code.objects import public_class
from lstmgraph.interop.code.operations import GET_ITEM, operation_call
from lstmgraph.interop.inlining import BETWEEN, inlined
from lstmgraph.interop.keras_model import Tensor, depth_of, inner_model
from lstmgraph.interop.reading.live import innermost
from lstmgraph.interop.reading.problems import Problems
from lstmgraph.interop.reading.sources import is_json_text
from lstmgraph.interop.shapes import with_shapes
from lstmgraph.interop.weights import read_weights
from lstmgraph.messages.errors import ModelFileError
from lstmgraph.models.building.carrying import saved_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from lstmgraph.interop.keras_model import Call, KerasModel, Layer

HAVE_WEIGHTS = frozenset({".keras", ".h5", ".hdf5"})
"""The endings of files that hold a model with its weights."""
LEAST, MOST = 1_000, 1_000_000
"""No size of a layer below the first is too large, and none above the second without weights."""
LONGEST = 200
"""The most characters of Keras's own message to show."""


@dataclass(frozen=True)
class Opened:
    """A model that can be run."""

    model: keras.Model
    layers: Mapping[str, keras.Layer]
    """Its layers, those of nested models too, by the names that `inlined` gives them."""


def opened(source: Any, model: KerasModel) -> Opened | None:
    """Return a source as a model that can be run, with its weights; None if it has none.

    Args:
        source: what `model` was read from, as ``read_model`` takes it.
        model: the model as data.

    Raises:
        ModelFileError: the weights in the file cannot be read or do not fit (M114), or Keras
            cannot build the model.
    """
    if isinstance(source, keras.Model):
        return Opened(source, layers_of(source))
    if not isinstance(source, (str, Path)) or is_json_text(source):
        return None
    path = Path(source)
    if path.suffix not in HAVE_WEIGHTS:
        return None
    problems = Problems(str(source))
    try:
        weights = read_weights(path, model)
        _check_sizes(inlined(model), weights, problems)
        made = build(model, weights)
        _check_complete(made, weights, problems)
        return made
    except ModelFileError:
        raise
    except CodeError as error:
        problems.stop(error.note.code, error.note.message, error.note.hint)
    except Exception as error:  # whatever Keras or HDF5 raises for a file of somebody else
        line = next(iter(str(error).splitlines()), type(error).__name__)
        problems.stop("M114", f"it cannot be built: {line[:LONGEST]}", "save the model again")


def _check_sizes(
    model: KerasModel, weights: Mapping[str, list[np.ndarray[Any, Any]]], problems: Problems
) -> None:
    """Report sizes that the weights do not have, before memory is taken for them."""
    for name, layer in model.layers.items():
        most = sum(array.size for array in weights[name]) if name in weights else MOST
        for key, size in _sizes(layer.config):
            if size > max(most, LEAST):
                hint = "save the model again"
                problems.add("M114", f"`{key}` is {size}, more than its weights", hint, (name,))
    problems.raise_found()


def _check_complete(
    made: Opened, weights: Mapping[str, list[np.ndarray[Any, Any]]], problems: Problems
) -> None:
    """Report layers that would keep random weights, as the file has none of them."""
    given = {id(made.layers[name]) for name in weights}
    for name, layer in made.layers.items():
        is_model = isinstance(innermost(layer), keras.Model)
        if not is_model and id(layer) not in given and saved_weights(layer):
            hint = "save the model again, as a .keras file"
            problems.add("M114", "the file has no weights of it", hint, (name,))
    problems.raise_found()


def _sizes(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """Yield every whole number of a configuration but for seeds, with its argument."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name != "seed":
                yield from _sizes(item, name)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _sizes(item, key)
    elif isinstance(value, int):
        yield key, value


def build(model: KerasModel, weights: Mapping[str, list[np.ndarray[Any, Any]]]) -> Opened:
    """Return the model that `model` describes, with `weights` by layer.

    Args:
        model: the model as data. It must hold nothing but what is Keras's own.
        weights: as ``read_weights`` returns them; layers that are missing keep initial values.

    Raises:
        CodeError: it has an operation that no function of Keras computes, or another class.
    """
    layers: dict[str, keras.Layer] = {}
    built = _built(with_shapes(model), layers, {}, "")
    for name, arrays in weights.items():
        layers[name].set_weights(arrays)
    return Opened(built, layers)


def _built(
    model: KerasModel, layers: dict[str, keras.Layer], models: dict[int, keras.Model], prefix: str
) -> keras.Model:
    """Return the model, and put its layers into `layers` by their names in the inlined model.

    `models` are those inside of it so far that are called from several places.
    """
    values: dict[Tensor, Any] = {}
    for tensor, shape in model.shapes.items():
        layer = model.layers[tensor.layer]
        if layer.type == "InputLayer":
            values[tensor] = keras.Input(
                batch_shape=shape, dtype=model.dtypes[tensor], name=_name(layer)
            )
    for call in model.calls:
        layer = model.layers[call.layer]
        outputs = (
            _operation(layer, call, values)
            if layer.is_operation
            else _layer(layer, layers, models, prefix)(
                *_filled(call.arguments, values),
                **{key: _filled(value, values) for key, value in call.keywords.items()},
            )
        )
        for number, output in enumerate(keras.tree.flatten(outputs)):
            values[Tensor(call.layer, call.index, number)] = output
    return keras.Model(
        _filled(model.inputs, values), _filled(model.outputs, values), name=model.name
    )


def _name(layer: Layer) -> str:
    return layer.name.replace("/", "_")  # Keras 3 allows no slash


def _layer(
    layer: Layer, layers: dict[str, keras.Layer], models: dict[int, keras.Model], prefix: str
) -> keras.Layer:
    name = f"{prefix}{layer.name}"
    if name not in layers:
        inner = layer.model or inner_model(layer)
        if inner is None:
            layers[name] = keras.saving.deserialize_keras_object(
                _with_modules(
                    {"class_name": layer.type, "config": {**layer.config, "name": _name(layer)}},
                    "layers",
                )
            )
            return layers[name]
        known = models.get(inner.shared) if inner.shared is not None else None
        if known is None:
            built = _built(inner, layers, models, f"{name}{BETWEEN}")
        else:
            built = known
            layers |= layers_of(known, name)
        if inner.shared is not None:
            models[inner.shared] = built
        for depth in range(depth_of(layer), 0, -1):
            own = _name(layer) if depth == 1 else None
            built = keras.layers.TimeDistributed(built, name=own)
        layers[name] = built
    return layers[name]


def _with_modules(value: Any, place: str | None = None) -> Any:
    """Return a configuration with the public module of every class in it, as Keras looks for it."""
    if isinstance(value, list):
        return [_with_modules(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if not isinstance(kind, str):
        return {key: _with_modules(item) for key, item in value.items()}
    if kind.startswith("__"):  # an array
        return value
    module, _ = public_class(kind, f"keras.{place}" if place else None)
    config = _with_modules(value.get("config", {}))
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _operation(layer: Layer, call: Call, values: Mapping[Tensor, Any]) -> Any:
    if layer.type == GET_ITEM:
        base, key = (*call.arguments, *call.keywords.values())[:2]
        return _filled(base, values)[_filled(key, values)]
    _, function, arguments = operation_call(layer, call)
    given = [(key, _filled(value, values)) for key, value in arguments]
    return function(
        *(value for key, value in given if not key), **{key: value for key, value in given if key}
    )


def _filled(value: Any, values: Mapping[Tensor, Any]) -> Any:
    if isinstance(value, Tensor):
        return values[value]
    if isinstance(value, (list, tuple)):
        return type(value)(_filled(item, values) for item in value)
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    return value


def layers_of(model: keras.Model, prefix: str = "") -> dict[str, Any]:
    """Return the layers of a model by the names that they have once it is inlined."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        name = f"{prefix}{BETWEEN}{layer.name}" if prefix else layer.name
        inner = innermost(layer)
        if isinstance(inner, keras.Model):
            found |= layers_of(inner, name)
        found[name] = layer
    return found
