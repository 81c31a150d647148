"""The passes over the graph, in order. Each takes a graph and returns one with more facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.passes.calls import check_calls
from lstmgraph.compiler.passes.checks import check_graph
from lstmgraph.compiler.passes.kernels import choose_kernels
from lstmgraph.compiler.passes.masks import place_masks
from lstmgraph.compiler.passes.names import check_names
from lstmgraph.compiler.passes.outputs import widen_outputs
from lstmgraph.compiler.passes.ports import choose_ports
from lstmgraph.compiler.passes.shapes import infer_shapes
from lstmgraph.compiler.passes.states import wire_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.text.document import Document

    Pass = Callable[[Graph, Document], Graph]

PASSES: tuple[Pass, ...] = (
    wire_states,
    choose_ports,
    check_names,
    infer_shapes,
    check_calls,
    widen_outputs,
    place_masks,
    choose_kernels,
    check_graph,
)


def run_passes(graph: Graph, document: Document) -> Graph:
    """Return `graph` after every pass; mistakes are reported in `document`."""
    for run in PASSES:
        graph = run(graph, document)
    return graph
