"""SVG elements with escaped text."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from lstmgraph.explain.drawing.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


def element(name: str, attributes: Mapping[str, str], *children: str) -> str:
    """Return an element with `children`, which are elements or escaped text; empty ones vanish."""
    written = "".join(f" {key}={quoteattr(printable(value))}" for key, value in attributes.items())
    inner = "".join(children)
    return f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>"


def text(x: float, y: float, content: str, style: str, anchor: str = "") -> str:
    """Return a line of text whose baseline begins at (x, y); `style` is a class."""
    attributes = {"class": style, "x": number(x), "y": number(y)}
    if anchor:
        attributes["text-anchor"] = anchor
    return element("text", attributes, escaped(content))


def escaped(content: str) -> str:
    """Return text escaped for XML, line by line."""
    return "\n".join(escape(printable(line)) for line in content.split("\n"))


def number(value: float) -> str:
    """Return a coordinate or size to a tenth of a pixel, without a needless ``.0``."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")
