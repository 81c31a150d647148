"""Tables to train on: a matrix for each tensor, rows grouped by series and in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


PER_DAY = {"D": 1, "s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
"""How many units of time a day has."""


def time_texts(values: Sequence[float], unit: str, times: Array) -> list[str]:
    """Return times of one column in one form: ``2024-01-31 10:00:00``.

    Where all of `times`, which is the column, are midnights, the dates alone; plain numbers, which
    have no `unit`, as they are.
    """
    if not unit:
        return [f"{value:.15g}" for value in values]
    day = PER_DAY[unit]
    if not (times % day).any():
        unit, values = "D", [value // day for value in values]
    found = [str(np.array(int(value)).astype(f"datetime64[{unit}]")) for value in values]
    return [_without_zeros(text.replace("T", " ")) for text in found]


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
