"""Arrows of the SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.picture import MASK
from lstmgraph.explain.drawing.svg.markup import element, number, text

if TYPE_CHECKING:
    from lstmgraph.explain.drawing.layout.plan import Route
    from lstmgraph.explain.drawing.picture import Arrow

LABEL_SIZE = 10.0
HEAD = 7.0


def arrow_svg(arrow: Arrow, route: Route) -> str:
    """Return the line, its head (a ring for a mask), and the label beside the head."""
    x, y = route.points[-1]
    line = element("path", {"class": "line", "d": _line(route)})
    if arrow.kind == MASK:
        end = element("circle", {"class": "ring", "cx": number(x), "cy": number(y - 3), "r": "3"})
    else:
        d = f"M{number(x)} {number(y)}l-4 {number(-HEAD)}h8z"
        end = element("path", {"class": "head", "d": d})
    label = text(x + 5, y - 8, arrow.label, "label") if arrow.label else ""
    attributes = {
        "class": f"arrow {arrow.kind}",
        "data-from": arrow.source,
        "data-to": arrow.target,
    }
    return element("g", attributes, line, end, label)


def _line(route: Route) -> str:
    (x, y), *rest = route.points
    parts = [f"M{number(x)} {number(y)}"]
    for index, (to_x, to_y) in enumerate(rest):
        stop = to_y - 5 if index == len(rest) - 1 else to_y  # the head covers the rest
        if to_x == x:
            parts.append(f"V{number(stop)}")
        else:
            half = number((y + to_y) / 2)
            parts.append(f"C{number(x)} {half} {number(to_x)} {half} {number(to_x)} {number(to_y)}")
        x, y = to_x, to_y
    return "".join(parts)
