"""The order of the spots in each row, improved by barycentre sweeps until few links cross."""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.explain.drawing.layout.grid import Grid

TURN = 1e-6
"""A number below the difference of any two mean places."""
SWEEPS = 16
"""The number of sweeps, alternately down and up; the best order is kept."""
FEWEST, SPOTS = 4, 400_000
"""The least number of sweeps, and the most spots in all, so that large pictures are quick."""


def order_rows(grid: Grid) -> None:
    """Order every row of `grid`, with the spots of a group together.

    Groups that share rows are in the same order in all of them, so that their frames can be
    rectangles beside each other.
    """
    place = _first_places(grid)
    _arrange(grid, range(len(grid.rows)), {s: float(p) for s, p in enumerate(place)}, {})
    best, fewest = [list(row) for row in grid.rows], crossings(grid)
    sweeps = min(SWEEPS, max(FEWEST, SPOTS // max(1, len(grid.row))))
    for sweep in range(sweeps):
        if fewest == 0:
            break
        downwards = sweep % 2 == 0
        # What is wanted at one place changes places in every other pair of sweeps.
        _sweep(grid, downwards=downwards, turned=sweep % 4 > 1)
        found = crossings(grid)
        if found < fewest:
            best, fewest = [list(row) for row in grid.rows], found
    grid.rows = best


def _first_places(grid: Grid) -> list[int]:
    """Return places in the order of a walk along links, which keeps connected spots together."""
    place, seen = [0] * len(grid.row), [False] * len(grid.row)
    count = 0
    for start in range(len(grid.row)):
        waiting = [start]
        while waiting:
            spot = waiting.pop()
            if seen[spot]:
                continue
            seen[spot] = True
            place[spot] = count
            count += 1
            waiting += [*reversed(grid.below[spot]), *reversed(grid.above[spot])]
    return place


def _sweep(grid: Grid, *, downwards: bool, turned: bool) -> None:
    groups = _group_places(grid)
    numbers = range(len(grid.rows)) if downwards else reversed(range(len(grid.rows)))
    neighbours = grid.above if downwards else grid.below
    for number in numbers:
        beside = number + (-1 if downwards else 1)
        spots = grid.rows[beside] if 0 <= beside < len(grid.rows) else []
        place = {spot: index for index, spot in enumerate(spots)}
        wanted: dict[int, float] = {}
        for index, spot in enumerate(grid.rows[number]):
            found = [place[other] for other in neighbours[spot]]
            wanted[spot] = sum(found) / len(found) if found else float(index)
            wanted[spot] -= TURN * index if turned else 0.0
        _arrange(grid, [number], wanted, groups)


def _group_places(grid: Grid) -> dict[str, float]:
    """Return the mean place of each group in its rows, from 0 (left) to 1 (right)."""
    sums: dict[str, tuple[float, int]] = {}
    for spots in grid.rows:
        for index, spot in enumerate(spots):
            group = grid.group[spot]
            if group is not None:
                total, count = sums.get(group, (0.0, 0))
                sums[group] = (total + (index + 0.5) / len(spots), count + 1)
    return {group: total / count for group, (total, count) in sums.items()}


def _arrange(
    grid: Grid, numbers: range | list[int], wanted: dict[int, float], groups: dict[str, float]
) -> None:
    """Sort rows by `wanted` places, group by group, and groups among themselves by `groups`."""
    for number in numbers:
        chunks: dict[str | int, list[int]] = {}
        for spot in grid.rows[number]:
            group = grid.group[spot]
            chunks.setdefault(spot if group is None else group, []).append(spot)
        for chunk in chunks.values():
            chunk.sort(key=wanted.__getitem__)
        by_place = sorted(chunks, key=lambda k: sum(wanted[s] for s in chunks[k]) / len(chunks[k]))
        # The groups of the row go to the places that groups have, in the order of all rows.
        named = sorted(
            (key for key in by_place if isinstance(key, str)),
            key=lambda group: (groups.get(group, 0.0), group),
        )
        turn = iter(named)
        keys = [next(turn) if isinstance(key, str) else key for key in by_place]
        grid.rows[number] = [spot for key in keys for spot in chunks[key]]


def crossings(grid: Grid) -> int:
    """Return how often the joints of all rows cross."""
    total = 0
    for spots, lower in zip(grid.rows, grid.rows[1:], strict=False):
        place = {spot: index for index, spot in enumerate(lower)}
        passed: list[int] = []
        for spot in spots:
            ends = [place[below] for below in grid.below[spot]]
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total
