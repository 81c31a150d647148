"""Loops shown once: the calls of the first step, how often they run, and what is fed back."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import STACK, Graph, Node, Port
from lstmgraph.compiler.passes.loops import reads_by_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import MaskSpec


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
    steps = {node.loop.layer: node.loop.steps for node in graph.nodes if node.loop}
    if not steps:
        return Once(graph)
    # Outer loops first: `outer_2_inner_3_cell` is `outer_1_inner_1_cell` too.
    layers = [re.compile(rf"({re.escape(name)}_)\d+_") for name in sorted(steps, key=len)]
    first: dict[str, str] = {}
    names = {
        node.name: first.setdefault(_as_first(node.name, layers), node.name)
        for node in graph.nodes
        if node.loop
    }
    whole = Once(graph, names, Counter(names.values()))
    rows = {name: LoopRow(name, count) for name, count in steps.items()}
    for node, row in _fed_back(whole):
        loop = node.loop
        if loop and row not in rows[loop.layer].fed_back:
            rows[loop.layer].fed_back.append(row)
    nodes = [
        _shown(whole, node) for node in graph.nodes if names.get(node.name) in {None, node.name}
    ]
    outputs = {name: whole.port(port) for name, port in graph.outputs.items()}
    shown = replace(graph, nodes=tuple(nodes), outputs=outputs)
    return replace(whole, graph=shown, loops=tuple(rows[name] for name in steps))


def _as_first(name: str, layers: list[re.Pattern[str]]) -> str:
    """Return the name that a call would have in the first step of every loop."""
    for layer in layers:
        if found := layer.match(name):
            name = f"{found[1]}1_{name[found.end() :]}"
    return name


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


def _fed_back(whole: Once) -> Iterator[tuple[Node, FedRow]]:
    """Yield what calls read of the step before, and the calls that stand for them."""
    nodes, seen = whole.graph.by_name, set[str]()
    for node in whole.graph.nodes:
        name = whole.names.get(node.name)
        if name is None or name in seen:
            continue
        standing = nodes[name]
        own = dict(reads_by_place(standing)) if standing is not node else {}
        if standing is not node:
            seen.add(name)
        for place, port in reads_by_place(node):
            source = nodes.get(port.node)
            if source is None or source.loop is None or node.loop is None:
                continue
            shown = whole.port(port)
            before = own.get(place)
            if standing is node:
                if source.loop.layer != node.loop.layer or source.loop.step >= node.loop.step:
                    continue
            elif before == shown:
                continue
            slot = place if isinstance(place, str) else None
            first = None if standing is node else str(before or "zeros")
            yield standing, FedRow(str(shown), name, slot, first)
