"""Check that the layers of a stack fit each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from lstmgraph.language.declaration.recipe import RecurrentDeclaration
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note


def depth_note(layer: RecurrentDeclaration, document: Document) -> Note:
    """Return the note ``'encoder' is a stack of 2 here``."""
    depth = len(layer.units)
    message = f"'{layer.name}' is {f'a stack of {depth}' if depth > 1 else 'one layer'} here"
    return document.note((*layer.path, "units"), message)


def is_stackable(layer: RecurrentDeclaration, document: Document) -> bool:
    """Return whether a layer's `residual` and `bidirectional` are possible; report why not."""
    mistake: tuple[str, str, str, Note] | None = None
    if layer.residual and len(layer.units) == 1:
        message = "`residual` needs a stack of at least two layers"
        hint = "write `depth: 2` or more, or use an `add` layer"
        mistake = ("residual", message, hint, depth_note(layer, document))
    elif layer.residual and len(set(layer.units)) > 1:
        sizes = listed([str(units) for units in layer.units])
        message = f"layers of {sizes} units cannot be added to each other"
        mistake = (
            "residual",
            message,
            "give all layers the same units",
            depth_note(layer, document),
        )
    elif layer.residual and layer.arguments["go_backwards"]:
        message = "each layer reverses its steps, so `residual` would add different steps"
        hint = "use `bidirectional: true`, or remove one of the two"
        note = document.note((*layer.path, "go_backwards"), "the steps are reversed here")
        mistake = ("residual", message, hint, note)
    elif layer.bidirectional and len(layer.cells) > 1:
        message = "a layer of several cells can read in only one direction"
        hint = "use a bidirectional layer of one cell, or a stack of such layers"
        note = document.note((*layer.path, "cells"), "the cells are listed here")
        mistake = ("bidirectional", message, hint, note)
    if mistake:
        key, message, hint, note = mistake
        code = "L407" if key == "residual" else "L615"
        document.report(code, (*layer.path, key), message, hint=hint, notes=(note,))
    return mistake is None
