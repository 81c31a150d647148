"""The page of the SVG: title, legend and colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.picture import MASK, STATE
from lstmgraph.explain.drawing.svg.markup import element, escaped, number, text
from lstmgraph.explain.drawing.svg.style import style
from lstmgraph.explain.drawing.text import text_width
from lstmgraph.messages.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.explain.drawing.picture import Picture

MARGIN = 20.0
HEAD = 46.0
LEGEND = 26.0
SAMPLE = 30.0
_LEGEND = {STATE: "initial state", MASK: "mask"}


def page_svg(picture: Picture, body: Sequence[str], width: float, height: float, theme: str) -> str:
    """Return the file; `body` takes `width` times `height` pixels."""
    kinds = {arrow.kind for arrow in picture.arrows}
    legend = _legend([kind for kind in _LEGEND if kind in kinds])
    title = shortened(picture.name, 60)
    least = max(text_width(title, 15, bold=True), text_width(picture.summary, 11), 250.0)
    whole_width = number(max(width, least) + 2 * MARGIN)
    whole_height = number(HEAD + height + (LEGEND if legend else 0.0) + 2 * MARGIN)
    shift = MARGIN + max(0.0, least - width) / 2
    bottom = HEAD + height + MARGIN
    name = re.sub(r"\W+", "-", picture.name)  # ids, where a page holds several pictures
    description = f"{picture.description} {picture.summary}".strip()
    root = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": f"lstmgraph-{theme}",
        "width": whole_width,
        "height": whole_height,
        "viewBox": f"0 0 {whole_width} {whole_height}",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-description",
    }
    parts = [
        element("title", {"id": f"{name}-title"}, escaped(picture.name)),
        element("desc", {"id": f"{name}-description"}, escaped(description)),
        element("style", {}, style(theme)),
        element("rect", {"class": "page", "width": "100%", "height": "100%"}),
        text(MARGIN, MARGIN + 12, title, "heading"),
        text(MARGIN, MARGIN + 28, picture.summary, "side"),
        _moved(shift, MARGIN + HEAD, body),
        _moved(MARGIN, bottom + 14, legend) if legend else "",
    ]
    return element("svg", root, *(f"\n{part}" for part in parts if part), "\n") + "\n"


def _moved(x: float, y: float, parts: Sequence[str]) -> str:
    place = {"transform": f"translate({number(x)} {number(y)})"}
    return element("g", place, *(f"\n{part}" for part in parts), "\n")


def _legend(kinds: Sequence[str]) -> list[str]:
    """Return the legend of the lines that are not plain, from left to right."""
    found, x = [], 0.0
    for kind in kinds:
        line = element("path", {"class": "line", "d": f"M{number(x)} 0h{number(SAMPLE)}"})
        words = text(x + SAMPLE + 6, 4, _LEGEND[kind], "label")
        found.append(element("g", {"class": f"arrow {kind}"}, line, words))
        x += SAMPLE + 6 + text_width(_LEGEND[kind], 10) + 18
    return found
