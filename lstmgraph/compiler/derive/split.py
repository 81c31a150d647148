"""Split a graph in two: what runs at every step, and what is computed before the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.axes import Axes, computed_from, find_axes
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.passes.mistakes import GraphMistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.graph import Graph, GraphInput, Node, Port
    from lstmgraph.messages.diagnostics import Path

CODE = "L834"


@dataclass(frozen=True)
class Fed:
    """What a loop feeds back: an input of the split, and what it is before and after a step."""

    tensor: GraphInput
    first: Port | None
    """What is known before the first step; None for zeros."""
    then: Port

    @property
    def name(self) -> str:
        """The name of the input."""
        return self.tensor.name


@dataclass(frozen=True)
class Split:
    """The stepped time axis of a graph, and the nodes that depend on it."""

    graph: Graph
    axes: Axes
    axis: str
    steps: tuple[str, ...]
    """The stepped inputs."""
    later: frozenset[str]
    """The nodes that depend on the steps; all others are computed before the first step."""
    block: frozenset[str] = frozenset()
    """The nodes of a loop, which compute each step from what they are given."""
    fed: tuple[Fed, ...] = ()

    def is_stepped(self, port: Port) -> bool:
        """Return whether `port` has one value for each step."""
        return self.axes.of_port.get(port) == self.axis

    def is_early(self, port: Port) -> bool:
        """Return whether `port` is the same at every step."""
        given = (fed.name for fed in self.fed)
        return port.node not in self.later and port.node not in {*self.steps, *given}

    def nodes(self) -> Iterator[Node]:
        """Return the nodes that run at every step, in call order."""
        return (node for node in self.graph.nodes if node.name in self.later)


def split(graph: Graph, path: Path) -> Split:
    """Return the split of `graph` along the time axis of its outputs.

    Args:
        graph: the main graph.
        path: the path of the ``derive:`` that needs it.

    Raises:
        GraphMistake: if there is no such axis, more than one, or no input has it.
    """
    axes = find_axes(graph)
    axis = _axis(graph, axes, path)
    needed = needed_names(graph, graph.outputs.values())
    steps = tuple(name for name in axes.inputs(axis, graph) if name in needed)
    if not steps:
        raise GraphMistake(
            CODE,
            _path_of(graph, axis, path),
            f"the steps of the outputs come from '{axis}', not from an input",
            "read the steps from an input, which can be fed with the previous output",
        )
    later = {
        node.name
        for node in graph.nodes
        if node.name in needed and axes.reads[node.name].intersection(steps)
    }
    return Split(graph, axes, axis, steps, frozenset(later))


def _path_of(graph: Graph, axis: str, path: Path) -> Path:
    node = graph.by_name.get(axis.partition(".")[0])
    return node.path if node else path


def _axis(graph: Graph, axes: Axes, path: Path) -> str:
    output_axes: dict[str, str] = {}
    for name, port in graph.outputs.items():
        output_axes |= dict.fromkeys(_axes_of(graph, axes, port), name)
    last = [
        axis for axis in output_axes if not _is_read_by_others(graph, axes, axis, list(output_axes))
    ]
    if not last:
        message = "no output depends on a recurrent layer, so there are no steps"
        raise GraphMistake(CODE, path, message, "only recipes with a recurrent layer have steps")
    if len(last) > 1:
        raise GraphMistake(
            CODE,
            graph.output_paths[output_axes[last[-1]]],
            f"the outputs have several time axes, those of {', '.join(last)}",
            "declare a model under `models:` with the outputs of one axis",
        )
    return last[0]


def _axes_of(graph: Graph, axes: Axes, port: Port) -> Iterator[str]:
    """Yield the axis of `port`; for a vector, those of the recurrent layers it depends on."""
    if port in axes.of_port:
        yield axes.of_port[port]
        return
    node = graph.by_name.get(port.node)
    if node is None:
        return
    if node.recurrence:
        yield from (axes.of_port[p] for p in node.inputs[:1] if p in axes.of_port)
        return
    for source in node.inputs:
        if source.node in graph.by_name:
            yield from _axes_of(graph, axes, source)


def _is_read_by_others(graph: Graph, axes: Axes, axis: str, others: list[str]) -> bool:
    """Return whether tensors along another axis are computed from those along `axis`."""
    inputs = set(axes.inputs(axis, graph))
    return any(
        other != axis and any(inputs & reads for reads in _reads_of(graph, axes, other))
        for other in others
    )


def _reads_of(graph: Graph, axes: Axes, axis: str) -> Iterator[frozenset[str]]:
    for node in graph.nodes:
        along = [axes.of_port.get(port) for port in computed_from(node)]
        if axis in along and node.recurrence:
            yield axes.reads[node.name]
