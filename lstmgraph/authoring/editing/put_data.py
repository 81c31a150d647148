"""Data put into the text of a recipe: what stays the same keeps its words, comments and layout."""

from __future__ import annotations

import json
import re
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from lstmgraph.authoring.editing.formatting import with_plain_lines
from lstmgraph.authoring.editing.read_tree import read_tree
from lstmgraph.authoring.editing.tree import Alias, Collection, Entry, Node, Scalar
from lstmgraph.compiler.resolved import flow_yaml
from lstmgraph.language.text.scalars import resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmgraph.messages.diagnostics import Path

MERGE = "<<"
CHOOSE = "$choose"
_BLANKS = " \t\n"


def put_data(text: str, data: Any, chosen: Mapping[Path, str] | None = None) -> str:
    """Return a recipe's text, changed as little as it takes for it to say `data`.

    Args:
        text: a recipe's text, in which nothing is wrong.
        data: what it is to say, as plain data; a mapping.
        chosen: by the path of each ``$choose`` whose place an alternative takes, the name of that
            alternative: its text is kept, too.
    """
    return _Writer(with_plain_lines(text), chosen or {}).whole(data)


class _Writer:
    def __init__(self, text: str, chosen: Mapping[Path, str]) -> None:
        self.text = text
        self.chosen = chosen
        self.anchors: dict[str, Node] = {}
        self.meant: dict[int, Node] = {}  # by the id of an alias, what it stands for
        self.written: dict[int, Any] = {}  # by the id of an anchored node that stays, its new data
        self.end = 0  # up to where the text is written already

    def whole(self, data: Any) -> str:
        root = read_tree(self.text).root
        self.note_anchors(root)
        new = self.node(root, data, ())
        return self.text[: root.start] + new + self.text[max(root.end, self.end) :]

    # What is written now.

    def note_anchors(self, node: Node) -> None:
        """Find what each alias stands for: the last anchor of its name before it."""
        if isinstance(node, Alias):
            self.meant[id(node)] = self.anchors[node.name]
            return
        if node.anchor:
            self.anchors[node.anchor] = node
        for entry in node.entries if isinstance(node, Collection) else ():
            if entry.key is not None:
                self.note_anchors(entry.key)
            self.note_anchors(entry.value)

    def data(self, node: Node) -> Any:
        if isinstance(node, Alias):
            return self.data(self.meant[id(node)])
        if isinstance(node, Scalar):
            return resolve_scalar(node.value, plain=not node.style)
        if not node.is_mapping:
            return [self.data(entry.value) for entry in node.entries]
        own = {self.name(e): self.data(e.value) for e in node.entries if not self.is_merge(e)}
        return dict(ChainMap(own, *self.merged(node, self.data)))

    def name(self, entry: Entry) -> str:
        key = entry.key
        if isinstance(key, Alias):
            meant = self.meant[id(key)]
            return meant.value if isinstance(meant, Scalar) else ""
        return entry.name

    def is_merge(self, entry: Entry) -> bool:
        return isinstance(entry.key, Scalar) and (entry.key.value, entry.key.style) == (MERGE, "")

    def merged(self, node: Collection, data: Any) -> Iterator[dict[str, Any]]:
        for entry in filter(self.is_merge, node.entries):
            found = data(entry.value)
            yield from found if isinstance(found, list) else [found]

    # What it becomes.

    def node(self, node: Node, data: Any, path: Path, *, anchored: bool = True) -> str:
        """Return the text of `node` once it says `data`."""
        if anchored and node.anchor:
            self.written[id(node)] = data
        if isinstance(node, Alias):
            meant = id(self.meant[id(node)])
            if meant in self.written and is_same(self.written[meant], data):
                return f"*{node.name}"
        elif isinstance(node, Scalar):
            if is_same(self.data(node), data):
                return self.text[node.start : node.end]
        elif path in self.chosen and _is_form(node):
            return self.alternative(node, data, path)
        elif node.entries and node.is_mapping and isinstance(data, dict) and not _is_form(node):
            return self.mapping(node, data, path)
        elif len(node.entries) == _length(data) and not node.is_mapping:
            return self.items(node, data, path)
        elif is_same(self.data(node), data):  # a form that is left as it is, or nothing
            return self.text[node.start : node.end]
        return flow_yaml(data)

    def items(self, node: Collection, data: Sequence[Any], path: Path) -> str:
        edits = []
        for index, (entry, value) in enumerate(zip(node.entries, data, strict=True)):
            edits.append(self.value(entry, value, (*path, index)))
        return self.edited(node, edits)

    def mapping(self, node: Collection, data: dict[str, Any], path: Path) -> str:
        own = {self.name(entry) for entry in node.entries if not self.is_merge(entry)}
        from_others, keeps = self.merges(node, data, own)
        kept = [e for e in node.entries if (keeps if self.is_merge(e) else self.name(e) in data)]
        if not kept:
            return flow_yaml(data)
        edits = list(self.deletions(node, kept))
        for entry in kept:
            if not self.is_merge(entry):
                name = self.name(entry)
                edits.append(self.value(entry, data[name], (*path, name)))
        new = [key for key in data if key not in own | from_others]
        added = [f"{flow_yaml(key)}: {flow_yaml(data[key])}" for key in new]
        end = kept[-1].value.end
        if node.flow and added:
            edits.append((end, end, "".join(f", {each}" for each in added)))
        elif added:
            end = self.line_end(end)
            if kept[-1] is node.entries[-1]:  # comments of its own lines stay below it
                deeper = re.compile(rf"(?:\n {{{node.column + 1},}}#[^\n]*)*").match(self.text, end)
                end = deeper.end() if deeper else end
            edits.append((end, end, "".join(f"\n{' ' * node.column}{each}" for each in added)))
        return self.edited(node, edits)

    def merges(
        self, node: Collection, data: dict[str, Any], own: set[str]
    ) -> tuple[set[str], bool]:
        """Return the keys that merge keys give `node` rightly, and whether these keys may stay."""

        def after(value: Node) -> Any:
            if isinstance(value, Alias):
                return self.written[id(self.meant[id(value)])]
            if isinstance(value, Collection) and not value.is_mapping:
                return [after(entry.value) for entry in value.entries]
            return self.data(value)

        try:
            merged = dict(ChainMap(*self.merged(node, after)))
        except KeyError:  # what an alias stood for is gone
            return set(), False
        if not merged.keys() <= data.keys() | own:
            return set(), False
        return {key for key in merged if key in data and is_same(merged[key], data[key])}, True

    def deletions(self, node: Collection, kept: list[Entry]) -> Iterator[_Edit]:
        """Yield the edits that take all other entries of `node` away, with the comments above."""
        entries = node.entries
        first, last = entries.index(kept[0]), entries.index(kept[-1])
        if first:
            yield node.start, self.commented_start(entries[first], entries[first - 1]), ""
        for index in range(first + 1, last):
            if entries[index] in kept:
                continue
            if node.flow:
                yield self.start(entries[index]), self.start(entries[index + 1]), ""
            else:
                start = self.commented_start(entries[index], entries[index - 1])
                end = self.line_end(entries[index].value.end)
                yield self.text.rindex("\n", 0, start), end, ""
        if last + 1 < len(entries):
            start, end = kept[-1].value.end, entries[-1].value.end
            yield (start, end, "") if node.flow else (self.line_end(start), self.line_end(end), "")

    def commented_start(self, entry: Entry, above: Entry) -> int:
        """Return where `entry` begins, or the comments right above it, which are below `above`."""
        start = self.start(entry)
        if self.text.rfind("\n", 0, start) < above.value.end:
            return start
        lines = self.text[self.line_end(above.value.end) : start].split("\n")[1:-1]
        for line in reversed(lines):
            if not line.lstrip(" \t").startswith("#"):
                break
            start = self.text.rindex(line.strip(), 0, start)
        return start

    def start(self, entry: Entry) -> int:
        """Return where an entry begins, with its dash or the anchor of an item in brackets."""
        if entry.key is not None:
            return entry.key.start
        start = entry.value.start
        return self.text.rindex("&", 0, start) if entry.value.anchor else start

    def line_end(self, index: int) -> int:
        end = self.text.find("\n", index)
        return len(self.text) if end < 0 else end

    def value(self, entry: Entry, data: Any, path: Path) -> _Edit:
        """Return the edit that makes `entry` say `data`."""
        node = entry.value
        new = self.node(node, data, path)
        if node.start == node.end:  # nothing is written there
            return node.start, node.end, f" {new}" if new else ""
        if not isinstance(node, Collection) or node.flow:
            return node.start, node.end, new
        end = max(node.end, self.end)
        begin = self.text.index(":", entry.key.end) + 1 if entry.key else node.start
        between = self.text[begin : node.start]
        if "\n" in new or "\n" not in between or _is_block(new):
            return node.start, end, new
        # One line is enough now: it moves up beside its key, behind the key's anchor.
        anchor = re.match(r"[ \t]*&[-\w]+", between)
        begin += anchor.end() if anchor else 0
        return begin, end, f" {new}{self.text[begin : node.start].rstrip(_BLANKS)}"

    def alternative(self, node: Collection, data: Any, path: Path) -> str:
        """Return the text of the chosen alternative of the ``$choose`` at `path`."""
        name = self.chosen[path]
        form = next(entry.value for entry in node.entries if self.name(entry) == CHOOSE)
        entries = form.entries if isinstance(form, Collection) else []
        entry = next((entry for entry in entries if self.name(entry) == name), None)
        if entry is None:
            return flow_yaml(data)
        value = entry.value
        new = self.node(value, data, (*path, CHOOSE, name), anchored=False)
        if not isinstance(value, Collection) or value.flow or new.startswith(("{", "[")):
            return new
        end = max(value.end, self.end)
        if end < node.end and (comment := self.text[end : self.line_end(end)]).strip():
            new += comment
        first, *others = new.split("\n")
        moved, space = value.column - node.column, " " * node.column
        above = [line for line in (*entry.above, entry.beside and entry.beside.text) if line]
        top = f"\n{space}".join([*above, first])
        return "\n".join([top, *(line[min(moved, _indent(line)) :] for line in others)])

    def edited(self, node: Node, edits: list[_Edit]) -> str:
        """Return the text of `node` after `edits`, which may reach to the end of its last line."""
        text, end = "", node.start
        for start, stop, new in sorted(edits):
            text += self.text[end : max(start, end)] + new
            end = max(stop, end)
        self.end = max(self.end, end)
        return text + self.text[end : node.end]


_Edit = tuple[int, int, str]
"""Where text is replaced, and by what."""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _length(data: Any) -> int:
    return len(data) if isinstance(data, list) else -1


def _is_form(node: Collection) -> bool:
    return any(entry.name.startswith("$") for entry in node.entries)


def _is_block(text: str) -> bool:
    """Return whether a line is a mapping or a list without brackets."""
    root = read_tree(text).root
    return isinstance(root, Collection) and not root.flow


def is_same(one: Any, other: Any) -> bool:
    """Return whether both are the same data; 1 differs from 1.0 and from true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
