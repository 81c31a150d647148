"""What the rules read: a recipe without mistakes, and its graph, with what several of them ask."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import layer_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph, Node, Port
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

KEEPS_VALUES = frozenset(
    {"Identity", "Reshape", "Flatten", "Permute", "ActivityRegularization", "Cropping1D"}
)
"""Layers whose output holds the numbers of their input, and no others."""


@dataclass(frozen=True)
class Checked:
    """A recipe without mistakes."""

    recipe: RecipeDeclaration
    graph: Graph
    """Of the main model."""
    further: tuple[Graph, ...]
    """Of the further models."""
    document: Document
    """Where warnings are noted; concrete: where something is searched, a value of it stands."""
    searched_names: frozenset[str] = frozenset()
    """Layers and inputs that stand below a ``$search`` or ``$choose``: others may read them."""

    @cached_property
    def readers(self) -> Mapping[Port, tuple[Node, ...]]:
        """The calls that read a port as an input."""
        found: defaultdict[Port, list[Node]] = defaultdict(list)
        for node in self.graph.nodes:
            for port in dict.fromkeys(node.inputs):
                found[port].append(node)
        return {port: tuple(nodes) for port, nodes in found.items()}

    def head(self, port: Port) -> Node | None:
        """The call that computes the numbers of an output; None for an input given back."""
        node = self.graph.by_name.get(port.node)
        while node is not None and node.op in KEEPS_VALUES:
            node = self.graph.by_name.get(node.inputs[0].node)
        return node


def activation_of(node: Node) -> str | None:
    """The activation that a call ends with: ``linear`` for none; None where it is not known."""
    return _activation(node.op, node.arguments)


def _activation(op: str, arguments: Mapping[str, Any]) -> str | None:
    if op == "TimeDistributed":
        inner = arguments["layer"]
        return _activation(layer_class(inner["type"]), inner)
    if op in ("Softmax", "ReLU"):
        return op.lower()
    if op in ("LSTM", "GRU", "SimpleRNN", "RNN") or "activation" not in arguments:
        return None
    written = arguments["activation"]
    if written is None:
        return "linear"
    return written if isinstance(written, str) else None


def activation_path(node: Node) -> Path:
    """Where the recipe says which activation it is."""
    if node.op == "TimeDistributed":
        return (*node.path, "layer", "activation")
    return (*node.path, "type" if node.op in ("Softmax", "ReLU") else "activation")
