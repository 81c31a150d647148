"""Detection of renamed inputs, calls and outputs, and graphs with the new names."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.explain.explanation import primary_output, type_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from lstmgraph.compiler.graph import Graph, MaskSpec, Node, Port

Names = dict[str, str]
"""Names in the second graph, by the name in the first."""
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def renamed_inputs(first: Graph, second: Graph) -> Names:
    """Return renamed inputs: the only one of their shape and dtype on each side without a match."""
    return _only_pairs(
        {n: (str(t.spec), t.spec.dtype) for n, t in first.inputs.items() if n not in second.inputs},
        {n: (str(t.spec), t.spec.dtype) for n, t in second.inputs.items() if n not in first.inputs},
    )


def renamed_outputs(first: Graph, second: Graph, names: Mapping[str, str]) -> Names:
    """Return renamed outputs: those that are read from the same port."""
    own = {name: str(in_names(port, names)) for name, port in first.outputs.items()}
    others = {name: str(port) for name, port in second.outputs.items()}
    return _only_pairs(
        {name: port for name, port in own.items() if name not in others},
        {name: port for name, port in others.items() if name not in own},
    )


def renamed_nodes(first: Graph, second: Graph, names: Mapping[str, str]) -> Names:
    """Return `names` with those of renamed calls, which have the same type and place in the graph.

    A call without a match of its name is matched to one of the second graph if both have the same
    type, output and weights and read the same tensors; or if they are the only ones of this kind;
    or if they have the same type and are the only ones that read these tensors.
    """
    matches: Names = dict(names)
    left = _Calls(second, [node for node in second.nodes if node.name not in first.by_name])
    gone = _Calls(first, [node for node in first.nodes if node.name not in second.by_name])
    for node in gone.nodes:
        kind = gone.kinds[node.name]
        readers = left.free(left.by_inputs[tuple(in_names(port, matches) for port in node.inputs)])
        alike = left.free(left.by_kind[kind]) if len(gone.by_kind[kind]) == 1 else []
        of_type = [other for other in readers if type_of(other) == type_of(node)]
        twins = [other for other in readers if left.kinds[other.name] == kind]
        twins = twins or (alike if len(alike) == 1 else [])
        twins = twins or (of_type if len(of_type) == 1 else [])
        if twins:
            left.taken.add(twins[0].name)
            matches[node.name] = twins[0].name
    return {name: other for name, other in matches.items() if name in first.by_name}


class _Calls:
    """Calls by the tensors that they read, and by their kind: type, output and weights."""

    def __init__(self, graph: Graph, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.taken: set[str] = set()
        self.kinds: dict[str, Hashable] = {}
        self.by_inputs: defaultdict[tuple[Port, ...], list[Node]] = defaultdict(list)
        self.by_kind: defaultdict[Hashable, list[Node]] = defaultdict(list)
        used = graph.used_ports()
        for node in nodes:
            spec = node.outputs[primary_output(node, used)]
            kind = (type_of(node), spec, tuple(node.weights.items()))
            self.kinds[node.name] = kind
            self.by_inputs[node.inputs].append(node)
            self.by_kind[kind].append(node)

    def free(self, nodes: list[Node]) -> list[Node]:
        """Return those of `nodes` that are not matched yet."""
        return [node for node in nodes if node.name not in self.taken]


def _only_pairs(gone: Mapping[str, Any], new: Mapping[str, Any]) -> Names:
    """Match items of equal kind if each side has only one of that kind."""
    sides = [list(gone.values()), list(new.values())]
    return {
        name: next(other for other, theirs in new.items() if theirs == kind)
        for name, kind in gone.items()
        if all(side.count(kind) == 1 for side in sides)
    }


def layer_names(first: Graph, second: Graph, nodes: Mapping[str, str]) -> Names:
    """Return the names of the recipe's layers that follow from the names of their calls."""
    return {
        first.by_name[own].layer: second.by_name[other].layer
        for own, other in nodes.items()
        if first.by_name[own].layer not in second.stacks
    }


def in_names(port: Port, names: Mapping[str, str]) -> Port:
    """Return the port with the new name of its node."""
    return replace(port, node=names.get(port.node, port.node))


def mask_in_names(mask: MaskSpec | None, names: Mapping[str, str]) -> MaskSpec | None:
    """Return the mask with new names."""
    if mask is None:
        return None
    parts = ((in_names(port, names), mask_in_names(own, names)) for port, own in mask.parts)
    return replace(mask, port=in_names(mask.port, names), parts=tuple(parts))


def text_in_names(label: str, names: Mapping[str, str]) -> str:
    """Return a label, such as ``dense(store)``, with new names."""
    if label in {"learned", "constant", "zeros"}:
        return label
    return _WORD.sub(lambda word: names.get(word[0], word[0]), label)


def node_in_names(node: Node, names: Mapping[str, str]) -> Node:
    """Return the node with new names for itself and all that it refers to."""
    recurrence = node.recurrence
    if recurrence:
        states = (
            replace(
                state,
                source=state.source and in_names(state.source, names),
                label=text_in_names(state.label, names),
            )
            for state in recurrence.states
        )
        recurrence = replace(recurrence, states=tuple(states))
    return replace(
        node,
        name=names.get(node.name, node.name),
        layer=names.get(node.layer, node.layer),
        inputs=tuple(in_names(port, names) for port in node.inputs),
        mask=mask_in_names(node.mask, names),
        input_masks=tuple(mask_in_names(mask, names) for mask in node.input_masks),
        output_masks=_masks(node.output_masks.items(), names),
        recurrence=recurrence,
    )


def _masks(masks: Iterable[tuple[str, MaskSpec]], names: Mapping[str, str]) -> dict[str, MaskSpec]:
    renamed = {output: mask_in_names(mask, names) for output, mask in masks}
    return {output: mask for output, mask in renamed.items() if mask is not None}


def graph_in_names(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Return the graph with new names of inputs, nodes and ports; outputs keep their names."""
    return replace(
        graph,
        inputs={
            names.get(name, name): replace(tensor, name=names.get(name, name))
            for name, tensor in graph.inputs.items()
        },
        nodes=tuple(node_in_names(node, names) for node in graph.nodes),
        outputs={name: in_names(port, names) for name, port in graph.outputs.items()},
        further_ports={path: in_names(p, names) for path, p in graph.further_ports.items()},
    )
