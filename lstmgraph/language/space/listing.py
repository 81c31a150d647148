"""A space as a table, with rich."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lstmgraph.language.space.dimensions import condition_text, text_of
from lstmgraph.messages.tables import cell

if TYPE_CHECKING:
    from lstmgraph.language.space.dimensions import Dimension, Space

WIDEST = 200


def space_text(space: Space) -> str:
    """A row for each dimension, and how many points there are."""
    if not space.dimensions:
        return "nothing is searched"
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("dimension", no_wrap=True)
    for heading in ("searched", "default", "counts where"):
        table.add_column(heading, overflow="fold")
    for dimension in space.dimensions:
        conditions = " and ".join(condition_text(each) for each in dimension.conditions)
        values = dimension.extent(), text_of(dimension.default), conditions
        table.add_row(*map(cell, (dimension.name, *values)))
    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDEST, color_system=None, highlight=False)
    console.print(table)
    console.print(_size_text(space), markup=False)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()).lstrip("\n")


def _size_text(space: Space) -> str:
    number = len(space.dimensions)
    dimensions = f"{number} dimension{'s' if number > 1 else ''}"
    size = space.size()
    if size is not None:
        return f"{dimensions}, {size:,} point{'s' if size > 1 else ''}"
    names = ", ".join(each.name for each in space.dimensions if _is_continuous(each))
    return f"{dimensions}, infinitely many points: continuous without a step are {names}"


def _is_continuous(dimension: Dimension) -> bool:
    return dimension.count() is None
