"""Checks of a table's rows against each other: times increase, static columns stay the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.table import PER_DAY, Table, time_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Columns, DataDeclaration

ROWS_AT_ONCE = 1 << 18
LONG_STEP = 1.5
"""How many usual steps make a long one; months of 28 to 31 days still count as even steps."""


CLOCKS_HINT = "write times in UTC, or with their offset: 2024-03-31 03:00+02:00"


@dataclass(frozen=True)
class RowPlaces:
    """Where the rows of a table stand in its file."""

    order: Array | None = None
    """The row of the file that each row is, from 0; None if they are in its order."""
    source: Array | None = None
    """The row of the table before missing ones were put in, -1 for those; None for all rows."""

    def of(self, at: int) -> str:
        """Return the name of a row: ``row 17``, counted from 1 in the file."""
        at = at if self.source is None else int(self.source[at])
        if at < 0:
            return "a row that `every:` puts in"
        return f"row {(at if self.order is None else int(self.order[at])) + 1}"

    @property
    def rows(self) -> Array | None:
        """The row of the file that each row is, -1 for those put in; None for the same rows."""
        if self.source is None or self.order is None:
            return self.order if self.source is None else self.source
        found: Array = np.where(self.source < 0, -1, self.order[np.maximum(self.source, 0)])
        return found


def check_times(table: Table, data: DataDeclaration, places: RowPlaces, problems: Problems) -> None:
    """Report rows of a series whose time does not increase; warn of missing steps."""
    if table.times is None:
        return
    backwards, long, usual = 0, 0, None
    first_backwards = first_long = 0
    for start, steps, inside in _steps(table, table.times):
        wrong = inside & (steps <= 0)
        if wrong.any() and not backwards:
            first_backwards = start + int(np.argmax(wrong))
        backwards += int(np.count_nonzero(wrong))
        if usual is None and (inside & (steps > 0)).any():
            usual = float(np.median(steps[inside & (steps > 0)]))
        larger = inside & (steps > LONG_STEP * (usual or np.inf))
        if larger.any() and not long:
            first_long = start + int(np.argmax(larger))
        long += int(np.count_nonzero(larger))
    if backwards:
        _report_backwards(table, data, places, (first_backwards, backwards), problems)
    elif long and data.every is None:
        before, after = _times_of(table, first_long)
        hint = "windows treat such a gap as a single step; add the missing rows, or write `every:`"
        ends = np.asarray(table.times[first_long : first_long + 2])
        if clocks_set_forward(ends, table.time_unit, int(usual or 0)).any() and not table.zone:
            hint += f". Where clocks are set forward, {CLOCKS_HINT}"
        problems.warn(
            "D404",
            f"column '{data.time}': {_steps_are(long)} longer than usual, the first from {before} "
            f"to {after}, {places.of(first_long + 1)}{of_series(table, first_long)}",
            hint,
        )


def clocks_set_forward(times: Array, unit: str, usual: int) -> Array:
    """Return after which times an hour is missing as where clocks are set forward, (rows - 1,).

    That is the hour before 2 or 3 o'clock in the night to a Sunday, in spring: March or April, or
    September and October in the south. `usual` is the step between times.
    """
    if unit in ("", "D") or not usual or usual > PER_DAY[unit] // 24:
        return np.zeros(max(0, len(times) - 1), bool)
    after, hour = times[1:], PER_DAY[unit] // 24
    skipped = (np.diff(times) == usual + hour) & (after % hour == 0)
    found: Array = skipped & _in_a_night_of_change(after, unit, (2, 3, 8, 9))
    return found


def _in_a_night_of_change(times: Array, unit: str, months: tuple[int, ...]) -> Array:
    days, hours = np.divmod(times, PER_DAY[unit])
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    night = hours * 24 // PER_DAY[unit]
    found: Array = (days % 7 == 3) & np.isin(month, months) & (night >= 1) & (night <= 3)
    return found


def _steps(table: Table, times: Array) -> Iterator[tuple[int, Array, Array]]:
    """Yield, part by part, the first row, the steps between rows, and which are within a series."""
    for start in range(0, table.rows - 1, ROWS_AT_ONCE):
        part = times[start : start + ROWS_AT_ONCE + 1]
        inside = np.ones(len(part) - 1, bool)
        first, end = np.searchsorted(table.series_starts, [start + 1, start + len(part)])
        inside[table.series_starts[first:end] - start - 1] = False
        yield start, np.diff(part), inside


def _report_backwards(
    table: Table,
    data: DataDeclaration,
    places: RowPlaces,
    found: tuple[int, int],
    problems: Problems,
) -> None:
    """Report the first and the number of rows whose time is not later than the one before."""
    assert table.times is not None
    at, count = found
    columns = ", ".join(f"'{name}'" for name in (*data.series, str(data.time)))
    once = " in a series" if data.series else ", or name the column that tells series apart"
    hint = f"sort the rows by {columns}; each time may occur only once{once}"
    others = f", and in {count - 1:,} more places" if count > 1 else ""
    before, after = _times_of(table, at)
    what = f"does not increase: {before} is followed by {after} in {places.of(at + 1)}"
    ends = np.asarray(table.times[at : at + 2])
    if before == after:
        what = f"has a time twice: {before}, in {places.of(at)} and {places.of(at + 1)}"
        hint = f"remove one of the rows; each time may occur only once{once}"
    if _set_back(ends, table):
        hint = f"where clocks are set back, an hour comes twice: {CLOCKS_HINT}; or {hint}"
    problems.add("D401", f"column '{data.time}' {what}{of_series(table, at)}{others}", hint)


def _set_back(ends: Array, table: Table) -> bool:
    """Return whether the second of two times is at most an hour back in a night in autumn."""
    unit = table.time_unit
    if unit in ("", "D") or table.zone or ends[0] - ends[1] > PER_DAY[unit] // 24:
        return False
    return bool(_in_a_night_of_change(ends[1:], unit, (2, 3, 9, 10)).all())


def _times_of(table: Table, at: int) -> tuple[str, str]:
    """Return the times of a row and the next."""
    assert table.times is not None
    ends = table.times[at].item(), table.times[at + 1].item()
    before, after = time_texts(ends, table.time_unit, table.times)
    return before, after


def of_series(table: Table, at: int) -> str:
    """Return which series a row belongs to, as text; empty without named series."""
    name = table.series_names[int(np.searchsorted(table.series_starts, at, "right")) - 1]
    return f" of series '{name}'" if name else ""


def _steps_are(count: int) -> str:
    return "1 step is" if count == 1 else f"{count:,} steps are"


def check_static(
    table: Table, key: str, entry: Columns, places: RowPlaces, problems: Problems
) -> None:
    """Report columns of a static input whose values change within a series."""
    for index, column in enumerate(entry.columns):
        for start, steps, inside in _steps(table, table.matrices[key][:, index]):
            wrong = inside & (steps != 0) & ~np.isnan(steps)
            if wrong.any():
                at = start + int(np.argmax(wrong))
                problems.add(
                    "D402",
                    f"column '{column}' is static, but changes in {places.of(at + 1)}"
                    f"{of_series(table, at)}",
                    f"read it with `steps:` in '{entry.name}', or correct the row",
                )
                break
