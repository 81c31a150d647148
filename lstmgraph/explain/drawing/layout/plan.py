"""What a layout is given, and what it gives. Sizes and places are in pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A box to be placed. Items of one `group` stand together."""

    width: float
    height: float
    group: str | None = None


@dataclass(frozen=True)
class Link:
    """An arrow to be drawn, between items by their indices.

    Links of one `kind` that leave one item share their way until they part.
    """

    source: int
    target: int
    kind: str
    label_width: float = 0.0
    """Room for a label at the end."""
    leads: bool = True
    """Whether its ends had better stand above each other than those of one that does not."""


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
        """The middle between left and right."""
        return self.left + self.width / 2


@dataclass(frozen=True)
class Route:
    """The way of a link from top to bottom: points, and between each two of them a straight line
    where they have the same x, or else a curve that begins and ends upright.

    Where a link shares its way with an earlier one, its route begins where they part.
    """

    link: Link
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Plan:
    """A layout; the leftmost and the topmost place are 0."""

    items: tuple[Frame, ...]
    groups: dict[str, Frame]
    routes: tuple[Route, ...]
    width: float
    height: float
