"""Trees to text, in the layout of `lstmgraph fmt`."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from lstmgraph.authoring.editing.scalars import (
    INDENT,
    OpenEnd,
    block_lines,
    continued,
    key_text,
    on_one_line,
)
from lstmgraph.authoring.editing.tree import Alias, Collection, Comment, Scalar
from lstmgraph.compiler.lint.silencing import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.authoring.editing.tree import Entry, Node, Tree

WIDTH = 120
"""The longest line of a flow collection, without a comment; longer ones become blocks."""


def as_text(tree: Tree) -> str:
    """Return the text of a whole tree."""
    lines: list[str] = list(tree.prolog)
    _extend(lines, tree.header)
    root = tree.root
    if isinstance(root, Collection) and _is_opened(root, ""):
        lines += [f"&{root.anchor}"] if root.anchor else []
        lines += _block(root, 0, sections=root.is_mapping)
    elif isinstance(root, Scalar):  # not a recipe
        lines.append(root.source.rstrip("\n"))
    else:
        lines.append(_inline(root))
    _extend(lines, tree.footer)
    return "\n".join(lines) + "\n"


def _extend(lines: list[str], more: Iterable[str]) -> None:
    """Add comments and blank lines, but no blank line at the top, twice, or where it is data."""
    for line in more:
        if line or (lines and lines[-1] and not isinstance(lines[-1], OpenEnd)):
            lines.append(line)


def _block(node: Collection, indent: int, *, sections: bool = False) -> list[str]:
    """Return the lines of a collection, with each entry on its own lines.

    Args:
        node: The collection, which is not empty.
        indent: The number of spaces before each entry.
        sections: Whether the entries are the recipe's sections, with a blank line after long ones.
    """
    for entry in node.entries:
        _hoist(entry, indent)
    space = " " * indent
    rendered = _rendered(node.entries, indent)
    lines: list[str] = []
    _extend(lines, _indented(node.header, space))
    above_is_long = False
    for entry, own in zip(node.entries, rendered, strict=True):
        _extend(lines, [""] if sections and above_is_long else [])
        _extend(lines, _indented(entry.above, space))
        lines += own
        above_is_long = len(own) > 1
    _extend(lines, _indented(node.footer, space))
    return lines


def _indented(lines: Iterable[str], space: str) -> list[str]:
    return [space + line if line else "" for line in lines]


def _hoist(entry: Entry, indent: int) -> None:
    """Move the comments above the first entry of a list item to above the item's dash."""
    value = entry.value
    if entry.key is None and isinstance(value, Collection) and not value.anchor:
        if not _is_opened(value, " " * indent + "-", whole=_is_silenced(entry)):
            return
        first = value.entries[0]
        _hoist(first, indent + INDENT)
        beside = [entry.beside.text] if entry.beside else []
        entry.above += filter(None, [*beside, *value.header, *first.above])
        entry.beside, value.header, first.above = None, [], []


def _rendered(entries: list[Entry], indent: int) -> list[list[str]]:
    """Return the lines of each entry; values that were aligned are aligned again."""
    rendered = [_entry(entry, indent) for entry in entries]
    run: list[int] = []
    for index, entry in enumerate(entries):
        alone = len(rendered[index]) > 1 or not _has_text(entry.value)
        if alone or (run and "" in entry.above):
            _align(entries, rendered, run, indent)
            run = []
        if not alone:
            run.append(index)
    _align(entries, rendered, run, indent)
    return rendered


def _has_text(value: Node) -> bool:
    if isinstance(value, Scalar):
        return bool(value.source) and value.style not in ("|", ">")
    return True


def _align(entries: list[Entry], rendered: list[list[str]], run: list[int], indent: int) -> None:
    if not run or not all(entries[index].aligned for index in run):
        return
    width = max(len(_key(entries[index])) for index in run) + 1
    moved = [_entry(entries[index], indent, width) for index in run]
    if all(len(lines) == 1 for lines in moved):
        for index, lines in zip(run, moved, strict=True):
            rendered[index] = lines


def _entry(entry: Entry, indent: int, width: int = 0) -> list[str]:
    """Return the lines of one entry without the comments above; its key takes at least `width`."""
    value = entry.value
    prefix = " " * indent + (f"{_key(entry)}:".ljust(width) if entry.key is not None else "-")
    anchored = f"{prefix} &{value.anchor}" if value.anchor else prefix
    if isinstance(value, Collection) and _is_opened(value, prefix, whole=_is_silenced(entry)):
        return _opened(entry, value, anchored, indent)
    if isinstance(value, Scalar) and value.style in ("|", ">"):
        first, *others = block_lines(value, indent + INDENT)
        head = f"{anchored} {first}"
        return [head, *others] if others else [OpenEnd(head) if "+" in first else head]
    text = _inline(value, null="")
    if isinstance(value, Scalar) and "\n" in value.source:
        lines = continued(value, indent + INDENT)
    elif entry.below and len(anchored) + 1 + len(text) > WIDTH:
        lines = [text]
    else:
        return [_with_comment(f"{prefix} {text}" if text else prefix, entry.beside)]
    if entry.below:
        lines = [anchored, " " * (indent + INDENT) + lines[0], *lines[1:]]
    else:
        lines = [f"{anchored} {lines[0]}", *lines[1:]]
    return [*lines[:-1], _with_comment(lines[-1], entry.beside)]


def _opened(entry: Entry, value: Collection, prefix: str, indent: int) -> list[str]:
    """Return the lines of an entry whose value is written on its own lines."""
    inner = indent + INDENT
    words = not any(isinstance(item.value, Collection) for item in value.entries)
    if value.flow and not value.is_mapping and words and not _has_comments(value):
        return _filled(value, f"{prefix} [", inner, entry.beside)
    lines = _block(value, inner)
    if entry.key is None and not value.anchor:
        lines[0] = type(lines[0])(f"{prefix} {lines[0][inner:]}")
        return lines
    if value.flow and entry.beside:  # its column belonged to the closing bracket
        return [f"{prefix}  {entry.beside.text}", *lines]
    return [_with_comment(prefix, entry.beside), *lines]


def _filled(value: Collection, head: str, indent: int, comment: Comment | None) -> list[str]:
    """Return the lines of a long list of words and numbers in brackets, each filled."""
    lines = [head, " " * indent]
    for item in value.entries:
        text = _inline(item.value) + ("," if item is not value.entries[-1] else "]")
        if len(lines[-1]) + 1 + len(text) > WIDTH and lines[-1].strip():
            lines.append(" " * indent)
        lines[-1] += f" {text}" if lines[-1].strip() else text
    return [*lines[:-1], _with_comment(lines[-1], comment)]


def _with_comment(code: str, comment: Comment | None) -> str:
    """Return the line with its comment, in the comment's old column if the code ends before it."""
    if comment is None:
        return code
    space = comment.column - len(code)
    return code + " " * (space if space > 0 else 2) + comment.text


def _is_opened(value: Collection, prefix: str, *, whole: bool = False) -> bool:
    """Return whether a collection is written on its own lines; `whole` ignores its length."""
    if not value.flow or _has_comments(value):
        return True
    return not whole and bool(value.entries) and len(prefix) + 1 + len(_inline(value)) > WIDTH


def _is_silenced(entry: Entry) -> bool:
    """Return whether a comment silences warnings of the entry's line, and so of all on it."""
    about = [entry.beside.text] if entry.beside else []
    about += takewhile(bool, reversed(entry.above))  # up to a blank line
    return any(is_ours(text.removeprefix("#")) for text in about)


def _has_comments(value: Node) -> bool:
    if not isinstance(value, Collection):
        return False
    return bool(value.footer) or any(
        entry.above or entry.beside or _has_comments(entry.value) for entry in value.entries
    )


def _inline(value: Node, null: str = "null") -> str:
    """Return a node on one line; `null` is the text of an empty value."""
    anchor = f"&{value.anchor}" if value.anchor else ""
    if isinstance(value, Alias):
        return f"*{value.name}"
    if isinstance(value, Scalar):
        text = on_one_line(value) or null
    elif value.is_mapping:
        pairs = (f"{_key(entry)}: {_inline(entry.value)}" for entry in value.entries)
        text = "{" + ", ".join(pairs) + "}"
    else:
        text = "[" + ", ".join(_inline(entry.value) for entry in value.entries) + "]"
    return f"{anchor} {text}".strip(" ") if anchor else text


def _key(entry: Entry) -> str:
    if isinstance(entry.key, Alias):
        return f"*{entry.key.name} "  # without the space, the colon would be part of the name
    if entry.key is None:
        return ""
    return (f"&{entry.key.anchor} " if entry.key.anchor else "") + key_text(entry.key)
