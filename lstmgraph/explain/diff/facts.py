"""The facts that are compared of inputs, calls, outputs, further models and dimensions."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lstmgraph.explain.diff.items import Item, flattened
from lstmgraph.explain.diff.renames import text_in_names
from lstmgraph.explain.explanation import mask_text, primary_output, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node, Port, StateSpec
    from lstmgraph.explain.loops import LoopRow
    from lstmgraph.explain.models import ModelRow
    from lstmgraph.keras_facts.tensors import TensorSpec
    from lstmgraph.language.space.space import Space

Items = dict[str, Item]
SECTIONS = ("runtime", "training", "search", "data")


def input_items(graph: Graph) -> Items:
    """Return the declared inputs, and those made for states."""
    return {
        name: Item(
            name,
            f"{tensor.spec} {tensor.spec.dtype}",
            {**_spec(tensor.spec), "time_major": tensor.time_major},
        )
        for name, tensor in graph.inputs.items()
    }


def output_items(graph: Graph) -> Items:
    """Return the outputs, with the ports that they are read from."""
    specs = graph.specs
    return {
        name: Item(
            name,
            f"{specs[port]} {specs[port].dtype}",
            {**_spec(specs[port]), "source": str(port)},
        )
        for name, port in graph.outputs.items()
    }


def fed_back(loops: Iterable[LoopRow], names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return what calls read of the step before, by call, with new names."""
    facts: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in (row for loop in loops for row in loop.fed_back):
        own, port = facts[names.get(row.reader, row.reader)], text_in_names(row.port, names)
        if row.slot:
            own[f"fed_back.{row.slot}"] = port
        else:
            own["fed_back"] = [*own.get("fed_back", ()), port]
    return facts


def call_items(graph: Graph, fed: Mapping[str, dict[str, Any]]) -> Items:
    """Return every call, with its Keras arguments and what it is `fed` of the step before."""
    used = graph.used_ports()
    return {node.name: _call(graph, node, used, fed.get(node.name, {})) for node in graph.nodes}


def _call(graph: Graph, node: Node, used: frozenset[Port], fed: dict[str, Any]) -> Item:
    spec = node.outputs[primary_output(node, used)]
    parameters = graph.parameters_of(node)
    facts = {
        "type": type_of(node),
        "calls": node.calls.node if node.calls else None,
        "inputs": [str(port) for port in node.inputs],
        **_spec(spec),
        "dtype_policy": node.dtype_policy,
        "trainable_parameters": parameters.trainable,
        "non_trainable_parameters": parameters.non_trainable,
        "mask": mask_text(node),
        **({"steps": node.loop.steps} if node.loop else {}),
        **fed,
        **_recurrence(graph, node),
        **{f"arguments.{key}": value for key, value in flattened(dict(node.arguments))},
    }
    summary = f"{facts['type']} {spec}, {parameters.total:,} parameters"
    return Item(node.name, summary, facts)


def _recurrence(graph: Graph, node: Node) -> dict[str, Any]:
    recurrence = node.recurrence
    if recurrence is None:
        return {}
    alike = dict.fromkeys(recurrence.slots, "carried" if recurrence.carried else "zeros")
    states = {state.slot: _source(graph, node, state) for state in recurrence.states} or alike
    return {
        **{f"initial_state.{slot}": source for slot, source in states.items()},
        "kernel": recurrence.kernel.name if recurrence.kernel else None,
        "padded_output": recurrence.padded_output,
        "merge_mode": recurrence.merge_mode,
        **dict(flattened([dict(cell) for cell in recurrence.cells], "cells")),
    }


def _source(graph: Graph, node: Node, state: StateSpec) -> str:
    """Return the port that a state comes from, or its label if a helper of the layer makes it."""
    if state.source is None:
        return "zeros"
    maker = graph.by_name.get(state.source.node)
    made = maker is not None and maker.layer == node.layer and maker.recurrence is None
    return state.label if made else str(state.source)


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {"shape": list(spec.shape), "dtype": spec.dtype}


def model_items(rows: list[ModelRow]) -> Items:
    """Return the further models."""
    return {
        row.name: Item(
            row.name,
            row.kind,
            {
                "kind": row.kind,
                **{f"inputs.{n}": f"{spec} {spec.dtype}" for n, spec in row.inputs.items()},
                **{f"outputs.{n}": f"{spec} {spec.dtype}" for n, spec in row.outputs.items()},
                **{f"states.{name}": fed for name, fed in row.states.items()},
            },
        )
        for row in rows
    }


def dimension_items(space: Space) -> Items:
    """Return the dimensions of the search space."""
    return {
        dimension.name: Item(
            dimension.name,
            dimension.extent(),
            {key: value for key, value in dimension.as_dict().items() if key != "name"},
        )
        for dimension in space.dimensions
    }


def settings(compiled: CompiledRecipe) -> dict[str, Any]:
    """Return the name, and every value of the sections in ``SECTIONS`` by dotted path."""
    sections = {key: compiled.completed.get(key) for key in SECTIONS}
    return {"name": compiled.declaration.name, **dict(flattened(sections))}
