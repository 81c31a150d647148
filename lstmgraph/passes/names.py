"""Names: Keras wants those of all layers and inputs to differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.document import Document
    from lstmgraph.graph import Graph, Node


def check_names(graph: Graph, document: Document) -> Graph:
    """Report names that were made for a stack's layers or a state and are taken already."""
    owner: dict[str, str] = {
        tensor.name: f"the input '{tensor.name}'" for tensor in graph.inputs.values()
    }
    kept: list[Node] = []
    for node in graph.nodes:
        if node.name not in owner:
            owner[node.name] = f"a part of '{node.layer}'"
            kept.append(node)
            continue
        document.report(
            "L303",
            ("layers", node.layer),
            f"a part of '{node.layer}' is named '{node.name}', and so is {owner[node.name]}",
            hint="rename one of them",
            at_key=True,
        )
    return graph.with_nodes(kept)
