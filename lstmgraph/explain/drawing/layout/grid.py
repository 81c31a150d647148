"""Rows of spots: items, bends where links pass a row, and the sides of groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.explain.drawing.layout.plan import Item, Link

BEND_WIDTH = 6.0


@dataclass
class Grid:
    """Rows of spots, which are numbers: first the items, then bends and sides of groups."""

    items: Sequence[Item]
    links: Sequence[Link]
    row: list[int] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    group: list[str | None] = field(default_factory=list)
    above: list[list[int]] = field(default_factory=list)
    """For each spot, the spots of the row above that it is joined to."""
    below: list[list[int]] = field(default_factory=list)
    leading: set[tuple[int, int]] = field(default_factory=set)
    """Joined spots that should be above each other."""
    rows: list[list[int]] = field(default_factory=list)
    """The spots of each row, from left to right."""
    ways: list[list[int]] = field(default_factory=list)
    """For each link, the spots from its source to its target, one in each row."""
    sides: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)
    """For each group, the spots of its left and right side, one in each row; see `add_sides`."""

    def add(self, row: int, width: float, group: str | None) -> int:
        """Add a spot, which is not in its row's order yet, and return it."""
        self.row.append(row)
        self.width.append(width)
        self.group.append(group)
        self.above.append([])
        self.below.append([])
        return len(self.row) - 1

    def join(self, upper: int, lower: int) -> None:
        """Join two spots of neighbouring rows, once."""
        if lower not in self.below[upper]:
            self.below[upper].append(lower)
            self.above[lower].append(upper)

    def is_item(self, spot: int) -> bool:
        """Return whether a spot is an item."""
        return spot < len(self.items)

    def add_sides(self) -> None:
        """Put the two sides of each group around its spots in each row, which are together."""
        for number, spots in enumerate(self.rows):
            found: list[int] = []
            for index, spot in enumerate(spots):
                group = self.group[spot]
                if group is not None and (index == 0 or self.group[spots[index - 1]] != group):
                    found.append(self._side(group, number, 0))
                found.append(spot)
                last = index + 1 == len(spots)
                if group is not None and (last or self.group[spots[index + 1]] != group):
                    found.append(self._side(group, number, 1))
            self.rows[number] = found

    def _side(self, group: str, row: int, which: int) -> int:
        spot = self.add(row, 0.0, None)
        self.sides.setdefault(group, ([], []))[which].append(spot)
        return spot


def make_grid(items: Sequence[Item], links: Sequence[Link], rows: Sequence[int]) -> Grid:
    """Return a grid whose rows have a first order, which is not a good one yet.

    Links of one kind from one item share their bends. So there are as many arrows as sources, not
    as many as readers, and the number of bends grows with the length of a drawing.
    """
    grid = Grid(items, links)
    for item, row in zip(items, rows, strict=True):
        grid.add(row, item.width, item.group)
    grid.rows = [[] for _ in range(max(rows, default=-1) + 1)]
    inside = _reach_inside(items, links, rows)
    bends: dict[tuple[int, str, int], int] = {}
    for link in links:
        way = [link.source]
        for row in range(rows[link.source] + 1, rows[link.target]):
            key = (link.source, link.kind, row)
            if key not in bends:
                within = row < inside.get(key[:2], 0)
                group = items[link.source].group if within else None
                bends[key] = grid.add(row, BEND_WIDTH, group)
            way.append(bends[key])
        way.append(link.target)
        for upper, lower in pairwise(way):
            grid.join(upper, lower)
            if link.leads:
                grid.leading.add((upper, lower))
        grid.ways.append(way)
    _fill_groups(grid)
    for spot, row in enumerate(grid.row):
        grid.rows[row].append(spot)
    return grid


def _reach_inside(
    items: Sequence[Item], links: Sequence[Link], rows: Sequence[int]
) -> dict[tuple[int, str], int]:
    """Return the lowest row of its group that each kind of link from an item reaches."""
    found: dict[tuple[int, str], int] = {}
    for link in links:
        group = items[link.source].group
        if group is not None and items[link.target].group == group:
            key = (link.source, link.kind)
            found[key] = max(found.get(key, 0), rows[link.target])
    return found


def _fill_groups(grid: Grid) -> None:
    """Add an unjoined bend in each row that a group spans without a spot."""
    rows: dict[str, set[int]] = {}
    for group, row in zip(grid.group, grid.row, strict=True):
        if group is not None:
            rows.setdefault(group, set()).add(row)
    for group, found in rows.items():
        for row in range(min(found), max(found)):
            if row not in found:
                grid.add(row, BEND_WIDTH, group)
