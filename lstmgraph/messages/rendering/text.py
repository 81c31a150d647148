"""Diagnostics as text: ``file:line:column: error[CODE]: message``, an excerpt, the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.diagnostics import MAPPING, START
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
"""Parameters of the terminal's SGR sequence (ECMA-48, 8.3.117) for each part."""


def render_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, colour: bool = False
) -> str:
    """Return diagnostics as text, each with an excerpt, its notes and its fix.

    Args:
        diagnostics: what to show, in this order: the first 100, then the number of the rest.
        sources: the texts that the places refer to, by name; a place in no text has no excerpt.
        colour: whether to add the escape sequences that colour a terminal. Escape sequences in
            recipes and file names are always made visible.
    """
    rendering = _Rendering({name: source_lines(text) for name, text in sources.items()}, colour)
    shown = diagnostics[:MOST_SHOWN]
    lines = [line for diagnostic in shown for line in rendering.block(diagnostic)]
    return "\n".join([*lines, *filter(None, [left_out(diagnostics)])])


class _Rendering:
    def __init__(self, lines: Mapping[str, list[str]], colour: bool) -> None:
        self.lines = lines
        self.colour = colour

    def block(self, diagnostic: Diagnostic) -> list[str]:
        places = [diagnostic.place, *(note.place for note in diagnostic.notes)]
        gutter = max(len(str(place.span.line)) for place in places)
        severity = diagnostic.severity
        lines = [
            f"{self.at(diagnostic)}: "
            f"{self.styled(f'{severity}[{diagnostic.code}]', severity)}: "
            f"{self.styled(printable(diagnostic.message), 'strong')}",
            *self.excerpt(diagnostic.place, gutter, severity),
        ]
        for note in diagnostic.notes:
            where, label = self.where(note.place), self.styled("note", "note")
            lines.append(f"  {label}: {where}: {printable(note.message)}")
            lines += self.excerpt(note.place, gutter, "note")
        if diagnostic.hint:
            lines.append(f"  {self.styled('help', 'help')}: {printable(diagnostic.hint)}")
        return lines

    def at(self, diagnostic: Diagnostic) -> str:
        """Return the place of a diagnostic: of a mapping the path, as nobody wrote its lines."""
        if diagnostic.place.source != MAPPING:
            return self.where(diagnostic.place)
        dotted = printable(".".join(map(str, diagnostic.path)))
        return self.styled(f"{MAPPING} {dotted}".rstrip(), "strong")

    def where(self, place: Place) -> str:
        """Return ``file:line:column``; the name alone of what could not be read."""
        name, span = printable(place.source), place.span
        unread = place.source not in self.lines and span == START
        return self.styled(name if unread else f"{name}:{span.line}:{span.column}", "strong")

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
