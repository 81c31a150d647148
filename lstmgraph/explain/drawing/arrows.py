"""The arrows between boxes: data, states and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import LAST, OUTPUT, SEQUENCE, UNFOLD
from lstmgraph.explain.drawing.badges import slot_words, used_masks
from lstmgraph.explain.drawing.picture import DATA, MASK, STATE, Arrow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from lstmgraph.compiler.graph import Graph, MaskSpec, Node, Port
    from lstmgraph.explain.drawing.badges import Masks

    Found = tuple[str, str, str, str]
    """The source, the target, the kind, and one word of the label."""


def call_id(name: str) -> str:
    """Return the id of a call's box."""
    return f"call_{name}"


def input_id(name: str) -> str:
    """Return the id of an input's box."""
    return f"in_{name}"


def output_id(name: str) -> str:
    """Return the id of an output's box."""
    return f"out_{name}"


def arrows_of(
    graph: Graph, folded: Mapping[str, Node], carried: Masks, next_states: Collection[str]
) -> tuple[Arrow, ...]:
    """Return all arrows; those of one kind between two boxes are one, with the words of all.

    Arrows of states include those through the helper layers that prepare an initial state, and
    those to an output of `next_states`, which is a state of the next call.
    """
    ambiguous = _ambiguous(graph)
    words: dict[tuple[str, str, str], list[str]] = {}
    for source, target, kind, word in _found(graph, folded, carried, next_states):
        label = words.setdefault((source, target, kind), [])
        said = word or ambiguous.get(f"{source} {target}", "")
        if said and said not in label:
            label.append(said)
    return tuple(
        Arrow(source, target, kind, slot_words(label) if kind == STATE else _words(label))
        for (source, target, kind), label in words.items()
    )


def _found(
    graph: Graph, folded: Mapping[str, Node], carried: Masks, next_states: Collection[str]
) -> Iterator[Found]:
    fitting = _state_makers(graph)
    for node in graph.nodes:
        if node.name in folded:
            continue
        target = call_id(node.name)
        inputs = node.inputs[:1] if node.op == UNFOLD else node.inputs  # the other gives sizes
        names = node.input_names or ("",) * len(inputs)
        for port, name in zip(inputs, names, strict=True):
            slot = _slot(port)
            kind = STATE if slot and node.name in fitting else DATA
            yield _source(graph, port), target, kind, name or slot
        yield from _states(graph, node, folded)
        for mask in used_masks(node):
            for port in _mask_sources(node, mask, carried):
                yield _source(graph, port), target, MASK, ""
    for name, port in graph.outputs.items():
        kind = STATE if name in next_states else DATA
        yield _source(graph, port), output_id(name), kind, _slot(port)


def _states(graph: Graph, node: Node, folded: Mapping[str, Node]) -> Iterator[Found]:
    recurrence = node.recurrence
    for state in recurrence.states if recurrence else ():
        if state.source and state.source.node not in folded:
            yield _source(graph, state.source), call_id(node.name), STATE, state.slot


def _mask_sources(node: Node, mask: MaskSpec, carried: Masks) -> Iterator[Port]:
    """Yield the sources of a mask that neither comes with the input nor is an input itself."""
    if mask in [carried.get(port) for port in node.inputs]:
        return
    aside = {mask.like, *node.inputs}
    for port in dict.fromkeys(mask.ports):
        if port not in aside:
            yield port


def _source(graph: Graph, port: Port) -> str:
    return call_id(port.node) if port.node in graph.by_name else input_id(port.node)


def _slot(port: Port) -> str:
    """Return the state that a port is; empty for other ports."""
    return "" if port.output in {OUTPUT, SEQUENCE, LAST} else port.output


def _words(label: Sequence[str]) -> str:
    return ", ".join(label).replace("_", " ")


def _state_makers(graph: Graph) -> set[str]:
    """Return the calls that are only read for initial states."""
    read = {port.node for port in graph.outputs.values()}
    found: set[str] = set()
    for node in reversed(graph.nodes):
        if node.recurrence is None and node.name not in read:
            found.add(node.name)
        else:
            read.update(port.node for port in node.inputs)
            read.update(port.node for mask in used_masks(node) for port in mask.ports)
    return found


def _ambiguous(graph: Graph) -> dict[str, str]:
    """Return ``sequence`` or ``last`` by ``source target``, for calls of which both are read."""
    reads: dict[str, dict[str, list[str]]] = {}
    for node in graph.nodes:
        for port in node.inputs:
            if port.output in {SEQUENCE, LAST}:
                found = reads.setdefault(port.node, {}).setdefault(port.output, [])
                found.append(call_id(node.name))
    for name, port in graph.outputs.items():
        if port.output in {SEQUENCE, LAST}:
            reads.setdefault(port.node, {}).setdefault(port.output, []).append(output_id(name))
    return {
        f"{call_id(source)} {target}": output
        for source, by_output in reads.items()
        if len(by_output) > 1
        for output, targets in by_output.items()
        for target in targets
    }
