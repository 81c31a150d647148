"""The row of every item: below all that lead to it, and near to what it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.drawing.layout.plan import Link


def rows_of(count: int, links: Sequence[Link]) -> list[int]:
    """The number of each item's row, from 0 at the top.

    By longest path from above; then what feeds no less than it reads, such as an input or the
    projection of a state, moves down to what it feeds, which makes its links no longer in all.
    """
    above: list[set[int]] = [set() for _ in range(count)]
    below: list[set[int]] = [set() for _ in range(count)]
    for link in links:
        above[link.target].add(link.source)
        below[link.source].add(link.target)
    rows = [0] * count
    for item in range(count):
        rows[item] = max((rows[source] + 1 for source in above[item]), default=0)
    for item in reversed(range(count)):
        if below[item] and len(below[item]) >= len(above[item]):
            rows[item] = min(rows[target] for target in below[item]) - 1
    used = {row: index for index, row in enumerate(sorted(set(rows)))}
    return [used[row] for row in rows]
