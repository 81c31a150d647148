"""Check layers with vocabularies: what they read, what training can fit, and tables behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import ROW_IDS
from lstmgraph.compiler.passes.masks import looks_up
from lstmgraph.keras_facts.layers.lookups import (
    FITTED,
    LOOKUPS,
    STRING,
    TENSORFLOW_ONLY,
    id_count,
    needs_fitting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.graph import Graph, Node, Port
    from lstmgraph.language.declaration.recipe import Runtime
    from lstmgraph.language.text.document import Document

PREPARES = frozenset({*FITTED, "CategoryEncoding", "Hashing", "Identity", "Rescaling", "Reshape"})
"""Layers without trained weights that may stand between an input and a layer that is fitted."""
KEEPS_IDS = frozenset({"Flatten", "Identity", "Permute", "Reshape", "RepeatVector"})
COUNTED = frozenset({*LOOKUPS, "Hashing", "Discretization"})
"""Layers that give ids of which it is known how many there can be."""


def unfitted(graph: Graph) -> Iterator[Node]:
    """Yield the layers of the recipe whose numbers or words training is to find."""
    seen = set()
    for node in graph.nodes:
        of_recipe = node.is_layer and node.path[:1] in (("layers",), ("blocks",))
        is_unfitted = of_recipe and needs_fitting(node.op, node.arguments)
        if is_unfitted and node.keras_name not in seen:
            seen.add(node.keras_name)
            yield node


def tensorflow_only(graph: Graph) -> Node | None:
    """Return the first layer that runs on TensorFlow alone, and never under XLA."""
    return next((node for node in graph.nodes if node.op in TENSORFLOW_ONLY), None)


def unchecked_ids(graph: Graph) -> Node | None:
    """Return the first embedding whose ids nothing checks before the model runs.

    Checked are inputs, in the data (``data_needs``), and ids from layers that count them (L881).
    """
    for node in graph.nodes:
        if looks_up(node) and node.inputs and node.inputs[0].node not in graph.inputs:
            source = _ids_source(node, graph)
            if source is None or source.op not in {*COUNTED, ROW_IDS}:
                return node
    return None


def check_vocabularies(graph: Graph, runtime: Runtime, document: Document) -> None:
    """Report texts as outputs, layers that cannot be fitted, too small tables, and XLA."""
    for name, port in graph.outputs.items():
        spec = graph.specs.get(port)
        if spec is not None and spec.dtype == STRING:
            document.report(
                "L880",
                graph.output_paths[name],
                f"the output '{name}' is text, which a model of Keras does not give",
                hint="give ids or numbers; `classes:` of a target under `data:` names classes",
            )
    for node in unfitted(graph):
        _check_source(node, graph, document)
    for node in graph.nodes:
        _check_table(node, graph, document)
    only = tensorflow_only(graph)
    if only is not None and runtime.xla is True:
        document.report(
            "L889",
            ("runtime", "xla"),
            f"XLA cannot compile '{only.layer}', as {only.op} looks values up in a table",
            hint="write `xla: auto`, or feed ids",
            notes=(document.note(only.path, "the layer is here"),),
        )


def _check_source(node: Node, graph: Graph, document: Document) -> None:
    """Report (L882) a layer to be fitted that does not read an input of the recipe itself."""
    argument = FITTED[node.op]
    reason = None
    path = node.path
    if path not in document.values or len(path) != 2 or node.loop is not None:
        reason = "it is inside of a block, a loop or a wrapper"
        block = ("blocks", node.calls.layer) if node.calls else path
        path = path if path in document.values else block
    elif any(n is not node and n.keras_name == node.keras_name for n in graph.nodes):
        reason = "several layers call it"
    else:
        for port in node.inputs:
            source = _trained_source(port, graph)
            if source is not None:
                reason = f"it reads '{source}', whose values change in training"
    if reason is not None:
        document.report(
            "L882",
            path,
            f"training cannot find the {argument.replace('_', ' ')} of '{node.layer}': {reason}",
            hint=f"let it read an input of the recipe, or another layer that prepares one, or "
            f"write `{argument}:`",
        )


def _trained_source(port: Port, graph: Graph) -> str | None:
    """Return the first thing behind `port` that is neither an input nor prepares one."""
    while port.node not in graph.inputs:
        node = graph.by_name.get(port.node)
        if node is None or node.op not in PREPARES or len(node.inputs) != 1 or node.calls:
            return str(port)
        port = node.inputs[0]
    return str(port) if graph.inputs[port.node].made else None


def _ids_source(node: Node, graph: Graph) -> Node | None:
    """Return the call that computes the ids which `node` reads; None for an input."""
    source = graph.by_name.get(node.inputs[0].node)
    while source is not None and source.op in KEEPS_IDS:
        source = graph.by_name.get(source.inputs[0].node)
    return source


def _check_table(node: Node, graph: Graph, document: Document) -> None:
    """Report (L881) an embedding or encoding with fewer rows than the ids that it is given."""
    key = "num_tokens" if node.op == "CategoryEncoding" else "input_dim"
    if (
        not node.inputs
        or key not in node.arguments
        or not (looks_up(node) or node.op == "CategoryEncoding")
    ):
        return
    source = _ids_source(node, graph)
    if source is None or source.op not in COUNTED:
        return
    if source.arguments.get("output_mode") != "int" or not source.outputs:
        return
    rows, count = node.arguments[key], id_count(source.op, source.arguments)
    path = (*node.path, key) if len(node.path) == 2 else node.path
    notes = (document.note(source.path, f"'{source.layer}' is here"),)
    if count is None:
        document.report(
            "L881",
            source.path,
            f"'{source.layer}' may find any number of values, but '{node.layer}' has {rows} rows",
            hint=f"write `max_tokens: {rows}`",
            notes=(document.note(path, "the number of rows is here"),),
        )
    elif rows < count:
        document.report(
            "L881",
            path,
            f"'{source.layer}' gives the ids 0 to {count - 1}, but '{node.layer}' has {rows} rows",
            hint=f"write `{key}: {count}`",
            notes=notes,
        )
