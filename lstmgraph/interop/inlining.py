"""Nested models replaced by their calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import Call, KerasModel, Layer, Tensor, flat_tensors
from lstmgraph.interop.shapes import nested_inputs
from lstmgraph.messages.diagnostics import START, Diagnostic, Place
from lstmgraph.messages.errors import ModelFileError
from lstmgraph.messages.rendering.text import render_text

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

BETWEEN = "/"
"""Stands between the name of a nested model and that of a layer in it."""
MOST_CALLS = 20_000
"""The most calls: models that are nested in each other twice double with each level."""


def inlined(
    model: KerasModel, kept: Container[int] = frozenset(), *, frozen: bool = False
) -> KerasModel:
    """Return the model without nested models: with their layers and calls in their place.

    The layer ``head`` of the nested model ``decoder`` becomes ``decoder/head``; of a shared nested
    model, each layer has several calls. Inputs of nested models are gone, and what a layer with
    ``trainable: false`` holds is frozen. A mask that a nested model's call was given (`mask`) is
    that of its inputs, which the tensors carry themselves.

    Args:
        model: the model.
        kept: those of `KerasModel.shared` whose nested models stay as they are.
        frozen: whether the model itself is in a layer with ``trainable: false``.

    Raises:
        ModelFileError: the model would have more than 20,000 calls.
    """
    if _count(model) > MOST_CALLS:
        raise _too_many(model.source)
    whole = _Inlined(kept)
    whole.add(model, "", {}, frozen=frozen)
    ends = {tensor: tensor for tensor in flat_tensors(model.inputs)}
    return replace(
        model,
        layers=whole.layers,
        calls=tuple(whole.calls),
        inputs=model.inputs,
        outputs=_mapped(model.outputs, {**ends, **whole.places[""]}),
        shapes=whole.shapes,
        dtypes=whole.dtypes,
    )


def _count(model: KerasModel) -> int:
    """Return how many calls a model has with those of nested models."""
    inner = {name: _count(each.model) for name, each in model.layers.items() if each.model}
    return sum(inner.get(call.layer, 1) for call in model.calls)


@dataclass
class _Inlined:
    kept: Container[int]
    layers: dict[str, Layer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """How many calls each layer has so far."""
    shapes: dict[Tensor, tuple[int | None, ...]] = field(default_factory=dict)
    dtypes: dict[Tensor, str] = field(default_factory=dict)
    places: dict[str, dict[Tensor, Any]] = field(default_factory=dict)
    """What each tensor of the model with this prefix is now, for its latest call."""

    def add(
        self, model: KerasModel, prefix: str, given: Mapping[Tensor, Any], *, frozen: bool
    ) -> None:
        """Add the layers and calls of one call of `model`, whose inputs are `given`."""
        places: dict[Tensor, Any] = dict(given)
        self.places[prefix] = places
        for name, layer in model.layers.items():
            self._add_layer(layer, f"{prefix}{name}", is_top=not prefix, frozen=frozen)
        for tensor in model.shapes:
            if model.layers[tensor.layer].type == "InputLayer" and not prefix:
                self._state(model, tensor, tensor)
        for call in model.calls:
            layer = model.layers[call.layer]
            name = f"{prefix}{layer.name}"
            arguments = _mapped(call.arguments, places)
            if layer.model is not None and layer.model.shared not in self.kept:
                self._add_nested(layer, call, name, arguments, places, frozen=frozen)
                continue
            index = self.counts.get(name, 0)
            self.counts[name] = index + 1
            keywords = _mapped(dict(call.keywords), places)
            self.calls.append(Call(name, index, tuple(arguments), keywords))
            places[Tensor(layer.name, call.index)] = Tensor(name, index)
            for tensor in _outputs_of(model, call):
                places[tensor] = Tensor(name, index, tensor.output)
                self._state(model, tensor, Tensor(name, index, tensor.output))

    def _add_nested(  # noqa: PLR0913 - the parts of one call
        self,
        layer: Layer,
        call: Call,
        name: str,
        arguments: Any,
        places: dict[Tensor, Any],
        *,
        frozen: bool,
    ) -> None:
        inner = layer.model
        if inner is None:
            return
        ends = flat_tensors(inner.inputs)
        own = dict(zip(ends, nested_inputs(inner, arguments), strict=False))
        inside = f"{name}{BETWEEN}"
        frozen = frozen or layer.config.get("trainable") is False
        self.add(inner, inside, own, frozen=frozen)
        for number, tensor in enumerate(flat_tensors(inner.outputs)):
            places[Tensor(layer.name, call.index, number)] = self.placed(inside, tensor)

    def placed(self, prefix: str, tensor: Tensor) -> Any:
        """Return what a tensor of the model with `prefix` is now."""
        return _place(tensor, self.places[prefix])

    def _add_layer(self, layer: Layer, name: str, *, is_top: bool, frozen: bool) -> None:
        is_gone = layer.model is not None and layer.model.shared not in self.kept
        if is_gone or (layer.type == "InputLayer" and not is_top):
            return
        config = {**layer.config, "trainable": False} if frozen and not layer.is_operation else None
        self.layers[name] = replace(layer, name=name, config=config or layer.config)

    def _state(self, model: KerasModel, tensor: Tensor, now: Tensor) -> None:
        if tensor in model.shapes:
            self.shapes.setdefault(now, model.shapes[tensor])
        if tensor in model.dtypes:
            self.dtypes.setdefault(now, model.dtypes[tensor])


def _outputs_of(model: KerasModel, call: Call) -> list[Tensor]:
    """Return the stated outputs of a call."""
    found = []
    number = 0
    while (tensor := Tensor(call.layer, call.index, number)) in model.shapes:
        found.append(tensor)
        number += 1
    return found


def _place(tensor: Tensor, places: Mapping[Tensor, Any]) -> Any:
    if tensor in places:
        return places[tensor]
    first = places.get(replace(tensor, output=0))  # another output of the same call
    return replace(first, output=tensor.output) if isinstance(first, Tensor) else tensor


def _mapped(value: Any, places: Mapping[Tensor, Any]) -> Any:
    if isinstance(value, Tensor):
        return _place(value, places)
    if isinstance(value, (list, tuple)):
        return [_mapped(item, places) for item in value]
    if isinstance(value, dict):
        return {key: _mapped(item, places) for key, item in value.items()}
    return value


def _too_many(source: str) -> ModelFileError:
    found = Diagnostic(
        "M102",
        f"its nested models have more than {MOST_CALLS:,} calls",
        (),
        Place(source, START),
        "call the nested models less often",
    )
    return ModelFileError(render_text([found], {}), [found])
