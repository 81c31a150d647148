"""The comments of a YAML text, which no parser hands on: a ``#`` inside a value is none."""

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
    """A comment. `text` is what follows the ``#``; `span` begins at it."""

    text: str
    span: Span
    alone: bool
    """Whether nothing stands before it on its line."""


def comments(text: str) -> list[Comment]:
    """Every comment of `text`, in its order; none where it is not YAML."""
    try:
        taken = _scalars(yaml_events(text))
    except (yaml.YAMLError, ValueError):
        return []
    found = []
    for number, line in enumerate(source_lines(text)):
        column = _start(line, taken.get(number, ()))
        if column is not None:
            span = Span(number + 1, column + 1, number + 1, len(line) + 1)
            found.append(Comment(line[column + 1 :], span, alone=not line[:column].strip()))
    return found


def _scalars(events: Iterator[Any]) -> Mapping[int, list[_Columns]]:
    """The columns of each line that are inside of values. Lines and columns count from 0."""
    taken: defaultdict[int, list[_Columns]] = defaultdict(list)
    for event in events:
        if not isinstance(event, yaml.ScalarEvent):
            continue
        start: Any = event.start_mark
        end: Any = event.end_mark
        is_block = event.style in ("|", ">")  # a comment may follow its first line's `|`
        for line in range(start.line + is_block, end.line + 1):
            first = start.column if line == start.line else 0
            last = end.column if line == end.line else float("inf")
            taken[line].append((first, last))
    return taken


def _start(line: str, taken: list[_Columns] | tuple[()]) -> int | None:
    """The column of the first ``#`` that is in no value: nothing but a comment can hold it."""
    for match in re.finditer("#", line):
        if not any(first <= match.start() < last for first, last in taken):
            return match.start()
    return None
