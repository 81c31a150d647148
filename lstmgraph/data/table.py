"""A converted table: one matrix for each tensor, its rows grouped by series and in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.data.problems import DataProblem
    from lstmgraph.data.texts import Labels, Texts
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Columns


@dataclass(frozen=True)
class Interpolated:
    """What the values of a matrix are as long as the next ones are not known, (rows, columns)."""

    forward: Array
    """The last values before them; the values themselves where nothing is interpolated."""
    ahead: Array
    """How many rows later the values stand that they depend on, int32; 0 if on none."""


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
    zone: str = ""
    """The time zone whose clocks the calendar follows, as the table names it; times are UTC."""
    masks: Mapping[str, Array] = field(default_factory=dict)
    """For entries with columns of ``missing: mask``, by key: 1 where such a value was missing,
    (rows, columns) uint8."""
    interpolated: Mapping[str, Interpolated] = field(default_factory=dict)
    """By key, for inputs of the past with columns of ``missing: interpolate``."""
    texts: Mapping[str, Texts] = field(default_factory=dict)
    """For entries of texts, whose matrices hold their numbers, the texts."""
    labels: Mapping[str, Labels] = field(default_factory=dict)
    """For targets whose classes are found in the data, and whose matrices hold their numbers."""
    series_keys: tuple[tuple[Any, ...], ...] = ()
    """The values that name each series, by the columns of `series:`; a cached table has none."""
    file_rows: Array | None = None
    """The row of the file that each row is, from 0, and -1 for one that was put in; None where
    they are in its order."""

    @property
    def rows(self) -> int:
        """The number of rows of all series."""
        return int(self.series_starts[-1])


def key_of(entry: Columns) -> str:
    """Return a key for an entry of ``data:``, such as ``inputs-history``, fit for a file name."""
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
