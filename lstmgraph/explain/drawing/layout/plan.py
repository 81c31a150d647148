"""The arguments and results of a layout, in pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A box to place; items of one `group` are placed together."""

    width: float
    height: float
    group: str | None = None


@dataclass(frozen=True)
class Link:
    """An arrow to draw between two items, by their indices.

    Links of one `kind` from one item share their route until they branch.
    """

    source: int
    target: int
    kind: str
    label_width: float = 0.0
    """The space for a label at the end."""
    leads: bool = True
    """Whether its ends are aligned with priority over those of links that do not lead."""


@dataclass(frozen=True)
class Frame:
    """A rectangle."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    @property
    def centre(self) -> float:
        """The x of the middle."""
        return self.left + self.width / 2


@dataclass(frozen=True)
class Route:
    """The route of a link from top to bottom, as points.

    Two points are joined by a straight line if they have the same x, and otherwise by a curve that
    begins and ends vertically.

    If a link shares its route with an earlier one, its own begins where they branch.
    """

    link: Link
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Plan:
    """A finished layout, whose left and top edges are at 0."""

    items: tuple[Frame, ...]
    groups: dict[str, Frame]
    routes: tuple[Route, ...]
    width: float
    height: float
