"""A model as the rules of the audit see it: nested models opened, masks and shapes at hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.execution import flat_tensors
from lstmgraph.interop.keras_masks import (
    RECURRENT,
    bound_arguments,
    given_to,
    keras_masks,
    wrapped,
)
from lstmgraph.interop.keras_model import Constant, Tensor
from lstmgraph.keras_facts.catalogue import CELLS, RECURRENT_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.interop.keras_masks import CallMasks, KerasMasks, Scope
    from lstmgraph.interop.keras_model import KerasModel

Key = tuple["Scope", Tensor]
"""A tensor, and the calls of nested models in which it stands."""


@dataclass(frozen=True)
class Recurrence:
    """A recurrent layer, wrappers removed: what the rules need of it."""

    type: str
    """LSTM, GRU, SimpleRNN, or another class for a custom cell."""
    config: Mapping[str, Any]
    """That of the layer; for RNN(cell), with that of the cell."""
    bidirectional: bool
    is_cell: bool
    """Whether it is RNN(cell), which never runs on cuDNN."""

    @property
    def states(self) -> tuple[str, ...] | None:
        """Return the states in Keras's order, ``h`` and ``c``; None for a custom cell."""
        own = RECURRENT_STATES.get(self.type)
        return own and own * (2 if self.bidirectional else 1)

    @property
    def on_cudnn(self) -> bool:
        """Return whether a GPU would run it with cuDNN."""
        config = self.config
        return (
            self.type in {"LSTM", "GRU"}
            and not self.is_cell
            and not config.get("recurrent_dropout")
            and not config.get("unroll")
            and config.get("use_bias", True)
            and config.get("activation", "tanh") == "tanh"
            and config.get("recurrent_activation", "sigmoid") == "sigmoid"
            and config.get("reset_after", True)
            and config.get("use_cudnn", "auto") in {"auto", True}
        )


class Subject:
    """The model under audit."""

    def __init__(self, model: KerasModel, live: Any = None) -> None:
        """Follow the masks of `model`.

        Args:
            model: with the shapes of all its tensors, where they are known.
            live: the ``keras.Model`` it was read from, if it was: not all is in a configuration.
        """
        self.model = model
        self.live = live
        self.masks: KerasMasks = keras_masks(model)
        self.models: dict[Scope, KerasModel] = {(): model}
        self._same: dict[Key, Key] = {}
        self._open(model, ())
        self.calls = [call for call in self.masks.calls if call.layer.model is None]
        """The calls of layers and operations, in the order in which Keras runs them."""

    def _open(self, model: KerasModel, scope: Scope) -> None:
        for call in model.calls:
            inner = model.layers[call.layer].model
            if inner is None:
                continue
            place = (call.layer, call.index)
            within = (*scope, place)
            self.models[within] = inner
            first = next(iter(bound_arguments(call, model.layers[call.layer]).values()), None)
            names = flat_tensors(inner.inputs)
            for name, tensor in zip(names, given_to(inner, first, names), strict=False):
                self._same[within, name] = (scope, tensor)
            for index, tensor in enumerate(flat_tensors(inner.outputs)):
                self._same[scope, Tensor(*place, index)] = (within, tensor)
            self._open(inner, within)

    def key(self, scope: Scope, tensor: Tensor) -> Key:
        """Return where a tensor is made, through the borders of nested models."""
        key = (scope, tensor)
        while key in self._same:
            key = self._same[key]
        return key

    @cached_property
    def readers(self) -> Mapping[Key, list[CallMasks]]:
        """Return the calls that read each tensor."""
        found: defaultdict[Key, list[CallMasks]] = defaultdict(list)
        for each in self.calls:
            for tensor in dict.fromkeys(each.call.tensors()):
                found[self.key(each.scope, tensor)].append(each)
        return found

    @cached_property
    def makers(self) -> Mapping[tuple[Scope, tuple[str, int]], CallMasks]:
        """Return each call by its place."""
        return {(each.scope, each.place): each for each in self.calls}

    @cached_property
    def ends(self) -> list[Key]:
        """Return the model's outputs, in Keras's order."""
        return [self.key((), tensor) for tensor in flat_tensors(self.model.outputs)]

    def maker(self, key: Key) -> CallMasks | None:
        """Return the call that makes a tensor; None for an input of the model."""
        scope, tensor = key
        return self.makers.get((scope, (tensor.layer, tensor.call)))

    def shape(self, key: Key) -> tuple[int | None, ...] | None:
        """Return the shape of a tensor, batch first, or None."""
        return self.models[key[0]].shapes.get(key[1])

    def dtype(self, key: Key) -> str | None:
        """Return the dtype of a tensor, or None."""
        return self.models[key[0]].dtypes.get(key[1])

    def reads(self, each: CallMasks, value: Any = None) -> list[Key]:
        """Return the tensors in an argument of a call; by default in all of them."""
        if value is None:
            return [self.key(each.scope, tensor) for tensor in each.call.tensors()]
        return [self.key(each.scope, tensor) for tensor in flat_tensors(value)]

    def makes(self, each: CallMasks, output: int = 0) -> Key:
        """Return an output of a call."""
        return each.scope, Tensor(*each.place, output)

    def outputs(self, each: CallMasks) -> list[Key]:
        """Return the outputs of a call that are known."""
        return [self.makes(each, index) for index in range(len(each.outputs))]

    def recurrent(self) -> Iterator[tuple[CallMasks, Recurrence]]:
        """Yield the calls of recurrent layers."""
        for each in self.calls:
            if not each.layer.is_operation and each.layer.type in RECURRENT:
                yield each, recurrence(each)


def recurrence(each: CallMasks) -> Recurrence:
    """Return the recurrent layer that a call runs."""
    kind, config, bidirectional = each.layer.type, each.layer.config, False
    if kind == "Bidirectional":
        (kind, config), bidirectional = wrapped(each.layer), True
    if kind != "RNN":
        return Recurrence(kind, config, bidirectional, is_cell=False)
    cell = config.get("cell") or {}
    name = str(cell.get("class_name", ""))
    merged = {**(cell.get("config") or {}), **config}
    return Recurrence(CELLS.get(name, name), merged, bidirectional, is_cell=True)


def place(each: CallMasks) -> str:
    """Return the path of a call's layer, with the number of the call if it is not the first."""
    parts = [*each.scope, each.place]
    return "/".join(name if index == 0 else f"{name}[{index}]" for name, index in parts)


def titled(each: CallMasks) -> str:
    """Return how a message names a call: ``LSTM 'decoder'``."""
    name = each.layer.name
    if each.layer.is_operation:
        return f"the operation {each.layer.type} '{name}'"
    inner = f"({wrapped(each.layer)[0]})" if each.layer.config.get("layer") else ""
    return f"{each.layer.type}{inner} '{name}'"


def origins(masks: Any) -> str:
    """Return where masks are made, for a message: ``the mask of 'embedding'``."""
    names = [
        origin.place[0] if origin.place else origin.tensor.layer
        for mask in masks
        for origin in mask.origins()
        if origin.place or origin.tensor
    ]
    return "the mask of " + " and ".join(f"'{name}'" for name in dict.fromkeys(names))


def shape_of(subject: Subject, each: CallMasks, value: Any) -> tuple[int | None, ...] | None:
    """Return the shape of an argument of a call: a tensor of the graph, or a constant."""
    if isinstance(value, Tensor):
        return subject.shape(subject.key(each.scope, value))
    shape: list[int | None] = []
    level = value.value if isinstance(value, Constant) else None
    while isinstance(level, (list, tuple)):
        shape.append(len(level))
        level = level[0] if level else None
    return tuple(shape) or None
