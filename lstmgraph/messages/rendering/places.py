"""Which diagnostics are shown, and at which places: a ``--set`` or a preset is in no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.messages.diagnostics import Diagnostic, Place

MOST_SHOWN = 100
"""Mistakes of one file that are shown: a file can have a hundred thousand."""


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


def left_out(diagnostics: Sequence[Diagnostic]) -> str:
    """``and 89,900 more errors``: those that are not shown; empty where all are."""
    rest = diagnostics[MOST_SHOWN:]
    kinds = ("error", "warning")
    counts = ((sum(each.severity == kind for each in rest), kind) for kind in kinds)
    said = " and ".join(counted(number, f"more {kind}") for number, kind in counts if number)
    return said and f"and {said}"
