"""The row of every item: below all items that lead to it, and near those it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.explain.drawing.layout.plan import Item, Link


INSIDE = 3
"""The weight of a link inside a group, which keeps groups short."""


def rows_of(items: Sequence[Item], links: Sequence[Link]) -> list[int]:
    """Return the number of each item's row, from 0 at the top.

    Rows follow from the longest path from above. Then items with no more links from above than to
    below, such as an input or the projection of a state, move down to the items that they feed,
    which does not make their links longer in sum.
    """
    above: list[dict[int, int]] = [{} for _ in items]
    below: list[dict[int, int]] = [{} for _ in items]
    for link in links:
        group = items[link.source].group
        weight = INSIDE if group is not None and group == items[link.target].group else 1
        above[link.target][link.source] = below[link.source][link.target] = weight
    rows = [0] * len(items)
    for item, sources in enumerate(above):
        rows[item] = max((rows[source] + 1 for source in sources), default=0)
    for item in reversed(range(len(items))):
        if below[item] and sum(below[item].values()) >= sum(above[item].values()):
            rows[item] = min(rows[target] for target in below[item]) - 1
    used = {row: index for index, row in enumerate(sorted(set(rows)))}
    return [used[row] for row in rows]
