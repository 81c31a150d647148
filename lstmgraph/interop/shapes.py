"""Shape and dtype of every tensor of a model, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import (
    Call,
    Constant,
    KerasModel,
    Layer,
    Tensor,
    flat_tensors,
    inner_model,
    with_inner_model,
)
from lstmgraph.interop.operation_shapes import operation_outputs
from lstmgraph.interop.specs import Spec, broadcast, spec_of
from lstmgraph.keras_facts.catalogue import CELLS, RECURRENT_STATES, argument_defaults
from lstmgraph.keras_facts.dtypes import COMPUTE_DTYPES
from lstmgraph.keras_facts.layers import RULES, LayerMistake, layer_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BROADCAST = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
"""Layers that merge tensors value by value."""
LARGEST = 2**40
"""Sizes above this are of no model; arithmetic with them could take for ever."""


def with_shapes(model: KerasModel) -> KerasModel:
    """Return the model with the shape and dtype of every tensor that rules are known for.

    What the source states stays; the rest follows from the rules of layers and operations.
    """
    return _Shapes().model(model, None)


@dataclass
class _Shapes:
    """Follows shapes through models; a nested model is followed once for each kind of input."""

    known: dict[tuple[int, tuple[Spec | None, ...]], KerasModel] = field(default_factory=dict)

    def model(self, model: KerasModel, given: Sequence[Spec | None] | None) -> KerasModel:
        """Return `model` with shapes, for the inputs `given` where it is a nested model."""
        ends = flat_tensors(model.inputs)
        specs = tuple(given) if given is not None else (None,) * len(ends)
        key = (id(model), specs)
        if key not in self.known:
            self.known[key] = self._followed(model, dict(zip(ends, specs, strict=False)))
        return self.known[key]

    def _followed(self, model: KerasModel, given: Mapping[Tensor, Spec | None]) -> KerasModel:
        specs: dict[Tensor, Spec] = {}
        for name, layer in model.layers.items():
            if layer.type == "InputLayer":
                tensor = Tensor(name)
                spec = given.get(tensor) or _stated(model, tensor)
                if spec is not None:
                    specs[tensor] = spec
        nested: dict[str, KerasModel] = {}
        is_given = any(given.values())
        for call in model.calls:
            layer = model.layers[call.layer]
            outputs = self.outputs(
                layer, _filled(call.arguments, specs), _filled(call.keywords, specs), nested
            )
            for number, spec in enumerate(outputs or ()):
                specs[Tensor(call.layer, call.index, number)] = spec
            if not is_given:  # what a source states of a nested model holds for its own inputs
                _keep_stated(model, call, specs)
        for tensor in model.shapes if not is_given else ():
            spec = _stated(model, tensor)
            if spec is not None:
                specs[tensor] = spec
        return replace(
            model,
            layers={name: self.layer(each, nested) for name, each in model.layers.items()},
            shapes={tensor: spec.shape for tensor, spec in specs.items()},
            dtypes={tensor: spec.dtype for tensor, spec in specs.items()},
        )

    def layer(self, layer: Layer, nested: Mapping[str, KerasModel]) -> Layer:
        """Return a layer whose nested model, or the one in TimeDistributed, has shapes."""
        inner = layer.model or inner_model(layer)
        if inner is None:
            return layer
        model = nested.get(layer.name) or self.model(inner, None)
        return replace(layer, model=model) if layer.model else with_inner_model(layer, model)

    def outputs(
        self,
        layer: Layer,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        nested: dict[str, KerasModel] | None = None,
    ) -> list[Spec] | None:
        """Return the outputs of one call in Keras's order; None if they are unknown."""
        try:
            return self._outputs(layer, arguments, keywords, nested)
        except LayerMistake:
            return None
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError):
            return None  # arguments of a file that Keras did not write

    def _outputs(
        self,
        layer: Layer,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        nested: dict[str, KerasModel] | None,
    ) -> list[Spec] | None:
        if layer.is_operation:
            return operation_outputs(layer.type, layer.config, [*arguments, *keywords.values()])
        if layer.model is not None:
            found = self.model(layer.model, nested_inputs(layer.model, arguments))
            if nested is not None:
                nested.setdefault(layer.name, found)
            ends = flat_tensors(found.outputs)
            specs = [_stated(found, tensor) for tensor in ends]
            return None if None in specs else [spec for spec in specs if spec is not None]
        first = arguments[0] if arguments else next(iter(keywords.values()), None)
        if layer.type in (*RECURRENT_STATES, "RNN"):
            return self.recurrent(layer.type, layer.config, _sequence(first))
        if layer.type == "Bidirectional":
            return self.bidirectional(layer.config, _sequence(first))
        if layer.type == "TimeDistributed":
            return self.time_distributed(layer, _sequence(first), nested)
        inputs = _inputs(layer.type, arguments, keywords)
        if layer.type in BROADCAST:
            return _merged(layer, inputs)
        config = {key: value for key, value in layer.config.items() if key != "return_state"}
        outputs = [_facts(layer.type, config, inputs)]
        if layer.type.startswith("ConvLSTM") and layer.config.get("return_state"):
            batch, *sizes = outputs[0].shape
            steps = sizes[1:] if layer.config.get("return_sequences") else sizes
            outputs += [Spec((batch, *steps), outputs[0].dtype)] * 2
        if keywords.get("return_attention_scores"):
            outputs.append(_scores(layer, inputs, outputs[0].dtype))
        return outputs

    def recurrent(self, kind: str, config: Mapping[str, Any], spec: Spec) -> list[Spec]:
        """Return the outputs of a recurrent layer: the sequence or its end, and the states."""
        if kind == "RNN":
            cells = _cells(config["cell"])
            dtype = _dtype(config)
            sizes = [units for _, units in cells]
            states = [units for cell, units in cells for _ in RECURRENT_STATES[CELLS[cell]]]
        else:
            sizes = [config["units"]]
            states = [config["units"] for _ in RECURRENT_STATES[kind]]
            dtype = _dtype(config)
        if len(spec.shape) != 3:
            raise ValueError("no sequence")
        batch, time, _ = spec.shape
        last = sizes[-1]
        shape = (batch, time, last) if config.get("return_sequences") else (batch, last)
        outputs = [Spec(shape, dtype)]
        if config.get("return_state"):
            outputs += [Spec((batch, units), dtype) for units in states]
        return outputs

    def bidirectional(self, config: Mapping[str, Any], spec: Spec) -> list[Spec]:
        """Return the outputs of Bidirectional: merged or both, then the states of both."""
        inner = config["layer"]
        first, *states = self.recurrent(inner["class_name"], inner["config"], spec)
        mode = config.get("merge_mode", "concat")
        if mode is None:
            return [first, first, *states, *states]
        if mode == "concat":
            *before, units = first.shape
            first = Spec((*before, None if units is None else 2 * units), first.dtype)
        return [first, *states, *states]

    def time_distributed(
        self, layer: Layer, spec: Spec, nested: dict[str, KerasModel] | None
    ) -> list[Spec] | None:
        """Return the outputs of TimeDistributed: those of the inner layer, with the time."""
        inner = layer.config["layer"]
        batch, time, *rest = spec.shape
        step = Spec((batch, *rest), spec.dtype)
        own = Layer(layer.name, inner["class_name"], inner["config"], model=inner.get("model"))
        outputs = self.outputs(own, [step], {}, nested)
        if outputs is None:
            return None
        return [Spec((each.shape[0], time, *each.shape[1:]), each.dtype) for each in outputs]


def nested_inputs(model: KerasModel, arguments: Sequence[Any]) -> list[Any]:
    """Return what a nested model takes for each of its inputs, in their order."""
    given = arguments[0] if arguments else None
    ends = model.inputs
    if isinstance(given, dict):
        if isinstance(ends, dict):
            names = sorted(ends)
            if set(names) <= given.keys():
                return [item for name in names for item in _flat(given[name])]
        else:
            names = [tensor.layer for tensor in flat_tensors(ends)]
            if set(names) <= given.keys():
                return [given[name] for name in names]
    return _flat(given)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [item for key in sorted(value) for item in _flat(value[key])]
    if isinstance(value, (list, tuple)):
        return [item for each in value for item in _flat(each)]
    return [value]


def _filled(value: Any, specs: Mapping[Tensor, Spec]) -> Any:
    """Return a call's arguments with the spec of each tensor, None where it is unknown."""
    if isinstance(value, Tensor):
        return specs.get(value)
    if isinstance(value, Constant):
        return Spec(_constant_shape(value.value), value.dtype)
    if isinstance(value, (list, tuple)):
        return [_filled(item, specs) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, specs) for key, item in value.items()}
    return value


def _constant_shape(value: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _stated(model: KerasModel, tensor: Tensor) -> Spec | None:
    shape = model.shapes.get(tensor)
    if shape is None or any(size is not None and size > LARGEST for size in shape):
        return None
    return Spec(tuple(shape), model.dtypes.get(tensor, "float32"))


def _keep_stated(model: KerasModel, call: Call, specs: dict[Tensor, Spec]) -> None:
    number = 0
    while (tensor := Tensor(call.layer, call.index, number)) in specs or tensor in model.shapes:
        spec = _stated(model, tensor)
        if spec is not None:
            specs[tensor] = spec
        number += 1


def _sequence(value: Any) -> Spec:
    found = value[0] if isinstance(value, list) else value
    if not isinstance(found, Spec):
        raise TypeError("no tensor")
    return found


def _inputs(kind: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> list[Spec]:
    if kind in ("MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention"):
        named = [
            *arguments,
            *(keywords[key] for key in ("query", "value", "key") if key in keywords),
        ]
        query, value, *key = [each for each in named if isinstance(each, Spec)][:3]
        return [query, value, *key]
    first = arguments[0] if arguments else next(iter(keywords.values()), None)
    found = _flat(first)
    if not all(isinstance(each, Spec) for each in found):
        raise TypeError("no tensor")
    return found


def _merged(layer: Layer, inputs: Sequence[Spec]) -> list[Spec] | None:
    shape = broadcast(spec.shape for spec in inputs)
    if shape is None:
        return None
    # Keras's layers, other than its operations, do not take a size from the other tensors.
    ranks = {len(spec.shape) for spec in inputs}
    if len(ranks) == 1:
        _, *columns = zip(*(spec.shape for spec in inputs), strict=True)
        sizes = zip(shape[1:], columns, strict=True)
        shape = (*shape[:1], *(None if None in column else size for size, column in sizes))
    own = _facts(layer.type, layer.config, [Spec(shape, spec.dtype) for spec in inputs])
    return [Spec(shape, own.dtype)]


def _facts(kind: str, config: Mapping[str, Any], inputs: Sequence[Spec]) -> Spec:
    if kind not in RULES:
        return _augmented(kind, config, inputs[0])
    if kind == "Embedding":  # Keras casts ids that are floats; recipes may not have them
        inputs = [Spec(spec.shape, "int32") for spec in inputs]
    facts = layer_facts(
        kind, complete_arguments(kind, config), [spec.named() for spec in inputs], _dtype(config)
    )
    return spec_of(facts.output)


def _augmented(kind: str, config: Mapping[str, Any], spec: Spec) -> Spec:
    """Return the output of a layer that changes images and has no rule."""
    if kind == "RandomCrop":
        *before, _, _, channels = spec.shape
        return Spec((*before, config["height"], config["width"], channels), _dtype(config))
    if kind.startswith("Random") or kind == "ActivityRegularization":
        return Spec(spec.shape, _dtype(config))
    raise KeyError(kind)


def complete_arguments(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return every argument of a layer as the rules of layers take them."""
    arguments = {**argument_defaults(kind), **config}
    inner = arguments.get("layer")
    if isinstance(inner, dict):
        kind = inner["class_name"]
        arguments["layer"] = {"type": kind, **complete_arguments(kind, inner["config"])}
    return arguments


def _scores(layer: Layer, inputs: Sequence[Spec], dtype: str) -> Spec:
    query, value = inputs[0], inputs[1]
    heads = layer.config.get("num_heads", layer.config.get("num_query_heads"))
    steps = (query.shape[-2], value.shape[-2])
    return Spec((*query.shape[:1], *((heads,) if heads else ()), *steps), dtype)


def _cells(cell: Any) -> list[tuple[str, int]]:
    """Return the class and the size of each cell."""
    if isinstance(cell, dict) and cell["class_name"] == "StackedRNNCells":
        cell = cell["config"]["cells"]
    cells = cell if isinstance(cell, list) else [cell]
    return [(each["class_name"], each["config"]["units"]) for each in cells]


def _dtype(config: Mapping[str, Any]) -> str:
    policy = config.get("dtype")
    return COMPUTE_DTYPES.get(policy, policy) if isinstance(policy, str) else "float32"
