"""Check what must hold between nodes, once shapes, masks and states are known."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import SCORES, Graph, Node, Port, Recurrence, StateSpec
from lstmgraph.compiler.passes.remarks import of_dtype, of_tensor, of_units
from lstmgraph.compiler.passes.shapes import is_static
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec
from lstmgraph.language.declaration.recipe import FromStatic, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lstmgraph.language.declaration.recipe import StateForm
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path


SUMS = frozenset({"Add", "Average"})
"""Layers that use ``ops.add``, which mistakes tensors of some shapes for a bias."""


def check_graph(graph: Graph, document: Document) -> Graph:
    """Report states and sums that do not fit, and return the graph without unused nodes.

    Layers that nothing reads, and nodes that no output needs, such as the residual sum of a stack
    whose states alone are read, are not part of the Keras model, so the returned graph lacks them.
    """
    reported: set[Path] = set()
    for node in graph.nodes:
        if node.recurrence:
            _check_states(graph, node, node.recurrence, reported, document)
        if node.op in SUMS and node.outputs:
            _check_sum(graph, node, document)
    if document.diagnostics:  # a node can look unused because its reader has a mistake
        return graph
    graph = graph.without_unread()
    given = [Port(name) for name in graph.given_states]
    needed = needed_names(graph, [*graph.outputs.values(), *graph.further_ports.values(), *given])
    graph = graph.with_nodes([node for node in graph.nodes if node.name in needed])
    used = graph.returned_ports()
    return graph.with_nodes([_without_unread_scores(node, used) for node in graph.nodes])


def _without_unread_scores(node: Node, used: frozenset[Port]) -> Node:
    """Return the node; without scores if only layers that are not in the model read them."""
    if SCORES not in node.outputs or Port(node.name, SCORES) in used:
        return node
    return replace(
        node,
        outputs={name: spec for name, spec in node.outputs.items() if name != SCORES},
        output_masks={name: mask for name, mask in node.output_masks.items() if name != SCORES},
    )


def _check_states(
    graph: Graph,
    node: Node,
    recurrence: Recurrence,
    reported: set[Path],
    document: Document,
) -> None:
    """Report states that do not fit, once for a form that gives several states."""
    for state in recurrence.states:
        rows = graph.specs[node.inputs[0]].shape[0] if node.outputs else BATCH
        wanted = TensorSpec((rows, recurrence.units_of(state.slot)), "")
        form = _form(recurrence, state)
        if isinstance(form, FromStatic):
            _check_static(graph, form, document)
            continue
        source = state.source
        spec = graph.specs.get(source) if source else None
        if source is None or spec is None:
            continue
        if (spec.shape == wanted.shape and is_float(spec.dtype)) or form.path in reported:
            continue
        reported.add(form.path)
        document.report(
            "L604",
            form.path,
            f"the state {state.slot} of '{node.name}' is {wanted}, but '{source}' is "
            f"{spec} {spec.dtype}",
            hint=_state_hint(graph, source, spec, _key(recurrence, state)),
            notes=(
                document.note(*of_tensor(graph, source, spec)),
                document.note(*of_units(graph, node)),
            ),
        )


def _check_sum(graph: Graph, node: Node, document: Document) -> None:
    """Report two inputs that would both have to be broadcast.

    ``ops.add`` mistakes (1, 1, 3), added to (1, 3, 1), for a bias, and does not broadcast it.
    """
    known = [graph.specs[port] for port in node.inputs if port in graph.specs]
    rank = max(spec.rank for spec in known) if known else 0
    # Compare each shape once: thousands of inputs have few different shapes.
    shapes = list(dict.fromkeys((1,) * (rank - spec.rank) + spec.shape[1:] for spec in known))
    for one, other in combinations(shapes, 2):
        differing = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
        if all(1 in sizes for sizes in zip(*differing, strict=True)) and differing:
            document.report(
                "L401",
                (*node.path, "input"),
                f"{node.op} would broadcast {' and '.join(map(str, known))} along different axes, "
                "which Keras does not do where the batch is 1",
                hint="expand one of them to the full shape first, for example with RepeatVector",
                notes=tuple(
                    document.note(*of_tensor(graph, port, graph.specs[port]))
                    for port in node.inputs
                    if port in graph.specs
                ),
            )
            return


def _key(recurrence: Recurrence, state: StateSpec) -> str:
    """Return ``h: `` or ``c: `` where the form names the states one by one."""
    return f"{state.slot[-1]}: " if isinstance(recurrence.state_form, Split) else ""


def _state_hint(graph: Graph, source: Port, spec: TensorSpec, key: str) -> str:
    node = graph.by_name.get(source.node)
    if is_static(spec) and (node is None or not node.recurrence):
        return f"use a tensor of that shape, or write `{key}{{static: [{source}]}}`"
    if is_static(spec):
        return f"use a tensor of that shape, or write `{key}{{from: {source}, bridge: dense}}`"
    if spec.rank == 3 and is_float(spec.dtype):
        return "use one vector per row, such as a recurrent layer's `.last`"
    return "use a float tensor of that shape"


def _form(recurrence: Recurrence, state: StateSpec) -> StateForm:
    form = recurrence.state_form
    if not isinstance(form, Split):
        return form
    return form.c if state.slot.endswith("c") and form.c else form.h


def _check_static(graph: Graph, form: FromStatic, document: Document) -> None:
    for reference in form.sources:
        spec = graph.specs.get(graph.primary_or_port(reference))
        if spec is None or is_static(spec):
            continue
        hint = "use inputs of shape [features]"
        if not is_float(spec.dtype):
            hint = "embed the ids, or declare the input with `dtype: float32`"
        elif spec.rank == 3:
            hint = "a sequence is not static: read it with a recurrent layer, and use its `.last`"
        message = (
            f"static features must be (batch, features), but '{reference}' is {spec} {spec.dtype}"
        )
        port = graph.primary_or_port(reference)
        declared = of_dtype if spec.rank == 2 else of_tensor
        notes = (document.note(*declared(graph, port, spec)),)
        document.report("L609", reference.path, message, hint=hint, notes=notes)


def needed_names(graph: Graph, ports: Iterable[Port]) -> frozenset[str]:
    """Return the names of the nodes and inputs that `ports` are computed from."""
    nodes: Mapping[str, Node] = graph.by_name
    waiting = [port.node for port in ports]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in nodes:
            waiting += [port.node for port in nodes[name].reads]
    return frozenset(needed)
