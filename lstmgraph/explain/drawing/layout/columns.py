"""The place of every spot along its row.

Spots of neighbouring rows that are joined are put into one column wherever such columns do not
cross, as Brandes and Köpf do ("Fast and simple horizontal coordinate assignment", Graph Drawing
2001): chains of layers and long links become straight lines. Columns that do not cross have an
order from left to right, in which they move to what they are joined to.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import pairwise
from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.layout.grid import BEND_WIDTH

if TYPE_CHECKING:
    from lstmgraph.explain.drawing.layout.grid import Grid

BETWEEN_ITEMS = 30.0
BESIDE_BEND = 14.0
BETWEEN_BENDS = 12.0
INSIDE_GROUP = 14.0
BESIDE_GROUP = 16.0
ROUNDS = 24
"""The number of rounds that move columns; each takes time in proportion to the spots."""


def columns(grid: Grid) -> list[float]:
    """Return the x of the centre of every spot, and add the sides of groups to `grid`."""
    grid.add_sides()
    column = _aligned(grid)
    return _Columns(grid, column).placed()


def _aligned(grid: Grid) -> list[int]:
    """Return the number of the column of each spot."""
    place = {spot: index for spots in grid.rows for index, spot in enumerate(spots)}
    accepted: list[list[tuple[int, int]]] = [[] for _ in grid.rows]
    above: dict[int, int] = {}
    taken: set[int] = set()
    for upper, lower in _candidates(grid, place):
        if lower in above or upper in taken:
            continue
        pairs, pair = accepted[grid.row[upper]], (place[upper], place[lower])
        index = bisect_left(pairs, pair)
        left_of = index == 0 or pairs[index - 1][1] < pair[1]
        right_of = index == len(pairs) or pairs[index][1] > pair[1]
        if left_of and right_of:
            insort(pairs, pair)
            above[lower] = upper
            taken.add(upper)
    column = [0] * len(grid.row)
    count = 0
    for spot in sorted(range(len(grid.row)), key=grid.row.__getitem__):
        if spot in above:
            column[spot] = column[above[spot]]
        else:
            column[spot] = count
            count += 1
    return column


def _candidates(grid: Grid, place: dict[int, int]) -> list[tuple[int, int]]:
    """Return joined spots in the order of alignment: groups, long links, chains, then the rest."""
    sides = [pair for both in grid.sides.values() for side in both for pair in pairwise(side)]
    ranked = []
    for spots in grid.rows:
        for upper in spots:
            for lower in grid.below[upper]:
                bends = (not grid.is_item(upper)) + (not grid.is_item(lower))
                alike = grid.group[upper] == grid.group[lower]
                middle = _off_middle(grid.below[upper], lower, place)
                middle += _off_middle(grid.above[lower], upper, place)
                # A bend and an item come last: the item is better above the next item.
                classes = (bends != 2, bends == 1, not alike, (upper, lower) not in grid.leading)
                rank = (*classes, middle, grid.row[upper], place[upper])
                ranked.append((rank, (upper, lower)))
    return sides + [pair for _, pair in sorted(ranked)]


def _off_middle(spots: list[int], spot: int, place: dict[int, int]) -> float:
    ordered = sorted(spots, key=place.__getitem__)
    return abs(ordered.index(spot) - (len(ordered) - 1) / 2)


class _Columns:
    """The columns, their order, and their places."""

    def __init__(self, grid: Grid, column: list[int]) -> None:
        self.grid = grid
        self.column = column
        count = max(column, default=-1) + 1
        self.left_sides = {column[side[0]] for side, _ in grid.sides.values()}
        self.right_sides = {column[side[0]] for _, side in grid.sides.values()}
        self.after: list[dict[int, float]] = [{} for _ in range(count)]
        self.before: list[dict[int, float]] = [{} for _ in range(count)]
        self.joined: list[list[int]] = [[] for _ in range(count)]
        for spots in grid.rows:
            for left, right in pairwise(spots):
                self._keep_apart(column[left], column[right], _distance(grid, left, right))
        for upper, lowers in enumerate(grid.below):
            for lower in lowers:
                if column[upper] != column[lower]:
                    self.joined[column[upper]].append(column[lower])
                    self.joined[column[lower]].append(column[upper])
        self.sequence = self._from_left()
        self.x = [0.0] * count

    def _keep_apart(self, left: int, right: int, distance: float) -> None:
        distance = max(distance, self.after[left].get(right, 0.0))
        self.after[left][right] = self.before[right][left] = distance

    def _from_left(self) -> list[int]:
        """Return the columns in an order in which each comes after all that are left of it."""
        missing = [len(each) for each in self.before]
        free = [number for number, count in enumerate(missing) if not count]
        found = []
        while free:
            number = free.pop()
            found.append(number)
            for right in self.after[number]:
                missing[right] -= 1
                if not missing[right]:
                    free.append(right)
        assert len(found) == len(missing), "columns that do not cross have an order"
        return found

    def placed(self) -> list[float]:
        self.x = self._pushed_right([0.0] * len(self.x))
        for _ in range(ROUNDS):
            wanted = [self._wanted(number) for number in range(len(self.x))]
            # Both keep all distances, and so does what is in the middle of them.
            right, left = self._pushed_right(wanted), self._pushed_left(wanted)
            self.x = [(a + b) / 2 for a, b in zip(right, left, strict=True)]
        for number in [*self.sequence, *reversed(self.sequence)]:
            low, high = self._room(number)
            self.x[number] = min(max(self._wanted(number), low), high)
        return [self.x[number] for number in self.column]

    def _wanted(self, number: int) -> float:
        """Return where a column should be: at its joined spots; a group's side, near the group."""
        if number in self.left_sides:
            return self._room(number)[1]
        if number in self.right_sides:
            return self._room(number)[0]
        joined = self.joined[number]
        if not joined:
            return self.x[number]
        places = sorted(self.x[other] for other in joined)
        return (places[(len(places) - 1) // 2] + places[len(places) // 2]) / 2

    def _room(self, number: int) -> tuple[float, float]:
        low = max((self.x[n] + d for n, d in self.before[number].items()), default=float("-inf"))
        high = min((self.x[n] - d for n, d in self.after[number].items()), default=float("inf"))
        return low, high

    def _pushed_right(self, wanted: list[float]) -> list[float]:
        x = list(wanted)
        for number in self.sequence:
            for left, distance in self.before[number].items():
                x[number] = max(x[number], x[left] + distance)
        return x

    def _pushed_left(self, wanted: list[float]) -> list[float]:
        x = list(wanted)
        for number in reversed(self.sequence):
            for right, distance in self.after[number].items():
                x[number] = min(x[number], x[right] - distance)
        return x


def _distance(grid: Grid, left: int, right: int) -> float:
    """Return the distance between the centres of neighbours in a row."""
    return (grid.width[left] + grid.width[right]) / 2 + _gap(grid, left, right)


def _gap(grid: Grid, left: int, right: int) -> float:
    sides = [spot for spot in (left, right) if grid.width[spot] == 0.0]
    if sides:
        inner = {grid.group[left], grid.group[right]} != {None}
        return INSIDE_GROUP if inner else BESIDE_GROUP
    bends = sum(grid.width[spot] == BEND_WIDTH for spot in (left, right))
    return (BETWEEN_ITEMS, BESIDE_BEND, BETWEEN_BENDS)[bends]
