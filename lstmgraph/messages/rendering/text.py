"""Diagnostics as text: ``file:line:column: error[CODE]: message``, the line, the caret, a help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.diagnostics import MAPPING
from lstmgraph.messages.rendering.excerpts import excerpt, source_lines
from lstmgraph.messages.rendering.places import MOST_SHOWN, left_out
from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.messages.diagnostics import Diagnostic, Place

STYLES: Mapping[str, str] = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "help": "1;32",
    "strong": "1",
    "gutter": "34",
}
"""Parameters of the terminal's ``SGR`` sequence (ECMA-48, 8.3.117)."""


def render_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, colour: bool = False
) -> str:
    """Each mistake with its line, its notes with theirs, and the mend.

    Args:
        diagnostics: in the order in which they are shown: the first 100, and how many more.
        sources: the texts that places are in, by name; without one, no line is shown.
        colour: whether to colour them for a terminal. Nothing but these colours is an escape:
            those in recipes and in names of files are written out.
    """
    rendering = _Rendering({name: source_lines(text) for name, text in sources.items()}, colour)
    lines = [line for each in diagnostics[:MOST_SHOWN] for line in rendering.block(each)]
    return "\n".join([*lines, *filter(None, [left_out(diagnostics)])])


class _Rendering:
    def __init__(self, lines: Mapping[str, list[str]], colour: bool) -> None:
        self.lines = lines
        self.colour = colour

    def block(self, diagnostic: Diagnostic) -> list[str]:
        places = [diagnostic.place, *(note.place for note in diagnostic.notes)]
        gutter = max(len(str(place.span.line)) for place in places)
        severity = diagnostic.severity
        found = [
            f"{self.at(diagnostic)}: "
            f"{self.styled(f'{severity}[{diagnostic.code}]', severity)}: "
            f"{self.styled(printable(diagnostic.message), 'strong')}",
            *self.excerpt(diagnostic.place, gutter, severity),
        ]
        for note in diagnostic.notes:
            where, label = self.where(note.place), self.styled("note", "note")
            found.append(f"  {label}: {where}: {printable(note.message)}")
            found += self.excerpt(note.place, gutter, "note")
        if diagnostic.hint:
            found.append(f"  {self.styled('help', 'help')}: {printable(diagnostic.hint)}")
        return found

    def at(self, diagnostic: Diagnostic) -> str:
        """Of a mapping the path: its lines are of a text that nobody wrote."""
        if diagnostic.place.source != MAPPING:
            return self.where(diagnostic.place)
        dotted = printable(".".join(map(str, diagnostic.path)))
        return self.styled(f"{MAPPING} {dotted}".rstrip(), "strong")

    def where(self, place: Place) -> str:
        span = place.span
        return self.styled(f"{printable(place.source)}:{span.line}:{span.column}", "strong")

    def excerpt(self, place: Place, gutter: int, style: str) -> list[str]:
        lines = self.lines.get(place.source, [])
        if not 0 < place.span.line <= len(lines):
            return []
        text, carets = excerpt(lines[place.span.line - 1], place.span)
        indent = " " * (len(carets) - len(carets.lstrip()))
        marked = indent + self.styled(carets.lstrip(), style)
        number = self.styled(f"{place.span.line:>{gutter}} |", "gutter")
        bar = self.styled(f"{'':>{gutter}} |", "gutter")
        return [f"  {number} {text}".rstrip(), f"  {bar} {marked}"]

    def styled(self, text: str, style: str) -> str:
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colour else text
