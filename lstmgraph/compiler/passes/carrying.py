"""Check carried states: final states that a layer keeps for the next batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.passes.remarks import of_directions

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node, Recurrence
    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.language.declaration.recipe import Carried
    from lstmgraph.language.text.document import Document


def check_carried(
    graph: Graph, node: Node, recurrence: Recurrence, form: Carried, document: Document
) -> None:
    """Report a state that Keras cannot carry, or that lacks a fixed batch size."""
    code, message, hint = "L613", "", ""
    remarks: tuple[Remark, ...] = ()
    if len(recurrence.cells) > 1:
        message = "Keras cannot reset the carried states of several cells in one layer"
        hint = "write a stack of layers, or `initial_state: input`"
        remarks = (((*node.path, "cells"), f"it has {len(recurrence.cells)} cells here"),)
    elif recurrence.bidirectional:
        message = f"'{node.layer}' is bidirectional, and a backward state cannot be carried"
        hint = "use one direction, or `initial_state: zeros`"
        remarks = (of_directions(node),)
    elif graph.batch_size is None and not _is_reported(document):
        code = "L614"
        message = "a carried state is kept for a fixed number of rows"
        hint = (
            "write `batch_size:` under `runtime:`, or `initial_state: input` for any number of rows"
        )
    if message:
        notes = tuple(document.note(*remark) for remark in remarks)
        document.report(code, form.path, message, hint=hint, notes=notes)


def _is_reported(document: Document) -> bool:
    """Return whether `runtime:` has a mistake, which may be a misspelt `batch_size`."""
    return any(error.path[:1] == ("runtime",) for error in document.diagnostics.found)
