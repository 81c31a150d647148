"""Checks of what ONNX, onnxruntime's CPU or this lowering cannot hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import MASK, Graph, Node, Port, Recurrence
from lstmgraph.compiler.passes.masks import FILLED, works_on_steps
from lstmgraph.export.onnx.operations import LOWERINGS
from lstmgraph.export.onnx.recurrent_operator import ACTIVATIONS, cell_activations
from lstmgraph.keras_facts.catalogue import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.messages.diagnostics import Path

Obstacle = tuple["Path", str]

FLOAT32_ONLY = frozenset(
    {
        "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Conv1D", "Conv1DTranspose",
        "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D",
        "ConvLSTM3D", "DepthwiseConv1D", "DepthwiseConv2D", "GRU", "LSTM", "RNN", "SeparableConv1D",
        "SeparableConv2D", "SimpleRNN",
    }
)  # fmt: skip
"""Layers that onnxruntime's CPU cannot compute in float64, measured with version 1.31."""

READS_MASK = frozenset({"GlobalAveragePooling1D", *FILLED})
"""Layers whose result depends on a mask of steps inside of each step of TimeDistributed."""


@dataclass(frozen=True)
class _Part:
    """A layer, or a layer inside another."""

    node: Node
    kind: str
    arguments: Mapping[str, Any]
    path: Path

    @property
    def dtype(self) -> str:
        """Return the dtype of the outputs."""
        return next(spec.dtype for spec in self.node.outputs.values())

    @property
    def is_inside(self) -> bool:
        """Return whether another layer wraps this one."""
        return self.path != self.node.path

    def inner(self) -> Iterator[_Part]:
        """Yield this layer and all layers inside it."""
        yield self
        layer = self.arguments.get("layer")
        if isinstance(layer, dict):
            path = (*self.path, "layer")
            yield from replace(self, kind=layer["type"], arguments=layer, path=path).inner()


def onnx_obstacles(compiled: CompiledRecipe) -> list[Obstacle]:
    """Return what prevents an export to ONNX, each with its path in the recipe and the reason.

    The list is empty if ``onnx_model`` can make the model.
    """
    graph = compiled.graph
    dtypes = {Port(name): tensor.spec.dtype for name, tensor in graph.inputs.items()}
    obstacles = list(_of_inputs(graph))
    for node in graph.nodes:
        part = _Part(node, node.op, node.arguments, node.path)
        obstacles += [obstacle for inner in part.inner() for obstacle in _of_part(inner)]
        if node.recurrence:
            obstacles += _of_recurrent(node, node.recurrence)
        dtypes |= {Port(node.name, output): spec.dtype for output, spec in node.outputs.items()}
    obstacles += _of_outputs(graph, dtypes)
    return list(dict.fromkeys(obstacles))  # the layers of a stack repeat one message


def _of_inputs(graph: Graph) -> Iterator[Obstacle]:
    for tensor in graph.inputs.values():
        if tensor.spec.dtype == "bfloat16":
            reason = (
                f"onnxruntime cannot read bfloat16 from NumPy: declare '{tensor.name}' as float32"
            )
            yield tensor.path, reason


def _of_outputs(graph: Graph, dtypes: Mapping[Port, str]) -> Iterator[Obstacle]:
    for name, port in graph.outputs.items():
        if dtypes[port] == "bfloat16":
            reason = (
                f"onnxruntime cannot return bfloat16 to NumPy: compute the output '{name}' with "
                "`dtype_policy: float32`"
            )
            yield graph.output_paths[name], reason
        if name in graph.inputs:
            reason = (
                f"an ONNX model cannot have an input and an output of one name, '{name}': rename "
                "one of them"
            )
            yield graph.output_paths[name], reason


def _of_part(part: _Part) -> Iterator[Obstacle]:
    where = f" inside {part.node.op}" if part.is_inside else ""
    if part.kind not in LOWERINGS and part.kind != MASK and not part.node.recurrence:
        yield part.path, f"{part.kind}{where} cannot be written as ONNX"
    if part.kind in FLOAT32_ONLY and part.dtype == "float64":
        reason = (
            f"onnxruntime computes {part.kind} in float32 only, but '{part.node.name}' is float64: "
            "write `dtype_policy: float32`"
        )
        yield (*part.node.path, "dtype_policy"), reason
    if part.is_inside and part.kind in READS_MASK and works_on_steps(part.node, part.node.mask):
        yield part.path, f"{part.kind}{where} would read the mask step by step"
    if part.kind.startswith("ConvLSTM") and part.is_inside:
        yield part.path, f"{part.kind}{where} cannot be written as ONNX"
    if not part.node.recurrence:
        yield from _of_activations(part)
    yield from _of_arguments(part)


def _of_activations(part: _Part) -> Iterator[Obstacle]:
    for argument in ("activation", "recurrent_activation"):
        name = part.arguments.get(argument) or "linear"
        if name == "gelu" and part.dtype == "float64":
            reason = "onnxruntime computes gelu in float32 only, but this layer is float64"
            yield (*part.path, argument), reason


def _of_arguments(part: _Part) -> Iterator[Obstacle]:
    interpolation = part.arguments.get("interpolation", "nearest")
    if interpolation != "nearest" and part.kind in LOWERINGS:
        reason = f"only nearest interpolation can be written as ONNX, not {interpolation}"
        yield (*part.path, "interpolation"), reason
    rank = len(next(iter(part.node.outputs.values())).shape)
    if part.kind == "MultiHeadAttention" and any(part.node.input_masks) and rank > 3:
        reason = "masks of attention over more than one axis cannot be written as ONNX"
        yield (*part.path, "mask"), reason


def _of_recurrent(node: Node, recurrence: Recurrence) -> Iterator[Obstacle]:
    if recurrence.carried:
        reason = (
            "an ONNX model keeps no state between batches: write `initial_state: input`, and make "
            f"the states an output, `state: {node.layer}.state`"
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
                    f"ONNX's recurrent operators lack the activation {name}: use one of "
                    f"{', '.join(sorted(ACTIVATIONS))}"
                )
                yield (*path, argument), reason
