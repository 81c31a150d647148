"""The history of a training as an SVG: a chart for each metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.metric_names import VALIDATION
from lstmgraph.explain.charts.axes import number_axis, objective_axis
from lstmgraph.explain.charts.frame import Frame, chart, label, path
from lstmgraph.explain.charts.markup import Markup, joined, number, pixels, svg, tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PANEL = Frame(420.0, 260.0, top=30.0)
COLUMNS = 2
TITLE = 30.0
KINDS = ("training", "validation")
_COLOURS = """
.history .page{{fill:{page}}}
.history text{{fill:{ink};font:12px system-ui,sans-serif}}
.history .title text{{font-size:15px;font-weight:600}}
.history .axis line{{stroke:{line}}}
.history path{{fill:none;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}}
.history path.training{{stroke:{training}}}
.history path.validation{{stroke:{validation}}}
.history .training text{{fill:{training}}}
.history .validation text{{fill:{validation}}}
"""
_LIGHT = {"page": "#fff", "ink": "#3d4653", "line": "#d9dee5", "training": "#2563c9"}
_DARK = {"page": "#12161c", "ink": "#c3ccd8", "line": "#333d4a", "training": "#6ea8fe"}
STYLE = (
    _COLOURS.format(**_LIGHT, validation="#c2410c")
    + f"@media (prefers-color-scheme:dark){{{_COLOURS.format(**_DARK, validation='#ff922b')}}}"
)


def history_svg(history: Mapping[str, Sequence[float]], title: str) -> str:
    """Return an SVG of `history`, which holds one value for each epoch by metric."""
    panels = [name for name in history if not name.startswith(VALIDATION)]
    width = PANEL.width * min(COLUMNS, max(len(panels), 1))
    height = TITLE + PANEL.height * -(-len(panels) // COLUMNS)
    drawn = [
        tag("g", _panel(name, history), transform=_moved(index))
        for index, name in enumerate(panels)
    ]
    heading = tag("g", label(title, 12, 20, longest=60, anchor="start"), class_="title")
    page = tag("rect", class_="page", width="100%", height="100%")
    style = tag("style", Markup(STYLE))
    return f"{svg(width, height, title, style, page, heading, *drawn, class_='history')}\n"


def _moved(index: int) -> str:
    row, column = divmod(index, COLUMNS)
    return f"translate({pixels(column * PANEL.width)} {pixels(TITLE + row * PANEL.height)})"


def _panel(name: str, history: Mapping[str, Sequence[float]]) -> Markup:
    found = (history[name], history.get(VALIDATION + name))
    curves = {kind: curve for kind, curve in zip(KINDS, found, strict=True) if curve is not None}
    epochs = max(1, *map(len, curves.values()))
    x = number_axis((1.0, float(epochs)), *PANEL.across, whole=True)
    values = [number(value) for curve in curves.values() for value in curve]
    y = objective_axis([value for value in values if value is not None], *PANEL.upwards)
    lines, key = [], []
    for index, (kind, curve) in enumerate(curves.items()):
        places = [(x.at(epoch), y.at(value)) for epoch, value in enumerate(curve, start=1)]
        points = [None if a is None or b is None else (a, b) for a, b in places]
        lines.append(tag("path", d=path(points), class_=kind))
        right = PANEL.width - PANEL.right - 76 * (len(curves) - 1 - index)
        key.append(tag("g", label(kind, right, 18, longest=20, anchor="end"), class_=kind))
    return chart(PANEL, x, y, ("epoch", name), joined(*lines, *(key if len(key) > 1 else ())))
