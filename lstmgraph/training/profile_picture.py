"""The profile of a training as an SVG: a bar for each epoch, divided by where its time went."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.explain.charts.axes import MOST_CATEGORIES, CategoryAxis, number_axis
from lstmgraph.explain.charts.frame import Frame, chart, label
from lstmgraph.explain.charts.markup import Markup, key, svg, tag
from lstmgraph.training.profile import PARTS, mean_seconds, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lstmgraph.training.profile import EpochTimes, Profile

FRAME = Frame(640.0, 0.0, left=84.0, right=96.0)
TITLE = 56.0
BAR = 22.0
THICKNESS = 14.0
LIGHT = {
    **{"page": "#fff", "ink": "#3d4653", "line": "#d9dee5"},
    **{"input": "#2563c9", "compile": "#9333c9", "step": "#15803d", "callbacks": "#b45309"},
    **{"checkpoint": "#be123c", "validation": "#0e8a9c", "other": "#8b95a3"},
}
DARK = {
    **{"page": "#12161c", "ink": "#c3ccd8", "line": "#333d4a"},
    **{"input": "#6ea8fe", "compile": "#c792ea", "step": "#4ec57a", "callbacks": "#ffb454"},
    **{"checkpoint": "#ff7a90", "validation": "#4dd0e1", "other": "#77828f"},
}


def _style(colours: Mapping[str, str]) -> str:
    parts = "".join(f".profile .{name}{{fill:{colours[name]}}}\n" for name in PARTS)
    return (
        f".profile .page{{fill:{colours['page']}}}\n"
        f".profile text{{fill:{colours['ink']};font:12px system-ui,sans-serif}}\n"
        ".profile .title text{font-size:15px;font-weight:600}\n"
        f".profile .axis line{{stroke:{colours['line']}}}\n{parts}"
    )


STYLE = f"{_style(LIGHT)}@media (prefers-color-scheme:dark){{{_style(DARK)}}}"


def profile_svg(profile: Profile, title: str) -> str:
    """Return an SVG of `profile`; many epochs share the bar of their mean."""
    groups = _groups(profile.epochs)
    frame = replace(FRAME, height=FRAME.top + FRAME.bottom + BAR * len(groups))
    names = [_name(group) for group in groups]
    y = CategoryAxis({key(name): name for name in names}, frame.top, frame.height - frame.bottom)
    x = number_axis((0.0, 100.0), *frame.across)
    bars = [
        bar
        for name, group in zip(names, groups, strict=True)
        for bar in _bar(group, frame, y.at(name) or 0.0)
    ]
    drawn = chart(frame, x, y, ("share of the time, %", "epoch"), *bars)
    heading = tag("g", label(title, 12, 20, longest=60, anchor="start"), class_="title")
    page = tag("rect", class_="page", width="100%", height="100%")
    moved = tag("g", drawn, transform=f"translate(0 {TITLE:.0f})")
    style = tag("style", Markup(STYLE))
    body = (tag("title", title), style, page, heading, *_key(), moved)
    return f"{svg(frame.width, TITLE + frame.height, title, *body, class_='profile')}\n"


def _groups(epochs: Sequence[EpochTimes]) -> list[Sequence[EpochTimes]]:
    """Return the first epoch alone, as it compiles, and the others evenly in few groups."""
    first, others = epochs[:1], epochs[1:]
    size = math.ceil(len(others) / (MOST_CATEGORIES - 1)) or 1
    return [first, *(others[at : at + size] for at in range(0, len(others), size))]


def _name(group: Sequence[EpochTimes]) -> str:
    first, last = group[0].epoch, group[-1].epoch
    return str(first) if first == last else f"{first}-{last}"


def _bar(group: Sequence[EpochTimes], frame: Frame, y: float) -> Iterable[Markup]:
    seconds = mean_seconds(group)
    whole = sum(seconds.values())
    start, end = frame.across
    x = start
    for name, value in seconds.items():
        width = value / (whole or 1.0) * (end - start)
        said = tag("title", f"{name}: {seconds_text(value)}")
        yield tag(
            "rect", said, x=x, y=y - THICKNESS / 2, width=width, height=THICKNESS, class_=name
        )
        x += width
    each = " each" if len(group) > 1 else ""
    yield label(f"{seconds_text(whole)}{each}", end + 8, y + 4, longest=16, anchor="start")


def _key() -> Iterable[Markup]:
    x = 12.0
    for name in PARTS:
        yield tag("rect", x=x, y=TITLE - 21, width=10, height=10, class_=name)
        yield label(name, x + 14, TITLE - 12, longest=12, anchor="start")
        x += 28 + 6.5 * len(name)
