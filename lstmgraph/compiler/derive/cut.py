"""Cut a graph: keep the part between tensors that are fed from outside and some outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import Graph, GraphInput, MaskSpec, Node, Port, Recurrence, StateSpec
from lstmgraph.compiler.passes.checks import needed_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.messages.diagnostics import Path

    MaskFor = Callable[[Node, Port, MaskSpec], MaskSpec]
    """From a node, the masked port in the cut and the mask in the graph to the mask in the cut."""


@dataclass(frozen=True)
class Sources:
    """The tensors that a cut is fed with."""

    ports: Mapping[Port, GraphInput]
    """The inputs of the cut that replace tensors of the graph."""
    states: Mapping[str, tuple[StateSpec, ...]] = field(default_factory=dict)
    """Initial states that replace a node's own, by node name; empty for zeros."""
    made: tuple[GraphInput, ...] = ()
    """Further inputs, for states and masks."""


def cut(
    graph: Graph,
    outputs: Mapping[str, tuple[Port, Path]],
    sources: Sources,
    mask_for: MaskFor,
) -> Graph:
    """Return the part of `graph` that computes `outputs` from `sources`.

    Nodes keep their names, as the layers of a cut are those of the graph. Inputs of the graph that
    are needed but not in `sources` become inputs of the cut, so that the caller can report them.
    """
    computed = _computed(graph, [port for port, _ in outputs.values()], sources)
    fed = {port: Port(tensor.name) for port, tensor in sources.ports.items()}
    # The input of a state may have the name of the node that it replaces.
    nodes = tuple(
        _rewired(node, fed, sources, mask_for) for node in graph.nodes if node.name in computed
    )
    ports = {name: fed.get(port, port) for name, (port, _) in outputs.items()}
    inputs = {tensor.name: tensor for tensor in (*sources.ports.values(), *sources.made)}
    inputs = {**graph.inputs, **inputs}
    whole = replace(
        graph,
        inputs=inputs,
        nodes=nodes,
        outputs=ports,
        output_paths={name: path for name, (_, path) in outputs.items()},
        further_ports={},
    )
    needed = needed_names(whole, ports.values())
    return replace(
        whole,
        inputs={name: tensor for name, tensor in inputs.items() if name in needed},
        nodes=tuple(node for node in nodes if node.name in needed),
    )


def _computed(graph: Graph, ports: list[Port], sources: Sources) -> set[str]:
    """Return the names of the nodes that `ports` need when `sources` are fed."""
    waiting, needed = list(ports), set[str]()
    while waiting:
        port = waiting.pop()
        node = graph.by_name.get(port.node)
        if port in sources.ports or node is None or node.name in needed:
            continue
        needed.add(node.name)
        own = node.recurrence
        if own and node.name in sources.states:
            node = replace(node, recurrence=replace(own, states=()))
        waiting += node.reads
    return needed


def _rewired(node: Node, fed: Mapping[Port, Port], sources: Sources, mask_for: MaskFor) -> Node:
    inputs = tuple(fed.get(port, port) for port in node.inputs)
    mask = node.mask and mask_for(node, inputs[0] if inputs else node.mask.port, node.mask)
    masks = zip(inputs, node.input_masks, strict=False)
    input_masks = tuple(part and mask_for(node, port, part) for port, part in masks)
    output_masks = {
        output: mask_for(node, inputs[0], part) if inputs else part
        for output, part in node.output_masks.items()
    }
    return replace(
        node,
        inputs=inputs,
        mask=mask,
        input_masks=input_masks,
        output_masks=output_masks,
        recurrence=node.recurrence and _restarted(node.name, node.recurrence, fed, sources),
    )


def _restarted(
    name: str, recurrence: Recurrence, fed: Mapping[Port, Port], sources: Sources
) -> Recurrence:
    """Return the recurrence with the initial states of the cut."""
    if name in sources.states:
        return replace(recurrence, states=sources.states[name], carried=False)
    states = tuple(
        replace(state, source=fed.get(state.source, state.source)) if state.source else state
        for state in recurrence.states
    )
    return replace(recurrence, states=states)


def rewired_mask(mask: MaskSpec, fed: Mapping[Port, Port]) -> MaskSpec:
    """Return the mask with its ports replaced by those in `fed`."""
    return replace(
        mask,
        port=fed.get(mask.port, mask.port),
        like=fed.get(mask.like, mask.like) if mask.like else None,
        parts=tuple(
            (fed.get(port, port), part and rewired_mask(part, fed)) for port, part in mask.parts
        ),
    )
