"""Scalars as they are written out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.authoring.editing.tree import Scalar

_SIMPLE_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_.-]*")
_OTHER_READERS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""Words that are no text for some YAML readers, such as those of YAML 1.1."""

INDENT = 2


class OpenEnd(str):
    """The last line of a ``|+`` scalar: blank lines behind it would be a part of it."""

    __slots__ = ()


def key_text(key: Scalar) -> str:
    """A key on one line, without quotes where none are needed."""
    if key.style in ("", "'", '"') and "\n" not in key.source:
        bare = _SIMPLE_KEY.fullmatch(key.value) and key.value.lower() not in _OTHER_READERS
        text = key.value if key.style and bare else on_one_line(key)
        return text or '""'
    return quoted(key.value)


def on_one_line(scalar: Scalar) -> str:
    """A plain or quoted scalar on one line, in double quotes where it has quotes."""
    if "\n" in scalar.source:
        return (
            scalar.value if not scalar.style and "\n" not in scalar.value else quoted(scalar.value)
        )
    if scalar.style == "'" and not {'"', "\\", "'"} & set(scalar.value):
        return f'"{scalar.value}"'
    return scalar.source


def quoted(value: str) -> str:
    """Any text in double quotes on one line."""
    return json.dumps(value, ensure_ascii=False)


def continued(scalar: Scalar, indent: int) -> list[str]:
    """The lines of a plain or quoted scalar of several lines; the first without indentation."""
    first, *others = scalar.source.split("\n")
    lines = [_trimmed(first)]
    for line in others:
        text = _trimmed(line.lstrip(" \t"))
        lines.append(" " * indent + text if text else "")
    return lines


def _trimmed(line: str) -> str:
    """Without spaces at the end, unless a backslash before them makes one of them a letter."""
    trimmed = line.rstrip(" \t")
    return line if trimmed.endswith("\\") and trimmed != line else trimmed


def block_lines(scalar: Scalar, indent: int) -> list[str]:
    """A ``|`` or ``>`` scalar: its first line as written, its content at `indent`."""
    first, *body = scalar.source.split("\n")
    head = re.fullmatch(r"([|>])([0-9+-]*)[ \t]*(.*)", first)
    assert head is not None
    style, indicators, comment = head[1], head[2], head[3].rstrip(" \t")
    explicit = re.search(r"[1-9]", indicators)
    chomping = re.sub(r"[1-9]", "", indicators)
    if scalar.value and not scalar.value.endswith("\n"):
        chomping = "-"  # the text ended here, without the end of a line
    old = scalar.parent_column + int(explicit[0]) if explicit else _indentation(body)
    # At the end of the text nothing stands behind the last line break but the next line's start.
    content = [_moved(line, max(old, 0), indent) for line in body]
    while content and not content[-1]:
        content.pop()
    if chomping == "+":
        content += [""] * _breaks_at_end(scalar.value, content)
    header = f"{style}{INDENT if explicit else ''}{chomping}"
    lines = [f"{header} {comment}" if comment else header, *content]
    if chomping == "+":
        lines[-1] = OpenEnd(lines[-1])
    return lines


def _breaks_at_end(value: str, content: list[str]) -> int:
    breaks = len(value) - len(value.rstrip("\n"))
    return breaks - 1 if content else breaks


def _indentation(body: list[str]) -> int:
    for line in body:
        if line.strip(" "):
            return len(line) - len(line.lstrip(" "))
    return max(map(len, body), default=0)  # of spaces alone


def _moved(line: str, old: int, new: int) -> str:
    rest = line[old:] if line[:old].strip(" ") == "" else line.lstrip(" ")
    return " " * new + rest if rest else ""
