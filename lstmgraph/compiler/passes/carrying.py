"""Carried states: which layers can keep their final states for the next batch."""

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
    """Report a state that Keras cannot carry, or for no number of rows."""
    code, message, hint = "L613", "", ""
    remarks: tuple[Remark, ...] = ()
    if len(recurrence.cells) > 1:
        message = "Keras cannot reset the carried states of several cells in one layer"
        hint = "write a stack of layers, or `initial_state: input`"
        remarks = (((*node.path, "cells"), f"it has {len(recurrence.cells)} cells here"),)
    elif recurrence.bidirectional:
        message = f"'{node.layer}' reads backwards too, from the end: that state cannot be carried"
        hint = "carry one direction, or begin both at `zeros`"
        remarks = (of_directions(node),)
    elif graph.batch_size is None and not _is_reported(document):
        code = "L614"
        message = "a carried state is kept for a fixed number of rows"
        hint = "write `batch_size:` under `runtime:`; for any number, `initial_state: input`"
    if message:
        notes = tuple(document.note(*remark) for remark in remarks)
        document.report(code, form.path, message, hint=hint, notes=notes)


def _is_reported(document: Document) -> bool:
    """Whether something in `runtime:` is wrong, which may be meant for `batch_size`."""
    return any(found.path[:1] == ("runtime",) for found in document.diagnostics.found)
