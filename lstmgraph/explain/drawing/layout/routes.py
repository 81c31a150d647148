"""The lines of links, and the frames of items and groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.layout.heights import GROUP_PADDING, LABEL, TITLE
from lstmgraph.explain.drawing.layout.plan import Frame, Plan, Route

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from lstmgraph.explain.drawing.layout.grid import Grid
    from lstmgraph.explain.drawing.layout.heights import Band
    from lstmgraph.explain.drawing.layout.plan import Link

STUB = 9.0
"""The length of the vertical end of a link, before its arrow's head."""
CORNER = 16.0
"""The distance from an item's corner to the first place where a link may end."""
BETWEEN_ENDS = 14.0


def routes(grid: Grid, centres: Sequence[float], bands: Sequence[Band]) -> Plan:
    """Return the finished plan, moved so that it begins at 0."""
    frames = [_item(grid, item, centres, bands) for item in range(len(grid.items))]
    groups = {group: _group(grid, group, centres, bands) for group in grid.sides}
    lines = _Lines(grid, centres, bands, frames).all()
    edges = [*frames, *groups.values()]
    xs = [x for route in lines for x, _ in route.points]
    left = min([frame.left for frame in edges] + xs, default=0.0)
    right = max([frame.right for frame in edges] + xs, default=0.0)
    top = min((frame.top for frame in edges), default=0.0)
    bottom = max((frame.bottom for frame in edges), default=0.0)
    return Plan(
        items=tuple(_moved(frame, left, top) for frame in frames),
        groups={group: _moved(frame, left, top) for group, frame in groups.items()},
        routes=tuple(
            Route(route.link, tuple((x - left, y - top) for x, y in route.points))
            for route in lines
        ),
        width=right - left,
        height=bottom - top,
    )


def _item(grid: Grid, item: int, centres: Sequence[float], bands: Sequence[Band]) -> Frame:
    band, own = bands[grid.row[item]], grid.items[item]
    top = (band.top + band.bottom - own.height) / 2
    return Frame(centres[item] - own.width / 2, top, own.width, own.height)


def _group(grid: Grid, group: str, centres: Sequence[float], bands: Sequence[Band]) -> Frame:
    left_side, right_side = grid.sides[group]
    rows = [grid.row[spot] for spot in left_side]
    labelled = any(link.label_width and grid.row[link.target] == rows[0] for link in grid.links)
    top = bands[rows[0]].top - TITLE - LABEL * labelled
    left = min(centres[spot] for spot in left_side)
    right = max(centres[spot] for spot in right_side)
    return Frame(left, top, right - left, bands[rows[-1]].bottom + GROUP_PADDING - top)


def _moved(frame: Frame, left: float, top: float) -> Frame:
    return Frame(frame.left - left, frame.top - top, frame.width, frame.height)


@dataclass(frozen=True)
class _End:
    """The wanted place of a link's end on the edge of an item."""

    key: Hashable
    wanted: float
    label: float = 0.0
    """The width of the label to the right of it."""

    @property
    def distance(self) -> float:
        """The distance to the next end."""
        return max(BETWEEN_ENDS, self.label)


class _Lines:
    def __init__(
        self,
        grid: Grid,
        centres: Sequence[float],
        bands: Sequence[Band],
        frames: Sequence[Frame],
    ) -> None:
        self.grid, self.centres, self.bands, self.frames = grid, centres, bands, frames
        self.exits = self._exits()
        self.entries = self._entries()

    def all(self) -> list[Route]:
        """Return the routes of all links; a spot that several share is on one of them only."""
        drawn: set[tuple[int, str]] = set()
        found = {}
        far_first = sorted(
            range(len(self.grid.links)),
            key=lambda number: -len(self.grid.ways[number]),
        )
        for number in far_first:
            link, way = self.grid.links[number], self.grid.ways[number]
            first = 0
            while (way[first + 1], link.kind) in drawn and first + 2 < len(way):
                first += 1
            drawn.update((spot, link.kind) for spot in way[1:-1])
            found[number] = Route(link, self._points(number, link, way, first))
        return [found[number] for number in range(len(self.grid.links))]

    def _points(
        self, number: int, link: Link, way: Sequence[int], first: int
    ) -> tuple[tuple[float, float], ...]:
        points: list[tuple[float, float]] = []
        if first == 0:
            x = self.exits[link.source, link.kind]
            points.append((x, self.frames[link.source].bottom))
            points.append((x, self.bands[self.grid.row[link.source]].bottom))
        else:
            points.append((self.centres[way[first]], self.bands[self.grid.row[way[first]]].bottom))
        for spot in way[first + 1 : -1]:
            band = self.bands[self.grid.row[spot]]
            points += [(self.centres[spot], band.top), (self.centres[spot], band.bottom)]
        x, target = self.entries[number], self.frames[link.target]
        end = self.bands[self.grid.row[link.target]].top - STUB - LABEL * bool(link.label_width)
        points += [(x, end), (x, target.top)]
        return tuple(_straightened(points))

    def _exits(self) -> dict[Hashable, float]:
        """Return the x where the links of one kind leave an item."""
        nexts: dict[int, dict[str, set[int]]] = {}
        for link, way in zip(self.grid.links, self.grid.ways, strict=True):
            nexts.setdefault(link.source, {}).setdefault(link.kind, set()).add(way[1])
        found: dict[Hashable, float] = {}
        for item, by_kind in nexts.items():
            own = self.centres[item]
            ends = []
            for kind, spots in by_kind.items():
                nearest = min((self.centres[spot] for spot in spots), key=lambda x: abs(x - own))
                ends.append(_End((item, kind), nearest))
            found |= _spread(self.frames[item], ends)
        return found

    def _entries(self) -> dict[Hashable, float]:
        """Return the x where each link, by its number, reaches its target."""
        ends: dict[int, list[_End]] = {}
        for number, (link, way) in enumerate(zip(self.grid.links, self.grid.ways, strict=True)):
            before = way[-2]
            x = self.exits[before, link.kind] if len(way) == 2 else self.centres[before]
            ends.setdefault(link.target, []).append(_End(number, x, link.label_width))
        found: dict[Hashable, float] = {}
        for item, own in ends.items():
            found |= _spread(self.frames[item], own)
        return found


def _spread(frame: Frame, ends: list[_End]) -> dict[Hashable, float]:
    """Return places on an edge of `frame`, near the wanted ones, with space for the labels.

    The end nearest to the middle gets its wanted place; the others move aside.
    """
    ends = sorted(ends, key=lambda end: end.wanted)
    low = frame.left + CORNER
    x = [min(max(end.wanted, low), frame.right - max(CORNER, end.label)) for end in ends]
    middle = min(range(len(x)), key=lambda index: abs(x[index] - frame.centre))
    for index in range(middle + 1, len(x)):
        x[index] = max(x[index], x[index - 1] + ends[index - 1].distance)
    for index in reversed(range(middle)):
        x[index] = min(x[index], x[index + 1] - ends[index].distance)
    x[-1] = min(x[-1], frame.right - CORNER)
    for index in reversed(range(len(x) - 1)):
        x[index] = min(x[index], x[index + 1] - ends[index].distance)
    if x[0] < low:  # too many to keep their distances, or too far to the left
        needed = sum(end.distance for end in ends[:-1])
        scale = min(1.0, (frame.width - 2 * CORNER) / needed) if needed else 1.0
        x[0] = low
        for index in range(1, len(x)):
            x[index] = max(
                x[index] if scale == 1.0 else low, x[index - 1] + scale * ends[index - 1].distance
            )
    return {end.key: place for end, place in zip(ends, x, strict=True)}


def _straightened(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points without repetitions and without those within a vertical line."""
    found: list[tuple[float, float]] = []
    for point in points:
        if len(found) > 1 and found[-1][0] == found[-2][0] == point[0]:
            found[-1] = point
        elif not found or found[-1] != point:
            found.append(point)
    return found
