"""Boxes of the SVG: their contents, their sizes, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.picture import INPUT, LAYER, OUTPUT
from lstmgraph.explain.drawing.svg.markup import element, escaped, number, text
from lstmgraph.explain.drawing.text import text_width
from lstmgraph.messages.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.explain.drawing.layout.plan import Frame
    from lstmgraph.explain.drawing.picture import Badge, Box

NAME_SIZE, TEXT_SIZE, BADGE_SIZE = 13.0, 11.0, 10.0
PADDING = 11.0
LINE = 16.0
BADGE_HEIGHT = 15.0
BADGE_SPACE = 5.0
BETWEEN = 16.0
"""The space between the left and the right text of a line."""
NARROWEST = 120.0
LONGEST_NAME, LONGEST_TEXT = 32, 40
"""In characters; the tooltip has the whole text."""


@dataclass(frozen=True)
class Card:
    """The contents and the size of a box."""

    box: Box
    rows: tuple[tuple[str, str], ...]
    """The left and the right text of each line; the first left text is the name."""
    badges: tuple[tuple[Badge, ...], ...]
    width: float
    height: float


def card_of(box: Box, width_of_ends: float) -> Card:
    """Lay out a box, at least as wide as the ends of the arrows into it."""
    name = shortened(box.name, LONGEST_NAME)
    shape, kind = shortened(box.shape, LONGEST_TEXT), shortened(box.type, LONGEST_TEXT)
    if box.kind in {INPUT, OUTPUT}:
        rows = [(name, ""), (shape, kind)]
    else:
        rows = [(name, kind), (shape, "")]
        if box.parameters or box.kernel:
            rows.append((box.parameters, box.kernel))
    width = max(_row_width(row, name=index == 0) for index, row in enumerate(rows))
    ends = width_of_ends + 24.0 - 2 * PADDING
    width = max(width, NARROWEST - 2 * PADDING, ends, *map(_badge_width, box.badges))
    badges = tuple(_wrapped(box.badges, width))
    if box.kind == OUTPUT:
        width += LINE  # its pointed ends
    height = 2 * PADDING - 4 + LINE * len(rows) + (BADGE_HEIGHT + BADGE_SPACE) * len(badges)
    return Card(box, tuple(rows), badges, round(width + 2 * PADDING), round(height))


def _row_width(row: tuple[str, str], *, name: bool) -> float:
    left = text_width(row[0], NAME_SIZE if name else TEXT_SIZE, bold=name)
    right = text_width(row[1], TEXT_SIZE)
    return left + right + (BETWEEN if row[0] and row[1] else 0.0)


def _badge_text(badge: Badge) -> str:
    return shortened(badge.text, LONGEST_TEXT)


def _badge_width(badge: Badge) -> float:
    return text_width(_badge_text(badge), BADGE_SIZE) + 12.0


def _wrapped(badges: Iterable[Badge], width: float) -> list[tuple[Badge, ...]]:
    """Return lines of badges that are no wider than the box."""
    lines: list[list[Badge]] = []
    used = 0.0
    for badge in badges:
        own = _badge_width(badge)
        if not lines or used + BADGE_SPACE + own > width:
            lines.append([])
            used = -BADGE_SPACE
        lines[-1].append(badge)
        used += BADGE_SPACE + own
    return [tuple(line) for line in lines]


def box_svg(card: Card, frame: Frame) -> str:
    """Return the box, with its details as a tooltip."""
    box = card.box
    kind = f"{box.kind} recurrent" if box.recurrent else box.kind
    parts = [element("title", {}, escaped(box.details)), _outline(box, frame)]
    y = frame.top + PADDING + 10
    inset = PADDING + (LINE / 2 if box.kind == OUTPUT else 0)
    for index, (left, right) in enumerate(card.rows):
        if left:
            parts.append(text(frame.left + inset, y, left, "name" if index == 0 else "text"))
        if right:
            parts.append(text(frame.right - inset, y, right, "side", "end"))
        y += LINE
    y -= 8
    for line in card.badges:
        x = frame.left + inset
        for badge in line:
            parts.append(_badge_svg(badge, x, y))
            x += _badge_width(badge) + BADGE_SPACE
        y += BADGE_HEIGHT + BADGE_SPACE
    return element("g", {"class": f"box {kind}", "data-id": box.id}, *parts)


def _outline(box: Box, frame: Frame) -> str:
    if box.kind == OUTPUT:
        point, middle = LINE / 2, frame.top + frame.height / 2
        corners = (
            (frame.left, middle), (frame.left + point, frame.top),
            (frame.right - point, frame.top), (frame.right, middle),
            (frame.right - point, frame.bottom), (frame.left + point, frame.bottom),
        )  # fmt: skip
        points = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
        return element("polygon", {"class": "outline", "points": points})
    round_by = {INPUT: 16.0, LAYER: 5.0}.get(box.kind, 5.0)
    return _rectangle(frame.left, frame.top, frame.width, frame.height, round_by, "outline")


def _badge_svg(badge: Badge, x: float, y: float) -> str:
    width = _badge_width(badge)
    words = text(x + width / 2, y + 11, _badge_text(badge), "", "middle")
    shape = _rectangle(x, y, width, BADGE_HEIGHT, BADGE_HEIGHT / 2, "")
    return element("g", {"class": f"badge {badge.kind}".strip()}, shape, words)


def group_svg(group: str, name: str, frame: Frame) -> str:
    """Return a light frame around the boxes of one layer of the recipe."""
    shape = _rectangle(frame.left, frame.top, frame.width, frame.height, 9.0, "")
    title = element("title", {}, escaped(f"layer {name}" if name == group else f"loop {name}"))
    return element("g", {"class": "group", "data-group": group}, title, shape)


def group_name_svg(group: str, frame: Frame) -> str:
    """Return the name of the layer, drawn over the arrows into the frame."""
    longest = max(8, int(frame.width / (TEXT_SIZE * 0.75)) - 2)
    name = text(frame.left + 9, frame.top + 14, shortened(group, longest), "")
    return element("g", {"class": "group"}, name)


def _rectangle(  # noqa: PLR0913, PLR0917 - a rectangle has this many sides
    x: float, y: float, width: float, height: float, round_by: float, style: str
) -> str:
    attributes = {"class": style} if style else {}
    attributes |= {"x": number(x), "y": number(y), "width": number(width)}
    return element("rect", {**attributes, "height": number(height), "rx": number(round_by)})
