"""Find which tensors share a time axis, and which inputs each node is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import (
    CONSTANT_STATE,
    FULL,
    OUTPUT,
    REPEAT,
    ROW_IDS,
    SCORES,
    SEQUENCE,
    STACK,
    STEP,
    Graph,
    MaskSpec,
    Node,
    Port,
)
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.layers.attention import ATTENTION
from lstmgraph.keras_facts.layers.lookups import OF_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lstmgraph.keras_facts.tensors import TensorSpec

ROWS_ONLY = frozenset({CONSTANT_STATE, FULL, ROW_IDS})
"""Operations that use only the number of rows of their input."""
NEW_STEPS = frozenset({"RepeatVector", FULL, STACK, STEP})


@dataclass(frozen=True)
class Axes:
    """The time axes of a graph, each named after one of its tensors."""

    of_port: Mapping[Port, str]
    """The time axis (axis 1) of every tensor that has one."""
    reads: Mapping[str, frozenset[str]]
    """The inputs of the graph that each node or input is computed from."""

    def inputs(self, axis: str, graph: Graph) -> tuple[str, ...]:
        """Return the graph's inputs that have the axis."""
        return tuple(name for name in graph.inputs if self.of_port.get(Port(name)) == axis)


def find_axes(graph: Graph) -> Axes:
    """Return the time axes of `graph`, whose shapes and masks must be known.

    Two tensors share an axis if a layer joins, adds or masks them step by step; equal sizes alone
    do not make them share one.
    """
    finder = _Finder(graph)
    for node in graph.nodes:
        finder.add(node)
    return Axes(finder.axes(), finder.reads)


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.specs = graph.specs
        self.parents: dict[Port, Port] = {}
        self.reads = {name: frozenset({name}) for name in graph.inputs}
        for port in map(Port, graph.inputs):
            if _may_have_steps(self.specs[port]):
                self.parents[port] = port

    def add(self, node: Node) -> None:
        self.reads[node.name] = frozenset(
            name for port in computed_from(node) for name in self.reads[port.node]
        )
        stepped = node.inputs[:1] if node.recurrence or node.op in ATTENTION else node.inputs
        read = [port for port in stepped if self.has_axis(port)]
        is_step = node.op == STEP and node.arguments["steps"] == 1  # of a sequence of one step
        is_new = node.op in NEW_STEPS or (node.op == REPEAT and node.arguments["axis"] != 1)
        if is_new and not is_step:
            own = Port(node.name)
            if _may_have_steps(self.specs[own]):
                self.parents[own] = own
        elif node.recurrence:
            self.join([*read, *self.mask_ports(node.mask)])
            if read:
                self.parents[Port(node.name, SEQUENCE)] = read[0]
        elif read and (
            is_step or len(self.specs[Port(node.name)].shape) > 2 or _gives_ids(node, self.specs)
        ):
            self.join([*read, *self.mask_ports(node.mask)])
            self.parents[Port(node.name, OUTPUT)] = read[0]
            if SCORES in node.outputs and node.outputs[SCORES].rank == 3:
                self.parents[Port(node.name, SCORES)] = read[0]

    def has_axis(self, port: Port) -> bool:
        """Return whether `port` has a time axis; a vector has one only if it holds ids."""
        return port in self.parents

    def mask_ports(self, mask: MaskSpec | None) -> Iterator[Port]:
        yield from (port for port in made_from(mask) if self.has_axis(port))

    def join(self, ports: Iterable[Port]) -> None:
        roots = [self.root(port) for port in ports]
        for root in roots[1:]:
            self.parents[root] = self.root(roots[0])

    def root(self, port: Port) -> Port:
        root = port
        while self.parents[root] != root:
            root = self.parents[root]
        while self.parents[port] != root:  # path compression
            self.parents[port], port = root, self.parents[port]
        return root

    def axes(self) -> dict[Port, str]:
        return {port: str(self.root(port)) for port in self.parents}


def _may_have_steps(spec: TensorSpec) -> bool:
    return spec.rank > 2 or (spec.rank == 2 and not is_float(spec.dtype))


def _gives_ids(node: Node, specs: Mapping[Port, TensorSpec]) -> bool:
    """Return whether a layer gives an id for each value of a sequence of texts, ids or numbers."""
    given = specs[Port(node.name)]
    ids = node.op in OF_VALUES and not is_float(given.dtype)
    return ids and given.shape == specs[node.inputs[0]].shape and given.rank > 1


def made_from(mask: MaskSpec | None) -> Iterator[Port]:
    """Yield the ports that a mask's values depend on; ``like`` gives only its size."""
    if mask is None:
        return
    if mask.kind != "joined":
        yield mask.port
    for port, part in mask.parts:
        if mask.kind == "joined":
            yield port
        yield from made_from(part)


def computed_from(node: Node) -> Iterator[Port]:
    """Yield every port whose values the call of `node` depends on."""
    if node.op in ROWS_ONLY:
        return
    yield from node.inputs[:1] if node.op == REPEAT else node.inputs
    if node.recurrence:
        yield from (state.source for state in node.recurrence.states if state.source)
    for mask in (node.mask, *node.input_masks):
        yield from made_from(mask)
