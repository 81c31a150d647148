"""Find the comments of a YAML text, which YAML parsers discard."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from lstmgraph.language.text.events import yaml_events
from lstmgraph.messages.diagnostics import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ANCHOR = re.compile(r"&[-\w]+")
_SPACE_AND_COMMENTS = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_COMMENT = re.compile(r"#([^\r\n]*)")
_LINE_END = re.compile(r"\r\n|\r|\n|$")


@dataclass(frozen=True)
class Comment:
    """A comment. `text` follows the ``#``; `span` and `index` begin at the ``#``."""

    text: str
    span: Span
    index: int
    alone: bool
    """Whether the comment has a line of its own."""
    opens_block: bool = False
    """Whether it follows the ``|`` or ``>`` of a block scalar."""


def comments(text: str) -> list[Comment]:
    """Return the comments of `text` in order; none if it is not YAML."""
    if "#" not in text:
        return []
    try:
        return list(comments_among(text, list(yaml_events(text))))
    except (yaml.YAMLError, ValueError):
        return []


def comments_among(text: str, events: Iterable[Any]) -> Iterator[Comment]:
    """Yield the comments of `text` in order: those between the scalars and aliases of `events`.

    Args:
        text: YAML.
        events: what ``yaml_events`` returns for `text`.
    """
    text = text.removeprefix("\ufeff")  # which marks do not count
    starts = [0, *(found.end() for found in _LINE_END.finditer(text))]
    end = 0
    for event in events:
        if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            start = node_start(text, event)
            yield from _between(text, starts, end, start)
            if isinstance(event, yaml.ScalarEvent) and event.style in ("|", ">"):
                first_line = _LINE_END.search(text, start)
                stop = first_line.start() if first_line else start
                yield from _between(text, starts, start, stop, opens_block=True)
            mark: Any = event.end_mark
            end = max(end, mark.index)
    yield from _between(text, starts, end, len(text))


def node_start(text: str, event: Any) -> int:
    """Return the index where the node of `event` begins, after its anchor."""
    index: int = event.start_mark.index
    if isinstance(event, yaml.AliasEvent):
        return index
    if anchor := event.anchor and _ANCHOR.match(text, index):
        after = _SPACE_AND_COMMENTS.match(text, anchor.end())
        index = min(after.end() if after else index, max(event.end_mark.index, anchor.end()))
    return index


def _between(
    text: str, starts: list[int], first: int, last: int, *, opens_block: bool = False
) -> Iterator[Comment]:
    for found in _COMMENT.finditer(text, first, last):
        line = bisect.bisect(starts, found.start())
        start = starts[line - 1]
        column = found.start() - start + 1
        span = Span(line, column, line, column + len(found[0]))
        alone = not text[start : found.start()].strip()
        yield Comment(found[1], span, found.start(), alone, opens_block)
