"""An existing Keras model as data: its layers and the calls between them, in call order.

The reader makes it from a file, a configuration or a ``keras.Model``; the audit and the import
read it. Nothing here knows Keras: a value that a configuration holds is plain data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Tensor:
    """One tensor of a model: an output of a call, as Keras's ``keras_history`` names it."""

    layer: str
    """The name of the layer that returned it; of an InputLayer for an input."""
    call: int = 0
    """Which call of that layer in this model, from 0."""
    output: int = 0
    """Which of the call's outputs, in Keras's order."""


@dataclass(frozen=True)
class Constant:
    """A tensor of fixed numbers that a call reads, such as ``ops.add(x, [1., 2.])``."""

    value: Any
    """A number, or nested lists of them."""
    dtype: str


@dataclass(frozen=True)
class Layer:
    """A layer, an operation of ``keras.ops``, or a nested model."""

    name: str
    """Unique in its model."""
    type: str
    """Keras 3's class: ``LSTM``; for an operation its class too: ``Add``."""
    config: Mapping[str, Any]
    """The arguments under Keras 3's names, as plain data; those of Keras 2 are translated.

    The name is left out, and ``dtype`` is the name of the policy: ``"mixed_float16"``.
    Initializers, regularizers, constraints, inner layers and cells are mappings with
    ``class_name`` and ``config``; an inner layer that is a model has its `KerasModel` under
    ``model`` as well.
    """
    is_operation: bool = False
    """Whether it is an operation of ``keras.ops``, not a layer."""
    model: KerasModel | None = None
    """The nested model, for a Functional or Sequential model used as a layer."""


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Values are plain data in which tensors stand as `Tensor`, fixed arrays as `Constant`, and the
    parts of an index as ``slice`` and ``...``.
    """

    layer: str
    index: int = 0
    """Which call of the layer in this model, from 0; shared layers have several."""
    arguments: tuple[Any, ...] = ()
    """Positional arguments: a `Tensor`, or lists and mappings of them, or plain values."""
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def tensors(self) -> Iterator[Tensor]:
        """Yield every tensor that the call reads, in order."""
        for value in (*self.arguments, *self.keywords.values()):
            yield from tensors_in(value)


@dataclass(frozen=True)
class KerasModel:
    """A Functional or Sequential model."""

    name: str
    layers: Mapping[str, Layer]
    """In the order of the configuration, InputLayers included."""
    calls: tuple[Call, ...]
    """In an order in which each call comes after those that it reads; InputLayers have none."""
    inputs: Any
    """A `Tensor`, or a list or mapping of them, as the model takes them."""
    outputs: Any
    """A `Tensor`, or a list or mapping of them, as the model returns them."""
    shapes: Mapping[Tensor, tuple[int | None, ...]] = field(default_factory=dict)
    """The shapes that the source states, batch first; a source need not state all."""
    dtypes: Mapping[Tensor, str] = field(default_factory=dict)
    compile: Mapping[str, Any] | None = None
    """The compile configuration (optimizer, loss, metrics), or None.

    A class or function of someone else's still has its ``module``; Keras's have ``class_name`` and
    ``config`` alone, or are names.
    """
    source: str = ""
    """The file or object it was read from, for messages."""
    shared: int | None = None
    """The same number for nested models that are one object in Python; None where unknown."""


def inner_model(layer: Layer) -> KerasModel | None:
    """Return the model inside TimeDistributed, at any depth; None if another layer is there."""
    kind, config = layer.type, layer.config
    inner: Mapping[str, Any] = {}
    while kind == "TimeDistributed":
        inner = config.get("layer") or {}
        kind, config = inner.get("class_name", ""), inner.get("config") or {}
    model: KerasModel | None = inner.get("model")
    return model


def depth_of(layer: Layer) -> int:
    """Return how many TimeDistributed there are around what is inside them."""
    depth, kind, config = 0, layer.type, layer.config
    while kind == "TimeDistributed":
        inner = config.get("layer") or {}
        depth, kind, config = depth + 1, inner.get("class_name", ""), inner.get("config") or {}
    return depth


def with_inner_model(layer: Layer, model: KerasModel) -> Layer:
    """Return a TimeDistributed with another model inside of it."""

    def changed(config: Mapping[str, Any]) -> dict[str, Any]:
        inner = config["layer"]
        own = {"model": model} if "model" in inner else {"config": changed(inner["config"])}
        return {**config, "layer": {**inner, **own}}

    return replace(layer, config=changed(layer.config))


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested lists, tuples and mappings, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def flat_tensors(value: Any) -> list[Tensor]:
    """Return the tensors of a model's inputs or outputs in Keras's order: mappings by key."""
    if isinstance(value, dict):
        return [tensor for key in sorted(value) for tensor in flat_tensors(value[key])]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in flat_tensors(item)]
    return [value] if isinstance(value, Tensor) else []
