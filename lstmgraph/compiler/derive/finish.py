"""Finish a cut: infer its shapes, widen its outputs, and check its names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.compiler.passes.outputs import widen_outputs
from lstmgraph.compiler.passes.shapes import infer_shapes

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path


def finished(graph: Graph, name: str, path: Path, document: Document) -> Graph:
    """Return a cut as a graph that can be built.

    Raises:
        GraphMistake: if an input has the name of a layer, or an output that of an input (L835).
    """
    for clash, what in _clashes(graph):
        raise GraphMistake(
            "L835",
            path,
            f"'{clash}' would be the name of both an input of this model and {what} in it",
            f"rename '{clash}' in the recipe",
        )
    return widen_outputs(infer_shapes(replace(graph, name=name), document), document)


def _clashes(graph: Graph) -> list[tuple[str, str]]:
    taken = {*graph.by_name, *graph.by_keras_name}
    layers = [(name, "a layer") for name in graph.inputs if name in taken]
    fed = [name for name, port in graph.outputs.items() if port.node in graph.inputs]
    return layers + [(graph.outputs[name].node, f"its output '{name}'") for name in fed]
