"""Markup from plain values: everything is escaped but what is markup already."""

from __future__ import annotations

import json
import math
import re
from html import escape
from numbers import Integral, Real
from typing import Any

SELF_CLOSED = frozenset({"circle", "line", "path", "rect", "meta"})
SVG_NAMESPACE = "http://www.w3.org/2000/svg"

# What neither XML nor HTML may hold, not even escaped; lone surrogates have no UTF-8. And what
# turns the direction of writing: a name could make the text after it read as something else.
_FORBIDDEN = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Return an element; in attribute names ``_`` becomes ``-``, and a final one goes (``class_``).

    An attribute that is None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not content and name in SELF_CLOSED:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(*content)}</{name}>")


def joined(*content: object) -> Markup:
    """Pieces one after the other, those that are no markup escaped."""
    return Markup("".join(escaped(piece) for piece in content))


def escaped(value: object) -> str:
    """Return `value` escaped for text and attributes; coordinates get one decimal."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, float):
        return pixels(value)
    return escape(_FORBIDDEN.sub("\ufffd", str(value)), quote=True)


def pixels(value: float) -> str:
    """Return a coordinate, rounded to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def svg(width: float, height: float, label: str, *content: object, class_: str = "") -> Markup:
    """Return a picture of this size; `label` describes it to screen readers."""
    return tag(
        "svg",
        *content,
        xmlns=SVG_NAMESPACE,
        viewBox=f"0 0 {pixels(width)} {pixels(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        class_=class_ or None,
    )


def number(value: object) -> float | None:
    """Return `value` if it is a finite number, else None."""
    if not isinstance(value, Real):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def plain(value: object) -> str:
    """Return a value for people: six digits of a float, the bare string, JSON of the rest."""
    if isinstance(value, str):
        return value
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{float(value):.6g}"
    return key(value)


def key(value: object) -> str:
    """Return a text that distinguishes values: ``1``, ``true`` and ``"1"`` differ."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):  # such as an integer of 5,000 digits
        return f"a value of type {type(value).__name__}"


def table(headings: list[str], rows: list[list[Any]], class_: str = "") -> Markup:
    """Return a plain table, which scrolls sideways if it is too wide."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    whole = tag("table", tag("thead", head), tag("tbody", *body), class_=class_ or None)
    return tag("div", whole, class_="scroll")
