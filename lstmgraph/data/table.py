"""A converted table: one matrix for each tensor, its rows grouped by series and in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.data.problems import DataProblem
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Columns


@dataclass(frozen=True)
class Table:
    """The rows of all series, one series after the other."""

    matrices: Mapping[str, Array]
    """A matrix (rows, columns) for each entry of ``data:``, by ``key_of`` the entry."""
    series_starts: Array
    """The first row of each series, then the number of rows, (series + 1,) int64."""
    series_names: tuple[str, ...]
    times: Array | None
    """The time of each row, (rows,) int64 or float64; None without a time column."""
    time_unit: str
    """What times count, as NumPy writes it (``us``); empty if they are plain numbers."""
    warnings: tuple[DataProblem, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows of all series."""
        return int(self.series_starts[-1])


def key_of(entry: Columns) -> str:
    """Return a key for an entry of ``data:``, such as ``inputs-history``, fit for a file name."""
    return "-".join(str(part) for part in entry.path[1:])


def time_text(value: float, unit: str) -> str:
    """Return a time as text, such as ``2024-01-31 10:00:00``; a plain number stays a number."""
    if not unit:
        return f"{value:.15g}"
    day, _, clock = str(np.array(int(value)).astype(f"datetime64[{unit}]")).partition("T")
    clock = clock.rstrip("0").rstrip(".") if "." in clock else clock
    return day if clock in ("", "00:00", "00:00:00") else f"{day} {clock}"
