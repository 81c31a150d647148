"""The height of every row, and of the space between rows that arrows need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.explain.drawing.layout.grid import Grid

LABEL = 13.0
"""The space for a line of text at the end of a link."""
TITLE = 20.0
"""The space for the name of a group above its first row."""
GROUP_PADDING = 12.0
BETWEEN_ROWS = 26.0
SLANT = 0.07
"""More space between rows, as a share of the widest distance that a link crosses there."""
WIDEST = 60.0


@dataclass(frozen=True)
class Band:
    """The space of one row, from `top` to `bottom`."""

    top: float
    bottom: float


def heights(grid: Grid, centres: Sequence[float]) -> list[Band]:
    """Return the bands of all rows, from the top."""
    begins = {grid.row[side[0]] for side, _ in grid.sides.values()}
    ends = {grid.row[side[-1]] for side, _ in grid.sides.values()}
    labelled = {grid.row[link.target] for link in grid.links if link.label_width}
    bands: list[Band] = []
    y = 0.0
    for number, spots in enumerate(grid.rows):
        if number:
            y += BETWEEN_ROWS + _slant(grid, number, centres)
        y += LABEL * (number in labelled) + (TITLE + GROUP_PADDING / 2) * (number in begins)
        height = max(grid.items[spot].height if grid.is_item(spot) else 0.0 for spot in spots)
        bands.append(Band(y, y + height))
        y += height + GROUP_PADDING * (number in ends)
    return bands


def _slant(grid: Grid, number: int, centres: Sequence[float]) -> float:
    stretches = (
        abs(centres[spot] - centres[above])
        for spot in grid.rows[number]
        for above in grid.above[spot]
    )
    return min(WIDEST, SLANT * max(stretches, default=0.0))
