"""Which diagnostics are shown, and where: a ``--set`` or a preset is in no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.messages.diagnostics import Diagnostic, Place

MOST_SHOWN = 100
"""The most diagnostics shown for one file, which can have a hundred thousand."""


def in_a_file(diagnostic: Diagnostic) -> Place | None:
    """Return the place in a file to show a diagnostic at; None for the recipe as a whole.

    A diagnostic in a preset is shown at the entry of ``extends`` that names the preset.
    """
    place = diagnostic.place
    if place.is_preset:
        notes = (note.place for note in reversed(diagnostic.notes))
        return next((note for note in notes if note.is_file), None)
    return place if place.is_file else None


def said_before(place: Place) -> str:
    """Return the prefix that names `place` in a message if `place` is in no file."""
    if place.is_preset:
        return f"{printable(place.source)}:{place.span.line}:{place.span.column}: "
    return "" if place.is_file else f"{printable(place.source)}: "


def left_out(diagnostics: Sequence[Diagnostic]) -> str:
    """Return ``and 89,900 more errors`` for those not shown; "" if all are shown."""
    rest = diagnostics[MOST_SHOWN:]
    kinds = ("error", "warning")
    counts = ((sum(d.severity == kind for d in rest), kind) for kind in kinds)
    numbers = " and ".join(counted(number, f"more {kind}") for number, kind in counts if number)
    return numbers and f"and {numbers}"
