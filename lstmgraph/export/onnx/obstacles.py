"""What ONNX, onnxruntime's CPU or this lowering cannot hold: asked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lstmgraph.catalogue import CELLS
from lstmgraph.dtypes import is_float
from lstmgraph.export.onnx import activations
from lstmgraph.export.onnx.operations import LOWERINGS
from lstmgraph.export.onnx.recurrent_operator import ACTIVATIONS, cell_activations
from lstmgraph.export.onnx.stepwise import is_stepwise
from lstmgraph.graph import Graph, Node, Port, Recurrence

if TYPE_CHECKING:
    from lstmgraph.compiler import CompiledRecipe
    from lstmgraph.diagnostics import Path

Obstacle = tuple["Path", str]

FLOAT32_ONLY = frozenset(
    {
        "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Conv1D", "Conv1DTranspose",
        "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D",
        "ConvLSTM3D", "DepthwiseConv1D", "DepthwiseConv2D", "GRU", "LSTM", "RNN", "SeparableConv1D",
        "SeparableConv2D", "SimpleRNN",
    }
)  # fmt: skip
"""Layers that onnxruntime's CPU does not compute in float64: measured with 1.31."""

ROUNDS_INTEGERS = frozenset({"GroupNormalization", "LayerNormalization"})
"""Layers that Keras 3.15 computes in float32, and casts back to the dtype of the input."""

READS_MASK = frozenset({"GlobalAveragePooling1D", "Softmax"})
"""Layers whose result depends on a mask, which TimeDistributed hands to them step by step."""


def onnx_obstacles(compiled: CompiledRecipe) -> list[Obstacle]:
    """What keeps a recipe from ONNX: each with its path in the recipe, and the reason.

    Empty where ``onnx_model`` can make the model.
    """
    graph = compiled.graph
    dtypes = {Port(name): tensor.spec.dtype for name, tensor in graph.inputs.items()}
    found: list[Obstacle] = []
    for node in graph.nodes:
        found += _of_node(node)
        found += _of_integers(node, [dtypes[port] for port in node.inputs])
        dtypes |= {Port(node.name, output): spec.dtype for output, spec in node.outputs.items()}
    found += [*_of_inputs(graph), *_of_outputs(graph, dtypes)]
    return list(dict.fromkeys(found))  # layers of a stack say it once


def _of_inputs(graph: Graph) -> Iterator[Obstacle]:
    for tensor in graph.inputs.values():
        if tensor.spec.dtype == "bfloat16":
            reason = f"onnxruntime takes no bfloat16 from NumPy: declare '{tensor.name}' float32"
            yield tensor.path, reason


def _of_outputs(graph: Graph, dtypes: Mapping[Port, str]) -> Iterator[Obstacle]:
    for name, port in graph.outputs.items():
        if dtypes[port] == "bfloat16":
            reason = (
                f"onnxruntime gives no bfloat16 to NumPy: compute the output '{name}' with "
                "`dtype_policy: float32`"
            )
            yield graph.output_paths[name], reason
        if name in graph.inputs:
            reason = (
                f"in an ONNX model no output may have the name of an input, as '{name}' has: rename"
                " one of them"
            )
            yield graph.output_paths[name], reason


def _of_integers(node: Node, dtypes: list[str]) -> Iterator[Obstacle]:
    if node.op in ROUNDS_INTEGERS and not is_float(dtypes[0]):
        reason = f"Keras rounds what {node.op} makes of integers: give it numbers of float32"
        yield (*node.path, "input"), reason


def _of_node(node: Node) -> Iterator[Obstacle]:
    if node.recurrence:
        yield from _of_recurrent(node, node.recurrence)
    elif node.op not in LOWERINGS:
        yield node.path, f"{node.op} cannot be written as ONNX"
    else:
        yield from _of_layer(node)
    is_float64 = any(spec.dtype == "float64" for spec in node.outputs.values())
    if is_float64 and _kinds(node) & FLOAT32_ONLY:
        reason = (
            f"onnxruntime computes {node.op} in float32 only, and '{node.name}' is float64: write "
            "`dtype_policy: float32`"
        )
        yield (*node.path, "dtype_policy"), reason


def _kinds(node: Node) -> set[str]:
    """The layer, and the one inside it."""
    inner = node.arguments.get("layer")
    return {node.op, inner["type"]} if isinstance(inner, dict) else {node.op}


def _of_layer(node: Node) -> Iterator[Obstacle]:
    if node.op in LIMITS:
        for argument, reason in LIMITS[node.op](node):
            yield (*node.path, argument), reason
    yield from _of_activations(node.arguments, node.path, node.outputs["output"].dtype)
    if isinstance(node.arguments.get("layer"), dict):
        inner, path = node.arguments["layer"], (*node.path, "layer")
        yield from _of_activations(inner, path, node.outputs["output"].dtype)


def _of_activations(arguments: Mapping[str, Any], path: Path, dtype: str) -> Iterator[Obstacle]:
    for argument in ("activation", "recurrent_activation"):
        name = arguments.get(argument) or "linear"
        if name not in activations.ACTIVATIONS:
            reason = f"Keras's {name} gives shares that do not sum to one: use softmax"
            yield (*path, argument), reason
        elif name == "gelu" and dtype == "float64":
            reason = "onnxruntime computes gelu in float32 only, and this layer is float64"
            yield (*path, argument), reason


def _of_recurrent(node: Node, recurrence: Recurrence) -> Iterator[Obstacle]:
    if recurrence.carried:
        reason = (
            "an ONNX model keeps nothing from one batch to the next: write `initial_state: input`, "
            f"and give the states out, `state: {node.layer}.state`"
        )
        yield recurrence.state_form.path, reason
    described: tuple[Mapping[str, Any], ...] = recurrence.cells
    for number, cell in enumerate(described or ({**node.arguments, "type": node.op},)):
        used = cell_activations(CELLS.get(cell["type"], cell["type"]), cell)
        for argument in ("activation", "recurrent_activation"):
            name = cell.get(argument) or "linear"
            if name in used and name not in ACTIVATIONS:
                path = (*node.path, "cells", number) if described else node.path
                reason = (
                    f"ONNX's recurrent operators do not have the activation {name}: use one of "
                    f"{', '.join(sorted(ACTIVATIONS))}"
                )
                yield (*path, argument), reason


Limits = Iterator[tuple[str, str]]
"""Arguments that are at fault, and why."""


def _of_inner(node: Node) -> Limits:
    kind = node.arguments["layer"]["type"]
    if kind not in LOWERINGS:
        yield "layer", f"{kind} inside {node.op} cannot be written as ONNX"
    elif node.op == "TimeDistributed" and node.mask and kind in READS_MASK:
        yield "layer", f"{kind} would read the mask step by step, which ONNX is not given"
    elif not is_stepwise(node.op, node.arguments) and kind.startswith("ConvLSTM"):
        yield "layer", f"{kind} inside {node.op} cannot be written as ONNX"


def _of_interpolation(node: Node) -> Limits:
    kind = node.arguments.get("interpolation", "nearest")
    if kind != "nearest":
        yield "interpolation", f"only nearest values can be written as ONNX, not {kind}"


def _of_heads(node: Node) -> Limits:
    if any(node.input_masks) and len(node.outputs["output"].shape) > 3:
        yield "mask", "masks of attention over more than one axis cannot be written as ONNX"


LIMITS: Mapping[str, Callable[[Node], Limits]] = {
    "MultiHeadAttention": _of_heads,
    "SpectralNormalization": _of_inner,
    "TimeDistributed": _of_inner,
    "UpSampling2D": _of_interpolation,
}
"""Arguments that the lowering of a layer does not know."""
