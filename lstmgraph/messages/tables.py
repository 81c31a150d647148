"""Print sections of lines and tables as plain text or as GitHub Markdown."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

WIDEST = 200
LEAST_CELL = 12
"""Columns that a cell with spaces or commas in it is folded to before a table is given up."""
_width: ContextVar[int | None] = ContextVar("table_width", default=None)
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


@contextmanager
def fitted(width: int | None) -> Iterator[None]:
    """Fit the texts that the block makes of tables to `width` columns; None leaves them as wide."""
    token = _width.set(width)
    try:
        yield
    finally:
        _width.reset(token)


def fits(lines: Iterable[str]) -> bool:
    """Return whether `lines` are no wider than ``fitted`` allows."""
    width = _width.get()
    if width is None:
        return True
    from rich.cells import cell_len  # noqa: PLC0415 - slow to import, and only to print

    return all(cell_len(line) <= width for line in lines)


def table_console(buffer: io.StringIO) -> Console:
    """Return a console that writes tables into `buffer`, as wide as ``fitted`` allows."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only to print

    width = min(_width.get() or WIDEST, WIDEST)
    return Console(file=buffer, width=width, color_system=None, highlight=False)


def as_text(sections: Iterable[Section]) -> str:
    """Return the sections one after the other, each below its title.

    Where ``fitted`` gives fewer columns than a table needs, each of its rows becomes a block of
    lines, one for each cell.
    """
    buffer = io.StringIO()
    console = table_console(buffer)
    whole = _width.get() is None
    for section in sections:
        if section.title:
            console.print(f"\n{printable(section.title)}", markup=False)
        for line in map(printable, section.lines):
            indented = f"  {line}" if section.title else line
            console.print(indented, markup=False, soft_wrap=whole)
        if section.rows:
            _print_rows(console, section)
        for line in map(printable, section.lines_below):
            console.print(line, markup=False, soft_wrap=whole)
    text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _print_rows(console: Console, section: Section) -> None:
    table = _text_table(section)
    if _width.get() is None or _least_width(section) <= console.width:
        console.print(table)
        return
    console.print()
    for row in section.rows:
        first, *others = row
        if first:
            console.print(cell(first))
        for heading, text in zip(section.headings[1:], others, strict=True):
            if text:
                console.print(_indented(cell(f"{heading}: {text}" if heading else text)))
    console.print()


def _indented(text: Text) -> Padding:
    from rich.padding import Padding  # noqa: PLC0415 - as above

    return Padding(text, (0, 0, 0, 2))


def _least_width(section: Section) -> int:
    """Return how many columns the table takes where its long texts are folded between words."""
    columns = zip(section.headings, *section.rows, strict=True)
    widths = [max(_least_cell(text, text in section.numbers) for text in each) for each in columns]
    return sum(widths) + 3 * len(widths)


def _least_cell(text: str, is_number: bool) -> int:
    shown = printable(text)
    width = max((len(word) for word in shown.split()), default=0)
    return len(shown) if is_number else max(width, min(len(shown), LEAST_CELL))


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


_CODE = re.compile(r"(`[A-Za-z0-9_.:{}\[\], -]+`)")
"""What messages write between backticks: keys and values, without anything to escape."""


def escaped(text: str) -> str:
    """Return `text` escaped for Markdown, but for code; line breaks become spaces."""
    parts = _CODE.split(printable(" ".join(text.split())))
    plain = (_SPECIAL.sub(lambda match: f"\\{match[0]}", part) for part in parts[::2])
    return "".join(each for pair in zip_longest(plain, parts[1::2], fillvalue="") for each in pair)


def _line(text: str) -> str:
    """Return `text` escaped so that Markdown does not take it for a list item."""
    return re.sub(r"^([0-9]*)([-+.)])(?=\s|$)", r"\1\\\2", escaped(text))
