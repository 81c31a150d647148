"""Badges: the texts on a box about its masks and initial states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import CONSTANT_STATE, OUTPUT, ROW_IDS, Port, state_outputs
from lstmgraph.explain.drawing.picture import MASK, STATE, Badge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lstmgraph.compiler.graph import Graph, MaskSpec, Node

    Masks = dict[Port, MaskSpec]


def carried_masks(graph: Graph) -> Masks:
    """Return the mask of each port that carries one."""
    return {
        Port(node.name, output): mask
        for node in graph.nodes
        for output, mask in node.output_masks.items()
    }


def used_masks(node: Node) -> tuple[MaskSpec, ...]:
    """Return the different masks that a call takes."""
    given = (node.mask, *node.input_masks)
    return tuple(dict.fromkeys(mask for mask in given if mask))


def mask_badges(node: Node, carried: Masks) -> Iterator[Badge]:
    """Yield badges of the masks that a call uses, makes or drops, not of those it passes on."""
    if node.drops_mask:
        yield Badge(MASK, "mask: dropped")
    used = used_masks(node)
    if len(used) > 1:
        names = node.input_names or [port.node for port in node.inputs]
        for name, mask in zip(names, node.input_masks, strict=False):
            if mask:
                yield Badge(MASK, f"mask of {name}: {mask_words(mask)}")
    elif used:
        yield Badge(MASK, f"mask: {mask_words(used[0])}")
    else:
        made = node.output_masks.get(OUTPUT)
        if made and made not in [carried.get(port) for port in node.inputs]:
            yield Badge(MASK, f"mask: {mask_words(made)}")


def mask_words(mask: MaskSpec) -> str:
    """Return the source of a mask as a short text."""
    if mask.kind == "value":
        return f"value {mask.value:g}"
    if mask.kind == "step" and mask.parts[0][1]:
        return mask_words(mask.parts[0][1])
    if mask.kind == "lengths":
        return "lengths" if str(mask.port) == "lengths" else f"lengths {mask.port}"
    return {"ids": "id 0", "joined": "joined"}.get(mask.kind, str(mask.port))


def folded_states(graph: Graph) -> dict[str, Node]:
    """Return the nodes that only make a learned or constant state, which a badge replaces."""
    nodes = graph.by_name
    read_otherwise = {port.node for port in graph.outputs.values()}
    read_otherwise |= {
        port.node
        for node in graph.nodes
        for port in node.inputs
        if nodes.get(port.node) is None or nodes[port.node].op != ROW_IDS
    }
    folded = {
        node.name: node
        for node in graph.nodes
        if _makes_state(node, nodes) and node.name not in read_otherwise
    }
    rows_read = {
        port.node for node in graph.nodes if node.name not in folded for port in node.inputs
    }
    rows = {n.name: n for n in graph.nodes if n.op == ROW_IDS and n.name not in rows_read}
    return folded | {name: node for name, node in rows.items() if name not in read_otherwise}


def _makes_state(node: Node, nodes: Mapping[str, Node]) -> bool:
    if node.op == CONSTANT_STATE:
        return True
    sources = [nodes.get(port.node) for port in node.inputs]
    return node.op == "Embedding" and all(each and each.op == ROW_IDS for each in sources)


def state_badges(node: Node, folded: Mapping[str, Node]) -> Iterator[Badge]:
    """Yield badges of the initial states without an arrow, except for zeros."""
    recurrence = node.recurrence
    if recurrence is None:
        return
    if recurrence.carried:
        yield Badge(STATE, f"{slot_words(state_outputs(recurrence))}: carried")
    by_label: dict[str, list[str]] = {}
    for state in recurrence.states:
        if state.source and state.source.node in folded:
            by_label.setdefault(state.label, []).append(state.slot)
    for label, slots in by_label.items():
        yield Badge(STATE, f"{slot_words(slots)}: {label}")


def slot_words(slots: Iterable[str]) -> str:
    """Return ``h, c``, ``forward h, c; backward h, c`` or, for several cells, ``1 h, c; 2 h``."""
    by_way: dict[str, list[str]] = {}
    for slot in slots:
        way, _, letter = slot.rpartition("_")
        by_way.setdefault(way.replace("_", " "), []).append(letter)
    parts = [f"{way} {', '.join(letters)}".strip() for way, letters in by_way.items()]
    return "; ".join(parts)
