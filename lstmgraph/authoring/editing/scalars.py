"""The text of scalars."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.authoring.editing.tree import Scalar

_SIMPLE_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_.-]*")
_OTHER_READERS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""Words that some YAML parsers, such as those of YAML 1.1, do not read as text."""

INDENT = 2


class OpenEnd(str):
    """The last line of a ``|+`` scalar; blank lines after it would become part of it."""

    __slots__ = ()


def key_text(key: Scalar) -> str:
    """Return a key on one line, without needless quotes."""
    if key.style in ("", "'", '"') and "\n" not in key.source:
        bare = _SIMPLE_KEY.fullmatch(key.value) and key.value.lower() not in _OTHER_READERS
        text = key.value if key.style and bare else on_one_line(key)
        return text or '""'
    return quoted(key.value)


def on_one_line(scalar: Scalar) -> str:
    """Return a plain or quoted scalar on one line; quotes become double quotes."""
    if "\n" in scalar.source:
        return (
            scalar.value if not scalar.style and "\n" not in scalar.value else quoted(scalar.value)
        )
    if scalar.style == "'" and not {'"', "\\", "'"} & set(scalar.value):
        return f'"{scalar.value}"'
    return scalar.source


def quoted(value: str) -> str:
    """Return any text in double quotes on one line."""
    return json.dumps(value, ensure_ascii=False)


def continued(scalar: Scalar, indent: int) -> list[str]:
    """Return the lines of a multi-line plain or quoted scalar; the first is not indented."""
    first, *others = scalar.source.split("\n")
    lines = [_trimmed(first)]
    for line in others:
        text = _trimmed(line.lstrip(" \t"))
        lines.append(" " * indent + text if text else "")
    return lines


def _trimmed(line: str) -> str:
    """Return the line without spaces at its end, unless a backslash escapes the first of them."""
    trimmed = line.rstrip(" \t")
    return line if trimmed.endswith("\\") and trimmed != line else trimmed


def block_lines(scalar: Scalar, indent: int) -> list[str]:
    """Return the lines of a ``|`` or ``>`` scalar, with its content indented by `indent`."""
    first, *body = scalar.source.split("\n")
    head = re.fullmatch(r"([|>])([0-9+-]*)[ \t]*(.*)", first)
    assert head is not None
    style, indicators, comment = head[1], head[2], head[3].rstrip(" \t")
    explicit = re.search(r"[1-9]", indicators)
    chomping = re.sub(r"[1-9]", "", indicators)
    if scalar.value and not scalar.value.endswith("\n"):
        chomping = "-"  # the text ended here without a line break
    old = scalar.parent_column + int(explicit[0]) if explicit else _indentation(body)
    # After the last line break of the text, `body` has one more, empty line.
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
    return max(map(len, body), default=0)  # only spaces


def _moved(line: str, old: int, new: int) -> str:
    rest = line[old:] if line[:old].strip(" ") == "" else line.lstrip(" ")
    return " " * new + rest if rest else ""
