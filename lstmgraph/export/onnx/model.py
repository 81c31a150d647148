"""Making of an ONNX model from a graph and its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import ModelProto, ValueInfoProto, helper

from lstmgraph.compiler.graph import (
    JOIN,
    KEEPS_STEPS,
    MASK,
    OUTPUT,
    SCORES,
    STACK,
    STEP,
    Graph,
    Node,
    Port,
)
from lstmgraph.compiler.passes.folded_masks import zeroes_padding
from lstmgraph.compiler.passes.masks import fills, hides_mask, lost_masks
from lstmgraph.compiler.passes.open_steps import zeroes_open_steps
from lstmgraph.export.onnx.builder import ELEMENT_TYPES, Builder, Name
from lstmgraph.export.onnx.call import Call
from lstmgraph.export.onnx.masks import Masks
from lstmgraph.export.onnx.obstacles import onnx_obstacles
from lstmgraph.export.onnx.operations import LOWERINGS
from lstmgraph.export.onnx.recurrent import lower_recurrent
from lstmgraph.export.onnx.stepwise import is_stepwise
from lstmgraph.export.onnx.values import Value, Values
from lstmgraph.keras_facts.layers import RESIZES
from lstmgraph.keras_facts.layers.dense import REVERSE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import MaskSpec
    from lstmgraph.keras_facts.tensors import Dim, TensorSpec

OPSET = 20
"""The version of the operators; onnxruntime 1.20 and later run it."""
IR_VERSION = 9
"""The version of the file format that came with that opset."""


def onnx_model(compiled: CompiledRecipe, weights: Mapping[str, Sequence[np.ndarray]]) -> ModelProto:
    """Return the recipe's model in ONNX, with the recipe's names of inputs and outputs.

    The batch and every named dimension are a ``dim_param``; ``runtime.batch_size`` fixes the batch.
    All layers are as at inference. The same recipe and weights give the same bytes.

    Args:
        compiled: a recipe without obstacles.
        weights: what ``get_weights()`` returns, by the name of each Keras layer with weights.

    Raises:
        ValueError: the recipe has an obstacle (see ``onnx_obstacles``), or the weights of a layer
            are missing.
    """
    for path, reason in onnx_obstacles(compiled):
        raise ValueError(f"{'.'.join(map(str, path))}: {reason}")
    graph = compiled.graph
    lowering = _Lowering(graph, weights)
    for node in graph.nodes:
        lowering.add(node)
    model = helper.make_model(
        helper.make_graph([], graph.name, _inputs(graph), _outputs(graph)),
        producer_name="lstmgraph",
        doc_string=compiled.declaration.description,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    lowering.finish(model)
    return model


class _Lowering:
    """Add the nodes of each call, in the graph's order."""

    def __init__(self, graph: Graph, weights: Mapping[str, Sequence[np.ndarray]]) -> None:
        self.graph = graph
        self.weights = weights
        self.builder = Builder()
        self.values = Values(self.builder, graph)
        self.masks = Masks(self.values)
        self.lost = lost_masks(graph)

    def add(self, node: Node) -> None:
        self.builder.scope = node.name
        weights = self.weights.get(node.keras_name, ())
        if node.parameters.total and not weights:
            raise ValueError(f"the weights of '{node.name}' are missing")
        if node.recurrence:
            lower_recurrent(node, node.recurrence, self.values, self.masks, weights)
            return
        if node.op == MASK and node.mask:
            mask = self.masks.tensor(node.mask)
            self.values.put(Port(node.name), Value(mask, node.outputs[OUTPUT]))
            return
        time_major = self.runs_time_major(node)
        call = self.call(node, weights, time_major=time_major)
        spec = node.outputs[OUTPUT]
        name = self.builder.cast(LOWERINGS[node.op](call), call.dtype, spec.dtype)
        self.values.put(Port(node.name), Value(name, spec, time_major))
        for output, found in call.further.items():
            own = node.outputs[output]
            value = Value(self.builder.cast(found, call.dtype, own.dtype), own)
            self.values.put(Port(node.name, output), value)
        loses_mask = node.op in {STACK, *KEEPS_STEPS, *RESIZES} or node.arguments.get(REVERSE)
        loses_mask = loses_mask or hides_mask(node) or zeroes_padding(self.graph, node)
        loses_mask = loses_mask or zeroes_open_steps(self.graph, node)
        if OUTPUT in node.output_masks and loses_mask:
            counted = self.masks.zeroed(Port(node.name), node.output_masks[OUTPUT])
            self.values.put(Port(node.name), Value(counted, spec))

    def runs_time_major(self, node: Node) -> bool:
        """Return whether to run the call time-major: it can, and one of its inputs is."""
        if node.op == JOIN:
            return True
        if node.op in (STACK, STEP) or (node.op == "Softmax" and node.mask):
            return False
        return (
            all(self.values.spec(port).rank == 3 for port in node.inputs)
            and any(self.values.is_time_major(port) for port in node.inputs)
            and is_stepwise(node.op, node.arguments)
        )

    def call(self, node: Node, weights: Sequence[np.ndarray], *, time_major: bool) -> Call:
        mask = self.mask(node.mask)
        hidden = node.mask if fills(node) else None
        if node.op == "Masking":
            value = float(node.arguments["mask_value"])
            mask = self.masks.unequal(node.inputs[0], value)
        return Call(
            builder=self.builder,
            op=node.op,
            arguments=node.arguments,
            inputs=tuple(self.input(port, hidden, time_major=time_major) for port in node.inputs),
            output=node.outputs[OUTPUT],
            weights=weights,
            batch=self.values.rows(node.inputs[0]),
            lower=lambda inner: LOWERINGS[inner.op](inner),
            mask=mask,
            input_masks=tuple(self.mask(each) for each in node.input_masks),
            returns_scores=SCORES in node.outputs,
        )

    def mask(self, mask: MaskSpec | None) -> Name | None:
        return self.masks.tensor(mask) if mask else None

    def input(self, port: Port, mask: MaskSpec | None, *, time_major: bool) -> Value:
        spec = self.values.spec(port)
        if mask:
            return Value(self.masks.zeroed(port, mask, time_major=time_major), spec)
        return Value(self.values.get(port, time_major=time_major and spec.rank == 3), spec)

    def output(self, port: Port) -> Name:
        """Return the tensor of an output, as the Keras model gives it that gives its mask too."""
        node = self.graph.by_name.get(port.node)
        if node and port in self.lost:
            return self.masks.zeroed(port, node.output_masks[port.output])
        return self.values.get(port)

    def finish(self, model: ModelProto) -> None:
        """Fill in the graph of `model`."""
        outputs = {name: self.output(port) for name, port in self.graph.outputs.items()}
        self.builder.finish(model.graph, outputs)


def _inputs(graph: Graph) -> list[ValueInfoProto]:
    infos = []
    for name, tensor in graph.inputs.items():
        shape = _shape(tensor.spec, graph)
        if tensor.time_major:
            shape[:2] = shape[1::-1]
        infos.append(helper.make_tensor_value_info(name, ELEMENT_TYPES[tensor.spec.dtype], shape))
    return infos


def _outputs(graph: Graph) -> list[ValueInfoProto]:
    specs = graph.specs
    return [
        helper.make_tensor_value_info(
            name, ELEMENT_TYPES[specs[port].dtype], _shape(specs[port], graph)
        )
        for name, port in graph.outputs.items()
    ]


def _shape(spec: TensorSpec, graph: Graph) -> list[Dim]:
    """Return sizes, or names for open ones; the batch is fixed if the recipe fixes it."""
    return [graph.batch_size or spec.shape[0], *spec.shape[1:]]
