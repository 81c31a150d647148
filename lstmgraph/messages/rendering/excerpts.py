"""Show one line of a source, with carets under a part of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable, width

if TYPE_CHECKING:
    from lstmgraph.messages.diagnostics import Span

WIDEST = 120
"""The most characters shown of a line; of a longer one, those around the carets."""

TAB = "    "
CUT = "..."

_LINE_BREAK = re.compile("\r\n|[\n\r]")


def source_lines(text: str) -> list[str]:
    """Split `text` into lines as YAML 1.2 counts them: a form feed, say, ends no line."""
    return _LINE_BREAK.split(text)


def excerpt(line: str, span: Span) -> tuple[str, str]:
    """Return `line`, cut to its limit, and the carets to print below it, under `span`."""
    first = max(0, span.column - 1 - WIDEST // 2) if len(line) > WIDEST else 0
    part = line[first : first + WIDEST].rstrip()
    start = min(span.column - 1 - first, len(part))
    end = min(span.end_column - 1 - first, len(part))
    if span.end_line != span.line:
        end = len(part)
    lead = (CUT if first else "") + _shown(part[:start])
    marked = _shown(part[start:end])
    rest = _shown(part[max(start, end) :]) + (CUT if first + WIDEST < len(line) else "")
    return f"{lead}{marked}{rest}", " " * width(lead) + "^" * max(1, width(marked))


def _shown(text: str) -> str:
    return printable(text.replace("\t", TAB))
