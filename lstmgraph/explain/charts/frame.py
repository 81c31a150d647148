"""The frame of a chart: grid, ticks and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.explain.charts.markup import Markup, joined, pixels, svg, tag
from lstmgraph.messages.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.explain.charts.axes import Axis


@dataclass(frozen=True)
class Frame:
    """The size of a picture and the margins around the drawing, in pixels."""

    width: float
    height: float
    left: float = 74.0
    right: float = 16.0
    top: float = 12.0
    bottom: float = 42.0

    @property
    def across(self) -> tuple[float, float]:
        """The first and the last pixel of values along x."""
        return self.left + 6, self.width - self.right

    @property
    def upwards(self) -> tuple[float, float]:
        """The pixels of the lowest and the highest value along y."""
        return self.height - self.bottom - 8, self.top + 2


WIDE = Frame(560.0, 300.0)
DASH = "m-3 0h6"
SMALL = Frame(270.0, 200.0, left=68.0)


def chart(
    frame: Frame, x: Axis, y: Axis, labels: tuple[str, str], *drawing: object, class_: str = ""
) -> Markup:
    """Axes with `labels` for x and y, and the drawing in them."""
    grid = tag("g", *_across(frame, x), *_upwards(frame, y), class_="axis")
    names = (_named(label, axis) for label, axis in zip(labels, (x, y), strict=True))
    across, upwards = names
    title = f"{upwards} against {across}"
    texts = (
        _text(across, (frame.left + frame.width) / 2, frame.height - 6, "middle"),
        tag(
            "text",
            *_cut(upwards, 30),
            transform=f"translate(12 {pixels((frame.height - frame.bottom) / 2)}) rotate(-90)",
            text_anchor="middle",
        ),
    )
    return svg(frame.width, frame.height, title, grid, *texts, *drawing, class_=class_)


def _named(label: str, axis: Axis) -> str:
    return f"{label} ({axis.note})" if axis.note else label


def _across(frame: Frame, x: Axis) -> Iterable[Markup]:
    floor = frame.height - frame.bottom
    ticks = x.ticks()
    space = int((frame.width - frame.left) / max(len(ticks), 1) / 6.5)
    yield tag("line", x1=frame.left, x2=frame.width - frame.right, y1=floor, y2=floor)
    for place, label in ticks:
        yield tag("line", x1=place, x2=place, y1=floor, y2=floor + 4)
        yield _text(label, place, floor + 17, "middle", max(space, 4))


def _upwards(frame: Frame, y: Axis) -> Iterable[Markup]:
    for place, label in y.ticks():
        yield tag(
            "line", x1=frame.left, x2=frame.width - frame.right, y1=place, y2=place, class_="grid"
        )
        yield _text(label, frame.left - 5, place + 4, "end", 9)


def _text(text: str, x: float, y: float, anchor: str, longest: int = 40) -> Markup:
    return tag("text", *_cut(text, longest), x=x, y=y, text_anchor=anchor)


def _cut(text: str, longest: int) -> tuple[object, ...]:
    """Return the text; if it is too long, a shorter one that shows the whole on hover."""
    short = shortened(text, longest)
    return (short,) if short == text else (short, tag("title", shortened(text, 500)))


def label(text: str, x: float, y: float, *, longest: int, anchor: str = "middle") -> Markup:
    """Return a text in a picture."""
    return _text(text, x, y, anchor, longest)


def path(points: Iterable[tuple[float, float] | None]) -> str:
    """Return the path of a line through `points`, with a gap at each None.

    A point alone between gaps becomes a dash.
    """
    commands, pen_is_down, alone = [], False, False
    for point in points:
        if point is None:
            commands += [DASH] if alone else []
            pen_is_down = alone = False
            continue
        commands.append(f"{'L' if pen_is_down else 'M'}{pixels(point[0])} {pixels(point[1])}")
        alone, pen_is_down = not pen_is_down, True
    return "".join([*commands, DASH] if alone else commands)


def dot(x: float, y: float, trial: int, class_: str, radius: int = 3) -> Markup:
    """Return the point of one trial."""
    return tag("circle", cx=x, cy=y, r=radius, class_=class_, data_t=trial)


def note(text: object) -> Markup:
    """Return a remark on a chart, or one in place of an empty chart."""
    return tag("p", text, class_="note")


def figure(title: str, *content: object, class_: str = "") -> Markup:
    """Return a figure: a heading and its content."""
    return tag("section", tag("h2", title), joined(*content), class_=f"card {class_}".strip())
