"""Notes on other places: where a tensor, a number of units or a mask comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, MaskSpec, Node, Port
    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.keras_facts.tensors import TensorSpec


def of_tensor(graph: Graph, port: Port, spec: TensorSpec) -> Remark:
    """Return ``'frames' is declared here as (batch, time, 12)``, or ``'voice' is (batch, 64)``."""
    if port.node in graph.inputs:
        path = graph.inputs[port.node].path
        return (*path, "shape"), f"'{port}' is declared here as {spec}"
    node = graph.by_name.get(port.node)
    return ("layers", node.layer if node else port.node), f"'{port}' is {spec}"


def of_dtype(graph: Graph, port: Port, spec: TensorSpec) -> Remark:
    """Return ``'ids' is declared here as int32``, or ``'voice' is float32`` for a layer."""
    if port.node in graph.inputs:
        path = graph.inputs[port.node].path
        return (*path, "dtype"), f"'{port}' is declared here as {spec.dtype}"
    node = graph.by_name.get(port.node)
    return ("layers", node.layer if node else port.node), f"'{port}' is {spec.dtype}"


def of_units(graph: Graph, node: Node) -> Remark:
    """Return ``'encoder' has 128 units here``; for a node of a stack its own units."""
    units = node.recurrence.units if node.recurrence else 0
    stack = graph.stacks[node.layer]
    index = (stack.index(node.name),) if len(stack) > 1 else ()
    return ("layers", node.layer, "units", *index), f"'{node.name}' has {units} units here"


def of_depth(graph: Graph, layer: str) -> Remark:
    """Return ``'encoder' is a stack of 2 here``."""
    return ("layers", layer, "units"), f"'{layer}' is a stack of {len(graph.stacks[layer])} here"


def of_kind(node: Node) -> Remark:
    """Return ``'encoder' is a GRU here``."""
    article = "an" if node.op in ("LSTM", "RNN") else "a"
    return ("layers", node.layer, "type"), f"'{node.layer}' is {article} {node.op} here"


def of_directions(node: Node) -> Remark:
    """Return ``'encoder' reads in two directions``."""
    both = node.recurrence is not None and node.recurrence.bidirectional
    key = ("bidirectional",) if both else ()
    ways = "two directions" if both else "one direction"
    return ("layers", node.layer, *key), f"'{node.layer}' reads in {ways}"


def of_mask(mask: MaskSpec | None, port: Port) -> tuple[Remark, ...]:
    """Return ``the mask of 'voice' is made here``; nothing if several layers make it."""
    return ((mask.path, f"the mask of '{port}' is made here"),) if mask and mask.path else ()
