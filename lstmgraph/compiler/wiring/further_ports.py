"""What further models read of the graph, so that every pass knows it beside the main outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import Port, state_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import ModelDeclaration, Reference
    from lstmgraph.messages.diagnostics import Path

    NamedPorts = Callable[[Reference], list[tuple[str, Port]]]


def ports_of(models: Mapping[str, ModelDeclaration], named: NamedPorts) -> dict[Path, Port]:
    """Ports of written models, by where the recipe names them.

    Those of outputs end with the output's name; `named` gives the ports of ``encoder.state`` with
    the endings of their names.
    """
    found: dict[Path, Port] = {}
    for model in models.values():
        for index, reference in enumerate(model.inputs):
            found[*model.path, "inputs", index] = named(reference)[0][1]
        for name, reference in model.outputs.items():
            for suffix, port in named(reference):
                found[*model.path, "outputs", name + suffix] = port
    return found


def with_derived_ports(graph: Graph, models: Mapping[str, ModelDeclaration]) -> Graph:
    """`graph`, in which every state that further models give or are given can be read."""
    replaced = {
        name
        for model in models.values()
        for layer in model.initial_state
        for name in graph.stacks.get(layer, ())
    }
    states: dict[Path, Port] = {}
    if any(model.derive for model in models.values()):
        read = {
            node.name: node.recurrence
            for node in graph.nodes
            if node.recurrence and node.layer not in graph.unread
        }
        for name, recurrence in read.items():
            for slot in state_outputs(recurrence):
                states["models", name, slot] = Port(name, slot)
        replaced = set(read)
    ports = {**graph.further_ports, **states}
    return replace(graph, further_ports=ports, given_states=frozenset(replaced))
