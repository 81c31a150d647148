"""Print sections of lines and tables as plain text or as GitHub Markdown."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table
    from rich.text import Text

WIDEST = 200
Row = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A heading, lines, and a table; each of them may be empty."""

    title: str = ""
    lines: Sequence[str] = ()
    headings: Row = ()
    rows: Sequence[Row] = ()
    numbers: frozenset[str] = field(default_factory=frozenset)
    """The headings of numeric columns, which are aligned to the right."""
    lines_below: Sequence[str] = ()
    """The lines below the table."""


def as_text(sections: Iterable[Section]) -> str:
    """Return the sections as plain text, each below its title."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only to print

    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDEST, color_system=None, highlight=False)
    for section in sections:
        if section.title:
            console.print(f"\n{printable(section.title)}", markup=False)
        for line in map(printable, section.lines):
            console.print(f"  {line}" if section.title else line, markup=False, soft_wrap=True)
        if section.rows:
            console.print(_text_table(section))
        for line in map(printable, section.lines_below):
            console.print(line, markup=False, soft_wrap=True)
    text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _text_table(section: Section) -> Table:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in section.headings:
        number = heading in section.numbers
        table.add_column(
            cell(heading), justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    for row in section.rows:
        table.add_row(*map(cell, row))
    return table


def cell(text: str) -> Text:
    """Return the text of a table cell, without markup and with unprintable characters escaped."""
    from rich.text import Text  # noqa: PLC0415 - as above

    return Text(printable(text))


def as_markdown(sections: Iterable[Section]) -> str:
    """Return the sections as GitHub Flavored Markdown: headings, lists and tables.

    Their texts are escaped, so that a pipe, say, does not end a cell.
    """
    return "\n\n".join(part for section in sections for part in _markdown_parts(section))


def _markdown_parts(section: Section) -> Iterable[str]:
    if section.title:
        yield f"### {escaped(section.title)}"
    if section.lines:
        bullet = "- " if section.title and len(section.lines) > 1 else ""
        separator = "\n" if bullet else "\n\n"
        yield separator.join(bullet + _line(line) for line in section.lines)
    if section.rows:
        rule = ["--:" if heading in section.numbers else "---" for heading in section.headings]
        rows = [section.headings, *section.rows]
        lines = [_markdown_row([escaped(cell) for cell in row]) for row in rows]
        yield "\n".join([lines[0], _markdown_row(rule), *lines[1:]])
    if section.lines_below:
        yield "\n\n".join(_line(line) for line in section.lines_below)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_SPECIAL = re.compile(r"[\\`*<>|~#&]|\](?=[\[(:])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def escaped(text: str) -> str:
    """Return `text` escaped for Markdown; line breaks become spaces."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", printable(" ".join(text.split())))


def _line(text: str) -> str:
    """Return `text` escaped so that Markdown does not take it for a list item."""
    return re.sub(r"^([0-9]*)([-+.)])(?=\s|$)", r"\1\\\2", escaped(text))
