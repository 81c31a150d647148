"""Axes of searched values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.charts.axes import CategoryAxis, number_axis
from lstmgraph.explain.charts.markup import key, number, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.explain.charts.axes import Axis
    from lstmgraph.tuning.search.results import DimensionRow


def dimension_axis(
    dimension: DimensionRow, values: Iterable[object], start: float, end: float
) -> Axis:
    """Return an axis over the range of the dimension, and over `values` beyond it."""
    if is_number(dimension):
        ends = [number(end) for end in (dimension.low, dimension.high)]
        numbers = [number(value) for value in values]
        found = [value for value in (*ends, *numbers) if value is not None]
        return number_axis(found, start, end, log=dimension.scale == "log")
    choices = dimension.choices or ((False, True) if dimension.kind == "bool" else ())
    return CategoryAxis({key(value): plain(value) for value in (*choices, *values)}, start, end)


def is_number(dimension: DimensionRow) -> bool:
    """Return whether a dimension is a range of numbers, not a choice."""
    return dimension.kind in {"int", "float"}
