"""Find whether gradients pass through a float16 layer, where they could vanish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.keras_facts.dtypes import compute_dtype

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node, Port


def scales_loss(graph: Graph) -> bool:
    """Return whether the loss must be scaled: gradients of a trained weight pass through float16.

    A frozen layer counts too, if gradients pass through it to a layer that is trained.
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
    """Return the ports that gradients flow to: inputs and states, but not masks."""
    states = node.recurrence.states if node.recurrence else ()
    return [*node.inputs, *(state.source for state in states if state.source)]
