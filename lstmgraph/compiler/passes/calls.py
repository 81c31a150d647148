"""Check that the inputs of every further call of a layer fit what Keras built at the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.passes.remarks import of_tensor
from lstmgraph.compiler.passes.shapes import input_path
from lstmgraph.keras_facts.catalogue import layer_traits
from lstmgraph.keras_facts.layers.elementwise import ALONG_LAST_AXIS

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.language.text.document import Document

OF_ANY_RANK = ALONG_LAST_AXIS | {"Flatten"}
"""Layers that compute tensors with any number of axes alike; Keras builds others for one number."""


def check_calls(graph: Graph, document: Document) -> Graph:
    """Report calls whose inputs do not fit the called layer; return the graph unchanged."""
    for node in graph.nodes:
        called = graph.by_keras_name[node.keras_name][0]
        if called is node or not node.outputs or not called.outputs:
            continue
        if _names(node) != _names(called):
            path = (*node.path, "input")
            message = f"'{called.name}' and its call '{node.name}' have other inputs"
            hint = "give both calls as many inputs, in the same order or with the same names"
            note = document.note((*called.path, "input"), f"those of '{called.name}' are here")
            document.report("L306", path, message, hint=hint, notes=(note,))
            continue
        index = _differing(graph, called, node)
        if index is not None:
            _report(graph, called, node, index, document)
    return graph


def _names(node: Node) -> tuple[str, ...] | int:
    """Return the names of a node's inputs in Keras's call; their number where a list is one."""
    if node.reads_list or node.recurrence:
        return len(node.inputs)
    return node.input_names or tuple(layer_traits(node.op)["call"][: len(node.inputs)])


def _differing(graph: Graph, called: Node, node: Node) -> int | None:
    """Return the index of the first input that does not fit the called layer."""
    ranks = [[graph.specs[port].rank for port in each.inputs] for each in (called, node)]
    if called.op not in OF_ANY_RANK and ranks[0] != ranks[1]:
        return next(i for i, pair in enumerate(zip(*ranks, strict=True)) if pair[0] != pair[1])
    if called.weights == node.weights:
        return None
    features = [[graph.specs[port].shape[-1] for port in each.inputs] for each in (called, node)]
    pairs = enumerate(zip(*features, strict=True))
    return next((index for index, (one, other) in pairs if one != other), 0)


def _report(graph: Graph, called: Node, node: Node, index: int, document: Document) -> None:
    one, other = called.inputs[index], node.inputs[index]
    wanted, given = graph.specs[one], graph.specs[other]
    what = "is built" if wanted.rank != given.rank else "has weights"
    hint = (
        "use an input with as many axes"
        if wanted.rank != given.rank
        else ("use an input with the same features")
    )
    document.report(
        "L306",
        input_path(node, index),
        f"'{called.name}' {what} for {wanted}, but '{other}' is {given}",
        hint=f"{hint}, or a layer of its own, with a `type:`",
        notes=(
            document.note(input_path(called, index), f"'{called.name}' reads '{one}' here"),
            document.note(*of_tensor(graph, other, given)),
        ),
    )
