"""The layout of a picture: a layered drawing, in plain Python.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
system structures", IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981: rows by longest
path (`rows`), bends where arrows pass rows (`grid`), fewer crossings by barycentres (`order`),
places along the rows (`columns`), lines (`routes`). The only library for it in plain Python,
grandalf 0.8, is under the GPL or EPL, and supports neither groups nor lines that avoid boxes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.layout.columns import columns
from lstmgraph.explain.drawing.layout.grid import make_grid
from lstmgraph.explain.drawing.layout.heights import heights
from lstmgraph.explain.drawing.layout.order import order_rows
from lstmgraph.explain.drawing.layout.plan import Frame, Item, Link, Plan, Route
from lstmgraph.explain.drawing.layout.routes import routes
from lstmgraph.explain.drawing.layout.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Frame", "Item", "Link", "Plan", "Route", "lay_out"]


def lay_out(items: Sequence[Item], links: Sequence[Link]) -> Plan:
    """Return a plan that places `items` in rows from top to bottom, with all `links` downwards.

    No two items overlap, and no link passes through an item. The same call gives the same plan.

    Args:
        items: The items, in an order in which every link leads from an earlier to a later one.
        links: The links between items, by their indices.
    """
    grid = make_grid(items, links, rows_of(items, links))
    order_rows(grid)
    centres = columns(grid)
    bands = heights(grid, centres)
    return routes(grid, centres, bands)
