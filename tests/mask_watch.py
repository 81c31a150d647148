"""Watch the masks that Keras hands on while a model runs, to compare `keras_masks` with them."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras.src import tree
from keras.src.backend import get_keras_mask
from keras.src.ops.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.interop.keras_masks import CallMasks, Mask

MASKS = ("mask", "query_mask", "value_mask", "key_mask")


@dataclass
class Watched:
    """What one call got and returned."""

    received: list[np.ndarray | None]
    outputs: list[np.ndarray | None]
    values: list[np.ndarray]


@dataclass
class Watch:
    """The calls of one run, by scope, layer and index."""

    calls: dict[tuple[Any, ...], Watched] = field(default_factory=dict)
    counts: Counter[Any] = field(default_factory=Counter)
    scopes: list[tuple[Any, ...] | None] = field(default_factory=lambda: [()])
    inputs: dict[tuple[Any, ...], np.ndarray] = field(default_factory=dict)
    """Of the model and of nested ones, by scope and name."""

    def number_as(self, calls: Iterable[CallMasks]) -> None:
        """Number the calls of shared layers as the model does: Keras may run them in another order.

        Args:
            calls: in the order in which they ran.
        """
        ran: dict[tuple[Any, ...], list[int]] = {}
        for call in calls:
            way = [*call.scope, call.place]
            for depth, (name, index) in enumerate(way):
                found = ran.setdefault((tuple(way[:depth]), name), [])
                if index not in found:
                    found.append(index)

        def renumbered(scope: tuple[Any, ...]) -> tuple[Any, ...]:
            own: tuple[Any, ...] = ()
            for name, number in scope:
                own = (*own, (name, ran[own, name][number]))
            return own

        self.calls = {
            (place[:-1], place[-1]): seen
            for (scope, last), seen in self.calls.items()
            for place in [renumbered((*scope, last))]
        }
        self.inputs = {(renumbered(s), name): value for (s, name), value in self.inputs.items()}


def _flat(structure: object) -> list[Any]:
    return [each for each in tree.flatten(structure) if each is not None]


def _array(value: Any) -> np.ndarray | None:
    return None if value is None else np.array(value)


def _models(model: keras.Model) -> set[int]:
    found = {id(model)}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= _models(layer)
    return found


@contextmanager
def watched(model: keras.Model) -> Iterator[Watch]:
    """Record every call of the layers and operations of `model` and of models nested in it."""
    watch, models = Watch(), _models(model)
    top = model
    layer_call, operation_call = keras.Layer.__call__, Operation.__call__
    received: list[Any] = []

    def record(operation: Any, call: Any, args: Any, kwargs: Any) -> Any:
        scope = watch.scopes[-1]
        if scope is None or operation is top:
            return call(operation, *args, **kwargs)
        index = watch.counts[scope, operation.name]
        watch.counts[scope, operation.name] += 1
        place = (operation.name, index)
        inside = (*scope, place) if id(operation) in models else None
        if inside:
            for tensor, value in zip(operation.inputs, _flat(args[0]), strict=True):
                watch.inputs[inside, tensor._keras_history.operation.name] = np.array(value)
        watch.scopes.append(inside)
        received.append({})
        try:
            outputs = call(operation, *args, **kwargs)
        finally:
            watch.scopes.pop()
            got = received.pop()
        flat = _flat(outputs)
        watch.calls[scope, place] = Watched(
            [_array(m) for name in MASKS for m in tree.flatten(got.get(name))],
            [_array(get_keras_mask(each)) for each in flat],
            [np.array(each) for each in flat],
        )
        return outputs

    def of_layer(self: Any, *args: Any, **kwargs: Any) -> Any:
        return record(self, layer_call, args, kwargs)

    def of_operation(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self, keras.Layer):
            if received and not received[-1] and self is not top:
                received[-1].update({"": 0, **kwargs})
            return operation_call(self, *args, **kwargs)
        return record(self, operation_call, args, kwargs)

    keras.Layer.__call__, Operation.__call__ = of_layer, of_operation
    try:
        yield watch
    finally:
        keras.Layer.__call__, Operation.__call__ = layer_call, operation_call


def value_of(mask: Mask | None, watch: Watch) -> Any:
    """Return the numbers of a mask, computed with NumPy from the values of a run."""
    if mask is None:
        return None
    if mask.parts:
        if mask.kind == "joined":
            shapes = [p for part in mask.parts if (p := value_of(part, watch)) is not None]
            parts = [value_of(part, watch) for part in mask.parts]
            return np.concatenate([np.ones_like(shapes[0]) if p is None else p for p in parts], 1)
        first, *rest = [value_of(part, watch) for part in mask.parts if part]
        if None in mask.parts:
            return np.ones_like(first)
        for each in rest:
            first = first | each
        return first
    assert mask.tensor is not None
    key = (mask.scope, (mask.tensor.layer, mask.tensor.call))
    if key in watch.calls:
        value = watch.calls[key].values[mask.tensor.output]
    else:
        value = watch.inputs[mask.scope, mask.tensor.layer]
    if mask.kind == "embedding":
        return value != 0
    if mask.kind == "masking":
        return (value != mask.value).any(-1)
    return value.astype(bool)
