"""Check that the names of all nodes and inputs differ, as Keras requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.language.text.document import Document


def check_names(graph: Graph, document: Document) -> Graph:
    """Report names, made for the layers of a stack or a state, that exist already."""
    owner: dict[str, Remark] = {
        tensor.name: (tensor.path, f"the input '{tensor.name}'") for tensor in graph.inputs.values()
    }
    named: list[Node] = []
    for node in graph.nodes:
        if node.name not in owner:
            owner[node.name] = (node.path, _what(node))
            named.append(node)
            continue
        path, other = owner[node.name]
        document.report(
            "L303",
            ("layers", node.layer),
            f"'{node.name}' would be the name of both {other} and {_what(node)}",
            hint=f"rename '{node.layer}' or the other one",
            at_key=True,
            notes=(document.note(path, f"{other} comes from here"),),
        )
    _check_shared_names(named, owner, document)
    return graph.with_nodes(named)


def _check_shared_names(named: list[Node], owner: Mapping[str, Remark], document: Document) -> None:
    """Report names of the layers of blocks that something else has already."""
    calls = {node.name: node.keras_name for node in named}
    for node in {node.keras_name: node for node in reversed(named) if node.calls}.values():
        name = node.keras_name
        if name in owner and calls.get(name) != name:
            path, other = owner[name]
            document.report(
                "L303",
                ("layers", node.layer),
                f"'{name}' would be the name of both {other} and a layer of the block "
                f"'{node.weights_layer}'",
                hint=f"rename the layer of '{node.weights_layer}' or the other one",
                at_key=True,
                notes=(document.note(path, f"{other} comes from here"),),
            )


def _what(node: Node) -> str:
    is_whole = node.name == node.layer
    return f"the layer '{node.layer}'" if is_whole else f"a part of '{node.layer}'"
