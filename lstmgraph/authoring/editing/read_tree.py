"""Text to trees.

`document.py` reads the data of a recipe; this module reads how it is written. Both use the events
of PyYAML's parser, so they agree on what is an entry. The text must have passed `document.py`: it
is within its limits, and is one document without tags whose keys are scalars.
"""

from __future__ import annotations

import bisect
import re
from typing import Any

import yaml

from lstmgraph.authoring.editing.tree import Alias, Collection, Comment, Entry, Node, Scalar, Tree
from lstmgraph.language.text.comments import comments_among, node_start
from lstmgraph.language.text.events import yaml_events


def read_tree(text: str) -> Tree:
    """Return the tree of a valid text whose lines end with ``\\n``."""
    return _Reader(text).tree()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.events: list[Any] = list(yaml_events(text))
        self.position = 1  # past the start of the stream
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.comments = self.find_comments()
        self.next_comment = 0

    def tree(self) -> Tree:
        event: Any = self.events[self.position]
        self.position += 1
        prolog = self.prolog(event)
        above = self.above(self.next_start())
        root = self.node(parent_column=-1)
        if isinstance(root, Collection) and not root.flow and root.entries:
            above, own = _split(above, whole=True)
            root.entries[0].above[:0] = own
        footer = self.above(len(self.text))
        comments = [comment.text for comment in self.comments]
        return Tree(prolog, root, above, footer, comments)

    def prolog(self, event: Any) -> list[str]:
        if not event.explicit:
            return []
        end = event.end_mark.index
        self.next_comment = bisect.bisect([c.index for c in self.comments], end)
        return [line.strip(" \t") for line in self.text[:end].split("\n") if line.strip(" \t")]

    # Places.

    def line(self, index: int) -> int:
        return bisect.bisect(self.line_starts, index) - 1

    def column(self, index: int) -> int:
        return index - self.line_starts[self.line(index)]

    def is_blank(self, line: int) -> bool:
        start, *end = self.line_starts[line : line + 2]
        return not self.text[start : end[0] if end else None].strip(" \t\n")

    def own_start(self, event: Any) -> int:
        return node_start(self.text, event)

    def next_start(self) -> int:
        """Return where the next node or its anchor begins; at the end, the length of the text."""
        position = self.position
        while not isinstance(self.events[position], yaml.StreamEndEvent):
            if isinstance(self.events[position], yaml.NodeEvent):
                return self.start(position)
            position += 1
        return len(self.text)

    def start(self, position: int) -> int:
        return int(self.events[position].start_mark.index)

    # Comments.

    def find_comments(self) -> list[Comment]:
        """Return all comments, except those in the first line of a block scalar."""
        return [
            Comment(
                f"#{comment.text}".rstrip(" \t"),
                comment.index,
                comment.span.line - 1,
                comment.span.column - 1,
                comment.alone,
            )
            for comment in comments_among(self.text, self.events)
            if not comment.opens_block
        ]

    def take(self, before: int) -> list[Comment]:
        """Return the comments before an index that are not taken yet, and take them."""
        first = self.next_comment
        while (
            self.next_comment < len(self.comments)
            and self.comments[self.next_comment].index < before
        ):
            self.next_comment += 1
        return self.comments[first : self.next_comment]

    def above(self, start: int) -> list[str]:
        """Take the comments and blank lines above the node that begins at `start`."""
        lines = self.as_lines(self.take(start))
        blank = start < len(self.text) and self.is_blank(max(self.line(start) - 1, 0))
        return [*lines, ""] if blank and lines[-1:] != [""] else lines

    def as_lines(self, comments: list[Comment]) -> list[str]:
        lines: list[str] = []
        for comment in comments:
            if comment.own_line and comment.line and self.is_blank(comment.line - 1):
                lines.append("")
            lines.append(comment.text)
        return lines

    def beside(self, end: int, limit: int) -> list[Comment]:
        """Take the comment after `end`, on the same line and before `limit`."""
        if self.next_comment < len(self.comments):
            comment = self.comments[self.next_comment]
            if comment.line == self.line(end) and end <= comment.index < limit:
                return self.take(comment.index + 1)
        return []

    # Nodes.

    def node(self, parent_column: int) -> Node:
        event: Any = self.events[self.position]
        self.position += 1
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        start = self.own_start(event)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, start, parent_column)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        flow, column = bool(event.flow_style), self.column(start)
        node = Collection(start, start, is_mapping, flow, column, event.anchor)
        if node.flow:
            self.flow(node)
        else:
            self.block(node, max(column, parent_column + 1))
        return node

    def alias(self, event: Any) -> Alias:
        return Alias(event.start_mark.index, event.end_mark.index, event.anchor)

    def scalar(self, event: Any, start: int, parent_column: int) -> Scalar:
        end = max(start, event.end_mark.index)
        source, style = self.text[start:end], event.style or ""
        if style in ("|", ">"):  # the end mark is on the line below
            end = start + len(source.rstrip("\n"))
        return Scalar(start, end, source, event.value, style, event.anchor, parent_column)

    def block(self, node: Collection, footer_column: int) -> None:
        column = node.column
        while not isinstance(self.events[self.position], yaml.CollectionEndEvent):
            above = self.above(self.next_start())
            entry = Entry(self.key(column) if node.is_mapping else None, _NOTHING, above)
            self.value(entry, column)
            node.entries.append(entry)
            node.end = entry.value.end
        self.position += 1
        self.block_footer(node, footer_column)
        node.header, node.entries[0].above = _split(node.entries[0].above, whole=False)
        if node.is_mapping:
            self.note_alignment(node)

    def key(self, column: int) -> Scalar | Alias:
        node = self.node(column)
        assert not isinstance(node, Collection)  # L111
        return node

    def value(self, entry: Entry, column: int) -> None:
        """Read the value of an entry, and the comments between its key and the end of its line."""
        event = self.events[self.position]
        own_lines = isinstance(event, yaml.CollectionStartEvent) and not event.flow_style
        if own_lines and (entry.key is not None or event.anchor):
            end = event.start_mark.index if entry.key is None else entry.key.end
            entry.put_beside(self.beside(end, self.own_start(event)))
        elif entry.key is not None and not own_lines:
            for comment in self.take(self.own_start(event)):
                if comment.own_line:
                    entry.above.append(comment.text)
                else:
                    entry.put_beside([comment])
            entry.below = self.line(event.start_mark.index) > self.line(entry.key.end)
        entry.value = self.node(column)
        if isinstance(entry.value, Scalar) and entry.value.style in ("|", ">"):
            entry.above += [entry.beside.text] if entry.beside else []
            entry.beside = None  # its first line may have a comment of its own
        elif not own_lines:
            following = self.events[self.position]
            entry.put_beside(self.beside(entry.value.end, following.start_mark.index))

    def block_footer(self, node: Collection, column: int) -> None:
        """Take the comments below the last entry that are indented like it."""
        end, taken = self.next_start(), []
        while self.next_comment < len(self.comments):
            comment = self.comments[self.next_comment]
            if comment.index >= end or comment.column < column:
                break
            taken += self.take(comment.index + 1)
        node.footer = self.as_lines(taken)

    def flow(self, node: Collection) -> None:
        while not isinstance(self.events[self.position], yaml.CollectionEndEvent):
            above = [comment.text for comment in self.take(self.next_start())]
            entry = Entry(self.key(0) if node.is_mapping else None, _NOTHING, above)
            self.value(entry, 0)
            node.entries.append(entry)
            self.behind_comma(entry)
        event: Any = self.events[self.position]
        self.position += 1
        if node.entries:  # `[]` has no place for a comment
            node.footer = [comment.text for comment in self.take(event.start_mark.index)]
        node.end = event.end_mark.index

    def behind_comma(self, entry: Entry) -> None:
        following = self.events[self.position]
        limit = following.start_mark.index
        if self.next_comment < len(self.comments):
            comment = self.comments[self.next_comment]
            if comment.index < limit and not comment.own_line:
                entry.put_beside(self.take(comment.index + 1))

    def note_alignment(self, node: Collection) -> None:
        """Mark entries on neighbouring lines whose values are aligned with spaces."""
        run: list[Entry] = []
        for entry in [*node.entries, None]:
            if entry is not None and self.is_one_line(entry) and not (run and "" in entry.above):
                run.append(entry)
                continue
            self.note_run(run)
            run = [entry] if entry is not None and self.is_one_line(entry) else []

    def note_run(self, run: list[Entry]) -> None:
        columns = {self.column(self.value_start(entry)) for entry in run}
        moved = any(self.text[self.value_start(entry) - 2] in " \t" for entry in run)
        for entry in run:
            entry.aligned = len(run) > 1 and len(columns) == 1 and moved

    def is_one_line(self, entry: Entry) -> bool:
        assert entry.key is not None
        start, end = entry.value.start, entry.value.end
        block = isinstance(entry.value, Scalar) and entry.value.style in ("|", ">")
        return start < end and not block and self.line(entry.key.start) == self.line(end)

    def value_start(self, entry: Entry) -> int:
        """Return where the value of a one-line entry, or its anchor, begins."""
        start = entry.value.start
        if entry.value.anchor:
            start = self.text.rindex("&", 0, start)
        return start


_NOTHING = Scalar(0, 0, "", "", "")


def _split(above: list[str], *, whole: bool) -> tuple[list[str], list[str]]:
    """Split the lines above a first entry into those of its collection and those of the entry.

    They are split at the last blank line. Without one, all belong to the entry or, with `whole`, to
    the collection.
    """
    while above[:1] == [""]:
        above = above[1:]
    if "" in above:
        last = len(above) - above[::-1].index("")
        return above[:last], above[last:]
    return (above, []) if whole else ([], above)
