"""Collect the ports that further models use, so that every pass knows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import Port, state_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import ModelDeclaration, Reference
    from lstmgraph.messages.diagnostics import Path

    NamedPorts = Callable[[Reference], list[tuple[str, Port]]]


def ports_of(models: Mapping[str, ModelDeclaration], named: NamedPorts) -> dict[Path, Port]:
    """Return the ports that declared models name, by path in the recipe.

    The path of an output ends with the output's name. `named` returns the ports of a reference
    with the suffixes of their names, such as those of ``encoder.state``.
    """
    ports: dict[Path, Port] = {}
    for model in models.values():
        for index, reference in enumerate(model.inputs):
            ports[*model.path, "inputs", index] = named(reference)[0][1]
        for name, reference in model.outputs.items():
            for suffix, port in named(reference):
                ports[*model.path, "outputs", name + suffix] = port
    return ports


def with_derived_ports(graph: Graph, models: Mapping[str, ModelDeclaration]) -> Graph:
    """Return `graph` with the states that further models read, and the nodes whose they replace."""
    replaced = {
        name
        for model in models.values()
        for layer in model.initial_state
        for name in graph.stacks.get(layer, ())
    }
    states: dict[Path, Port] = {}
    if any(model.derive for model in models.values()):
        states = dict(_all_states(graph))
        replaced = {node.name for node in graph.nodes if node.recurrence}
    ports = {**graph.further_ports, **states}
    return replace(graph, further_ports=ports, given_states=frozenset(replaced))


def _all_states(graph: Graph) -> Iterator[tuple[Path, Port]]:
    for node in graph.nodes:
        for slot in state_outputs(node.recurrence) if node.recurrence else ():
            yield ("models", node.name, slot), Port(node.name, slot)
