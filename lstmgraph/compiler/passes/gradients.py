"""Gradients: whether any run through a layer that computes in float16, and would vanish there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.keras_facts.dtypes import compute_dtype

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node, Port


def scales_loss(graph: Graph) -> bool:
    """Whether the loss must be scaled: a weight trains in float16, or behind a layer that does.

    A frozen layer counts where gradients run through it to what trains before it.
    """
    reached: set[str] = set()
    for node in graph.nodes:
        trains = node.parameters.trainable > 0
        if not trains and not any(port.node in reached for port in _read(node)):
            continue
        if compute_dtype(node.dtype_policy) == "float16":
            return True
        reached.add(node.name)
    return False


def _read(node: Node) -> list[Port]:
    """What gradients run to: inputs and states, but not masks."""
    states = node.recurrence.states if node.recurrence else ()
    return [*node.inputs, *(state.source for state in states if state.source)]
