"""Pictures as SVG: boxes that fit their text, placed by `layout`, in colours of two themes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.layout import lay_out
from lstmgraph.explain.drawing.layout.plan import Item, Link
from lstmgraph.explain.drawing.picture import DATA
from lstmgraph.explain.drawing.svg.arrows import LABEL_SIZE, arrow_svg
from lstmgraph.explain.drawing.svg.boxes import box_svg, card_of, group_name_svg, group_svg
from lstmgraph.explain.drawing.svg.page import page_svg
from lstmgraph.explain.drawing.text import text_width

if TYPE_CHECKING:
    from lstmgraph.explain.drawing.picture import Arrow, Picture

BESIDE_LABEL = 10.0


def svg_text(picture: Picture, theme: str = "auto") -> str:
    """Return an SVG file; `theme` is ``light``, ``dark``, or ``auto`` for the reader's choice."""
    number = {box.id: index for index, box in enumerate(picture.boxes)}
    into: dict[str, float] = {}
    for arrow in picture.arrows:
        into[arrow.target] = into.get(arrow.target, 0.0) + _room(arrow)
    cards = [card_of(box, into.get(box.id, 0.0)) for box in picture.boxes]
    items = [
        Item(card.width, card.height, box.group)
        for card, box in zip(cards, picture.boxes, strict=True)
    ]
    links = [
        Link(
            source=number[a.source],
            target=number[a.target],
            kind=a.kind,
            label_width=_room(a) if a.label else 0.0,
            leads=a.kind == DATA,
        )
        for a in picture.arrows
    ]
    plan = lay_out(items, links)
    body = [group_svg(group, picture.title(group), frame) for group, frame in plan.groups.items()]
    for arrow, route in zip(picture.arrows, plan.routes, strict=True):
        body.append(arrow_svg(arrow, route))
    body += [group_name_svg(picture.title(group), frame) for group, frame in plan.groups.items()]
    for card, frame in zip(cards, plan.items, strict=True):
        body.append(box_svg(card, frame))
    return page_svg(picture, body, plan.width, plan.height, theme)


def _room(arrow: Arrow) -> float:
    """Return the width that an arrow needs on the upper edge of its target box."""
    return text_width(arrow.label, LABEL_SIZE) + BESIDE_LABEL if arrow.label else 14.0
