"""Loops shown once: the calls of the first step, how often they run, and what is fed back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import STACK, Graph, Node, Port
from lstmgraph.compiler.passes.loops import reads_by_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import MaskSpec
    from lstmgraph.language.declaration.blocks import LoopStep


@dataclass(frozen=True)
class FedRow:
    """What a call reads of the step before; in the first step it reads `first`."""

    port: str
    reader: str
    """The call that reads it."""
    slot: str | None
    """The initial state that it is, or None for an input."""
    first: str | None
    """A port, or what else an initial state is; None for a call that the first step lacks."""


@dataclass(frozen=True)
class LoopRow:
    """A loop, how many steps it has, and what one step gives to the next."""

    name: str
    steps: int
    fed_back: list[FedRow] = field(default_factory=list)


@dataclass(frozen=True)
class Once:
    """A graph in which the calls of a loop's first step stand for those of all steps.

    A call that the first step lacks, such as one that mixes in the truth, is that of the second.
    """

    graph: Graph
    names: Mapping[str, str] = field(default_factory=dict)
    """The call that stands for each call of a loop."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many calls each of them stands for."""
    loops: tuple[LoopRow, ...] = ()

    def count(self, name: str) -> int:
        """Return how many calls the call `name` stands for."""
        return self.counts.get(name, 1)

    def port(self, port: Port) -> Port:
        """Return the port that stands for `port`."""
        return replace(port, node=self.names.get(port.node, port.node))


def once(graph: Graph) -> Once:
    """Return `graph` with every loop once."""
    rows: dict[str, LoopRow] = {}
    names: dict[str, str] = {}
    first: dict[str, str] = {}
    for node in graph.nodes:
        if node.loop:
            rows.setdefault(
                _shown_loop(node.loop), LoopRow(_shown_loop(node.loop), node.loop.steps)
            )
            names[node.name] = first.setdefault(node.loop.in_first(node.name), node.name)
    if not rows:
        return Once(graph)
    whole = Once(graph, names, Counter(names.values()))
    for loop, row in _fed_back(whole):
        if row not in rows[loop].fed_back:
            rows[loop].fed_back.append(row)
    nodes = [
        _shown(whole, node) for node in graph.nodes if names.get(node.name) in {None, node.name}
    ]
    outputs = {name: whole.port(port) for name, port in graph.outputs.items()}
    shown = replace(graph, nodes=tuple(nodes), outputs=outputs)
    return replace(whole, graph=shown, loops=tuple(rows.values()))


def _shown_loop(loop: LoopStep) -> str:
    """Return the name of a loop; of one inside others, that in their first step."""
    return loop.within.in_first(loop.layer) if loop.within else loop.layer


def _shown(whole: Once, node: Node) -> Node:
    inputs = tuple(whole.port(port) for port in node.inputs)
    recurrence = node.recurrence
    if recurrence:
        states = (
            replace(state, source=state.source and whole.port(state.source))
            for state in recurrence.states
        )
        recurrence = replace(recurrence, states=tuple(states))
    if node.op == STACK:
        inputs = tuple(dict.fromkeys(inputs))
    return replace(
        node,
        inputs=inputs,
        recurrence=recurrence,
        mask=node.mask and _shown_mask(whole, node.mask),
        input_masks=tuple(mask and _shown_mask(whole, mask) for mask in node.input_masks),
        output_masks={out: _shown_mask(whole, mask) for out, mask in node.output_masks.items()},
    )


def _shown_mask(whole: Once, mask: MaskSpec) -> MaskSpec:
    parts = ((whole.port(port), part and _shown_mask(whole, part)) for port, part in mask.parts)
    return replace(
        mask,
        port=whole.port(mask.port),
        like=mask.like and whole.port(mask.like),
        parts=tuple(dict.fromkeys(parts)),
    )


def _fed_back(whole: Once) -> Iterator[tuple[str, FedRow]]:
    """Yield what calls of a second step read of the first, and the loop that feeds it back."""
    nodes = whole.graph.by_name
    for node in whole.graph.nodes:
        levels = node.loop.levels if node.loop else ()
        if not levels or sorted(level.step for level in levels)[-2:] not in ([2], [1, 2]):
            continue
        name = whole.names[node.name]
        own = dict(reads_by_place(nodes[name]))
        for place, port in reads_by_place(node):
            source, shown = nodes.get(port.node), whole.port(port)
            theirs = source.loop.levels if source and source.loop else ()
            pairs = zip(levels, theirs, strict=False)
            loop = next((mine for mine, other in pairs if mine.step > other.step), None)
            if name == node.name and loop is None:
                continue
            before = own.get(place)
            if theirs and (name == node.name or before is None or whole.port(before) != shown):
                slot = place if isinstance(place, str) else None
                first = None if name == node.name else str(before or "zeros")
                row = FedRow(str(shown), name, slot, first)
                yield _shown_loop(loop or levels[-1]), row
