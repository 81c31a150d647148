"""Tables to train on: a matrix for each tensor, rows grouped by series and in order."""

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
    """Rows of all series, one series after the other."""

    matrices: Mapping[str, Array]
    """By ``key_of`` an entry: (rows, columns)."""
    series_starts: Array
    """(series + 1,) int64: the first row of each series, and the number of rows."""
    series_names: tuple[str, ...]
    times: Array | None
    """(rows,) int64 or float64."""
    time_unit: str
    """NumPy's, such as ``us``; empty where times are plain numbers."""
    warnings: tuple[DataProblem, ...] = ()

    @property
    def rows(self) -> int:
        """Return the number of rows of all series."""
        return int(self.series_starts[-1])


def key_of(entry: Columns) -> str:
    """Return an entry's key, such as ``inputs-history``; it names files, too."""
    return "-".join(str(part) for part in entry.path[1:])


def time_text(value: float, unit: str) -> str:
    """Return a time as text, such as ``2024-01-31 10:00:00``; a plain number as it is."""
    if not unit:
        return f"{value:.15g}"
    day, _, clock = str(np.array(int(value)).astype(f"datetime64[{unit}]")).partition("T")
    clock = clock.rstrip("0").rstrip(".") if "." in clock else clock
    return day if clock in ("", "00:00", "00:00:00") else f"{day} {clock}"
