"""Places for programs that know files alone: what a ``--set`` or a preset says is in no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.rendering.printable import printable

if TYPE_CHECKING:
    from lstmgraph.diagnostics import Diagnostic, Place


def in_a_file(diagnostic: Diagnostic) -> Place | None:
    """Where it is shown; None for the recipe as a whole.

    What a preset says is shown at the entry of ``extends`` that brought it in.
    """
    place = diagnostic.place
    if place.is_preset:
        notes = (note.place for note in reversed(diagnostic.notes))
        return next((each for each in notes if each.is_file), None)
    return place if place.is_file else None


def said_before(place: Place) -> str:
    """What a message begins with that is not shown at `place`, as that is in no file."""
    if place.is_preset:
        return f"{printable(place.source)}:{place.span.line}:{place.span.column}: "
    return "" if place.is_file else f"{printable(place.source)}: "
