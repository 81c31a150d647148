"""The input of the rules: a correct recipe with its graph, and queries that rules share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.heads import value_node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph, Node, Port
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path


@dataclass(frozen=True)
class Checked:
    """A recipe without mistakes, and its graphs."""

    recipe: RecipeDeclaration
    graph: Graph
    """The graph of the main model."""
    further: tuple[Graph, ...]
    """The graphs of the further models."""
    document: Document
    """The concrete document that warnings are added to."""
    searched_names: frozenset[str] = frozenset()
    """The names below a ``$search`` or ``$choose``, which another point may read."""

    @cached_property
    def readers(self) -> Mapping[Port, tuple[Node, ...]]:
        """The nodes that read each port as an input."""
        readers: defaultdict[Port, list[Node]] = defaultdict(list)
        for node in self.graph.nodes:
            for port in dict.fromkeys(node.inputs):
                readers[port].append(node)
        return {port: tuple(nodes) for port, nodes in readers.items()}

    def head(self, port: Port) -> Node | None:
        """Return the node that computes the values of an output; None if it is an input."""
        return value_node(self.graph, port)


def activation_path(node: Node) -> Path:
    """Return the path of the activation in the recipe."""
    if node.op == "TimeDistributed":
        return (*node.path, "layer", "activation")
    return (*node.path, "type" if node.op in ("Softmax", "ReLU") else "activation")
