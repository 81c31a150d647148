"""Find the comments of a YAML text, which YAML parsers discard."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from lstmgraph.language.text.events import yaml_events
from lstmgraph.messages.diagnostics import Span
from lstmgraph.messages.rendering.excerpts import source_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_Columns = tuple[int, float]


@dataclass(frozen=True)
class Comment:
    """A comment. `text` follows the ``#``; `span` begins at the ``#``."""

    text: str
    span: Span
    alone: bool
    """Whether the comment has a line of its own."""


def comments(text: str) -> list[Comment]:
    """Return the comments of `text` in order; none if it is not YAML."""
    try:
        scalars = _scalars(yaml_events(text))
    except (yaml.YAMLError, ValueError):
        return []
    result = []
    for number, line in enumerate(source_lines(text)):
        column = _start(line, scalars.get(number, ()))
        if column is not None:
            span = Span(number + 1, column + 1, number + 1, len(line) + 1)
            result.append(Comment(line[column + 1 :], span, alone=not line[:column].strip()))
    return result


def _scalars(events: Iterator[Any]) -> Mapping[int, list[_Columns]]:
    """Return the ranges of columns inside scalars, by line. Lines and columns count from 0."""
    ranges: defaultdict[int, list[_Columns]] = defaultdict(list)
    for event in events:
        if not isinstance(event, yaml.ScalarEvent):
            continue
        start: Any = event.start_mark
        end: Any = event.end_mark
        is_block = event.style in ("|", ">")  # a comment may follow its first line's `|`
        for line in range(start.line + is_block, end.line + 1):
            first = start.column if line == start.line else 0
            last = end.column if line == end.line else float("inf")
            ranges[line].append((first, last))
    return ranges


def _start(line: str, ranges: list[_Columns] | tuple[()]) -> int | None:
    """Return the column of the first ``#`` outside of scalars, where a comment begins."""
    for match in re.finditer("#", line):
        if not any(first <= match.start() < last for first, last in ranges):
            return match.start()
    return None
