"""Replace each `last` port by a tensor that Keras can return together with the sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import LAST, SEQUENCE, Graph, Node, Port
from lstmgraph.keras_facts.catalogue import keras_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.language.text.document import Document

MERGE_LAYERS: Mapping[str, str] = {
    "concat": "Concatenate",
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
}
"""The layer that does the same as each merge mode of Bidirectional."""


def choose_ports(graph: Graph, _document: Document) -> Graph:
    """Return the graph with `last` replaced by a state, where it must be.

    It must be if the sequence is read too, of this call or of another one of the same layer, as a
    layer returns either the sequence or the last output. The last output is the state h; for a
    bidirectional layer, it is the merged states h rather than the last step of the sequence. It
    must also be if the initial state is not zero: in a row of only padding, Keras's last output is
    0, but the state keeps its initial value.
    """
    used, returned = graph.used_ports(), graph.returned_ports()
    replaced: dict[Port, Port] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.append(_with_ports(node, replaced))
        last, sequence = Port(node.name, LAST), Port(node.name, SEQUENCE)
        if node.recurrence is None or last not in used:
            continue
        recurrence = node.recurrence
        starts_at_zeros = not recurrence.states and not recurrence.carried
        if sequence not in returned and starts_at_zeros and node.name not in graph.given_states:
            continue
        if recurrence.bidirectional:
            nodes.append(_merged_last(node))
            replaced[last] = Port(nodes[-1].name)
        else:
            # The state of the last cell, if there are several.
            replaced[last] = Port(node.name, [s for s in recurrence.slots if s.endswith("h")][-1])
    outputs = {name: replaced.get(port, port) for name, port in graph.outputs.items()}
    further = {path: replaced.get(port, port) for path, port in graph.further_ports.items()}
    feedback = {
        path: (replaced.get(first, first), replaced.get(later, later))
        for path, (first, later) in graph.feedback.items()
    }
    changed = replace(graph, outputs=outputs, further_ports=further, feedback=feedback)
    return changed.with_nodes(nodes)


def _merged_last(node: Node) -> Node:
    merge_mode = (node.recurrence and node.recurrence.merge_mode) or "concat"
    op = MERGE_LAYERS[merge_mode]
    return Node(
        name=f"{node.name}_last",
        op=op,
        inputs=(Port(node.name, "forward_h"), Port(node.name, "backward_h")),
        layer=node.layer,
        path=node.path,
        arguments=keras_arguments(op),
        reads_list=True,
        dtype_policy=node.dtype_policy,
        loop=node.loop,
    )


def _with_ports(node: Node, replaced: Mapping[Port, Port]) -> Node:
    if not replaced:
        return node
    inputs = tuple(replaced.get(port, port) for port in node.inputs)
    recurrence = node.recurrence
    if recurrence:
        states = tuple(
            replace(state, source=replaced.get(state.source, state.source))
            if state.source
            else state
            for state in recurrence.states
        )
        recurrence = replace(recurrence, states=states)
    return replace(node, inputs=inputs, recurrence=recurrence)
