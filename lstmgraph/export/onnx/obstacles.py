"""Obstacles of ONNX: what it, onnxruntime's CPU or this lowering cannot hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import MASK, Graph, Node, Port, Recurrence
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
"""Layers that onnxruntime's CPU does not compute in float64: measured with 1.31."""

READS_MASK = frozenset({"GlobalAveragePooling1D", "Softmax"})
"""Layers whose result depends on a mask, which TimeDistributed hands to them step by step."""


@dataclass(frozen=True)
class _Part:
    """A layer, or one inside another."""

    node: Node
    kind: str
    arguments: Mapping[str, Any]
    path: Path

    @property
    def gives(self) -> str:
        """Return the dtype of the outputs."""
        return next(spec.dtype for spec in self.node.outputs.values())

    @property
    def is_inside(self) -> bool:
        """Return whether another layer is around this one."""
        return self.path != self.node.path

    def inner(self) -> Iterator[_Part]:
        """Return this layer, and all that are inside it."""
        yield self
        layer = self.arguments.get("layer")
        if isinstance(layer, dict):
            path = (*self.path, "layer")
            yield from replace(self, kind=layer["type"], arguments=layer, path=path).inner()


def onnx_obstacles(compiled: CompiledRecipe) -> list[Obstacle]:
    """Return what keeps a recipe from ONNX, each with its path in the recipe and the reason.

    Empty where ``onnx_model`` can make the model.
    """
    graph = compiled.graph
    dtypes = {Port(name): tensor.spec.dtype for name, tensor in graph.inputs.items()}
    found = list(_of_inputs(graph))
    for node in graph.nodes:
        part = _Part(node, node.op, node.arguments, node.path)
        found += [obstacle for each in part.inner() for obstacle in _of_part(each)]
        if node.recurrence:
            found += _of_recurrent(node, node.recurrence)
        dtypes |= {Port(node.name, output): spec.dtype for output, spec in node.outputs.items()}
    found += _of_outputs(graph, dtypes)
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


def _of_part(part: _Part) -> Iterator[Obstacle]:
    where = f" inside {part.node.op}" if part.is_inside else ""
    if part.kind not in LOWERINGS and part.kind != MASK and not part.node.recurrence:
        yield part.path, f"{part.kind}{where} cannot be written as ONNX"
    if part.kind in FLOAT32_ONLY and part.gives == "float64":
        reason = (
            f"onnxruntime computes {part.kind} in float32 only, and '{part.node.name}' is float64: "
            "write `dtype_policy: float32`"
        )
        yield (*part.node.path, "dtype_policy"), reason
    if part.kind in READS_MASK and part.is_inside and part.node.mask:
        yield part.path, f"{part.kind}{where} would read the mask step by step"
    if part.kind.startswith("ConvLSTM") and part.is_inside:
        yield part.path, f"{part.kind}{where} cannot be written as ONNX"
    if not part.node.recurrence:
        yield from _of_activations(part)
    yield from _of_arguments(part)


def _of_activations(part: _Part) -> Iterator[Obstacle]:
    for argument in ("activation", "recurrent_activation"):
        name = part.arguments.get(argument) or "linear"
        if name == "gelu" and part.gives == "float64":
            reason = "onnxruntime computes gelu in float32 only, and this layer is float64"
            yield (*part.path, argument), reason


def _of_arguments(part: _Part) -> Iterator[Obstacle]:
    interpolation = part.arguments.get("interpolation", "nearest")
    if interpolation != "nearest" and part.kind in LOWERINGS:
        reason = f"only nearest values can be written as ONNX, not {interpolation}"
        yield (*part.path, "interpolation"), reason
    rank = len(next(iter(part.node.outputs.values())).shape)
    if part.kind == "MultiHeadAttention" and any(part.node.input_masks) and rank > 3:
        reason = "masks of attention over more than one axis cannot be written as ONNX"
        yield (*part.path, "mask"), reason


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
