"""Fill in the shapes and dtypes that a model's source does not state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.execution import flat_tensors, in_running_order
from lstmgraph.interop.keras_masks import RECURRENT, layer_dtype
from lstmgraph.interop.keras_model import Tensor
from lstmgraph.keras_facts.catalogue import CELLS, argument_defaults
from lstmgraph.keras_facts.layers import RULES, LayerMistake, layer_facts
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.keras_model import KerasModel, Layer

Shape = tuple[int | None, ...]


def filled(model: KerasModel) -> KerasModel:
    """Return the model with the shape and dtype of every tensor that can be known."""
    shapes: dict[Tensor, Shape] = dict(model.shapes)
    dtypes: dict[Tensor, str] = dict(model.dtypes)
    layers = dict(model.layers)
    for name, layer in layers.items():
        if layer.model is not None:
            layers[name] = replace(layer, model=filled(layer.model))
    for call in in_running_order(model):
        layer = layers[call.layer]
        read = flat_tensors((call.arguments, dict(call.keywords)))
        made = _outputs(layer, [shapes.get(tensor) for tensor in read])
        for index, shape in enumerate(made):
            tensor = Tensor(call.layer, call.index, index)
            if shape is not None:
                shapes.setdefault(tensor, shape)
            dtype = None if layer.is_operation else layer_dtype(layer)
            if dtype:
                dtypes.setdefault(tensor, dtype)
    return replace(model, layers=layers, shapes=shapes, dtypes=dtypes)


def _outputs(layer: Layer, read: list[Shape | None]) -> list[Shape | None]:
    if layer.model is not None:
        return [layer.model.shapes.get(t) for t in flat_tensors(layer.model.outputs)]
    first = read[0] if read else None
    if first is None:
        return []
    if layer.is_operation:
        return [_elementwise(layer, read)]
    if layer.type in RECURRENT:
        return _recurrent(layer.type, layer.config, first)
    return [_facts(layer.type, layer.config, read, layer_dtype(layer) or "float32")]


def _elementwise(layer: Layer, read: list[Shape | None]) -> Shape | None:
    """Return the shape of arithmetic on tensors of equal rank, or on one and numbers."""
    if layer.type not in {
        "Add",
        "Multiply",
        "Subtract",
        "Divide",
        "TrueDivide",
        "Relu",
        "Tanh",
        "Sigmoid",
        "Softmax",
        "Cast",
        "Flip",
        "Exp",
        "Log",
        "Sqrt",
        "Negative",
    }:
        return None
    first = read[0]
    return first if all(shape == first for shape in read) else None


def _recurrent(kind: str, config: Mapping[str, Any], first: Shape) -> list[Shape | None]:
    if kind == "Bidirectional":
        inner = config.get("layer") or {}
        once = _recurrent(str(inner.get("class_name")), inner.get("config") or {}, first)
        output, *states = once or [None]
        mode = config.get("merge_mode", "concat")
        if mode is None:
            return [output, output, *states, *states]
        if mode == "concat" and output and isinstance(output[-1], int):
            output = (*output[:-1], 2 * output[-1])
        return [output, *states, *states]
    if kind == "RNN":
        cell = config.get("cell") or {}
        kind = CELLS.get(str(cell.get("class_name")), "")
        config = {**(cell.get("config") or {}), **config}
    units = config.get("units")
    if not isinstance(units, int) or len(first) < 2:
        return []
    state = (first[0], units)
    output = (first[0], first[1], units) if config.get("return_sequences") else state
    states = [state] * (2 if kind == "LSTM" else 1) if config.get("return_state") else []
    return [output, *states]


def _facts(
    kind: str, config: Mapping[str, Any], read: list[Shape | None], dtype: str
) -> Shape | None:
    if kind == "TimeDistributed":
        inner = config.get("layer") or {}
        outer = read[0]
        if outer is None or len(outer) < 3:
            return None
        name, own = str(inner.get("class_name")), inner.get("config") or {}
        step = (outer[0], *outer[2:])
        after = (
            next(iter(_recurrent(name, own, step)), None)
            if name in RECURRENT
            else _facts(name, own, [step], dtype)
        )
        return after and (after[0], outer[1], *after[1:])
    if kind not in RULES or any(shape is None for shape in read):
        return None
    specs = [TensorSpec(_named(shape), dtype) for shape in read if shape is not None]
    try:
        arguments = {**argument_defaults(kind), **config}
        made = layer_facts(kind, arguments, specs, dtype).output.shape
    except (LayerMistake, KeyError, TypeError, ValueError):
        return None
    return tuple(size if isinstance(size, int) else None for size in made)


def _named(shape: Shape) -> tuple[int | str, ...]:
    names = (BATCH, "time", "width", "height", "depth")
    return tuple(
        (names[axis] if axis < len(names) else f"axis{axis}") if size is None else size
        for axis, size in enumerate(shape)
    )
