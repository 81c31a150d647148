"""Rows of missing times, which ``every:`` puts in: where they are, and what their times are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.calendar import days_of, month_of
from lstmgraph.data.store import GrowingArray, mapped
from lstmgraph.data.table import PER_DAY, time_texts
from lstmgraph.data.table_checks import (
    CLOCKS_HINT,
    ROWS_AT_ONCE,
    RowPlaces,
    clocks_set_forward,
    of_series,
)
from lstmgraph.data.zones import from_wall, wall
from lstmgraph.language.declaration.cadence import parse_cadence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.table import Table
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.cadence import Cadence
    from lstmgraph.language.declaration.data import DataDeclaration

SOURCE, ALL_TIMES = "source", "times.every"
"""The files of the result."""
FREELY_PUT_IN, MOST_PUT_IN = 1_000_000, 100
"""How many rows may be put in, and how many for each row of the table beyond them."""
CLOSE = 1e-6
"""How far numbers may be from the grid, in steps."""
_DAY = 24 * 3600 * 1000
"""Milliseconds."""


class Grid:
    """The times of ``every:``: for each series, steps from its first time to its last.

    Steps of days or longer, and months, keep the time of day in the column's time zone. Months,
    quarters and years keep the day of the month, or its last day where a month is shorter; a series
    whose times are all the last days of their months stays at the last days.
    """

    def __init__(self, table: Table, cadence: Cadence) -> None:
        assert table.times is not None
        self.table, self.cadence, self.times = table, cadence, table.times
        self.in_zone = bool(table.zone) and cadence.counts_days
        self.firsts = self._walls(np.asarray(self.times[table.series_starts[:-1]]))
        self.at_month_ends = np.zeros(len(self.firsts), bool)
        if cadence.months:
            self.at_month_ends = self._of_month_ends()

    @property
    def step(self) -> float:
        """The length of a step in the unit of the times."""
        cadence, unit = self.cadence, self.table.time_unit
        if not cadence.unit:
            return int(cadence.count) if float(cadence.count).is_integer() else cadence.count
        return PER_DAY[unit] * cadence.milliseconds // _DAY

    def series_of(self, start: int, end: int) -> Array:
        """Return the series of these rows, (rows,)."""
        rows = np.arange(start, end)
        found: Array = np.searchsorted(self.table.series_starts, rows, "right") - 1
        return found

    def places(self, start: int, end: int) -> tuple[Array, Array]:
        """Return the step of each row within its series, and whether it is exactly there."""
        series = self.series_of(start, end)
        times = self._walls(np.asarray(self.times[start:end]))
        first = self.firsts[series]
        if self.cadence.months:
            return self._months(times, first, self.at_month_ends[series])
        passed = times - first
        if times.dtype.kind == "f" or not float(self.step).is_integer():
            steps = np.rint(passed / self.step)
            return steps.astype(np.int64), np.abs(passed - steps * self.step) <= CLOSE * self.step
        steps, rest = np.divmod(passed, int(self.step))
        return steps, rest == 0

    def times_at(self, series: Array, steps: Array) -> Array:
        """Return the times of these steps, (rows,)."""
        first = self.firsts[series]
        if not self.cadence.months:
            times = first + steps * self.step
        else:
            unit = self.table.time_unit
            days = days_of(first, unit)
            month, begin, _ = month_of(days)
            goal = month + steps * self.cadence.months
            goal_begin = goal.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
            _, _, goal_after = month_of(goal_begin)
            last = goal_after - goal_begin - 1
            day = np.where(self.at_month_ends[series], last, np.minimum(days - begin, last))
            times = (goal_begin + day) * PER_DAY[unit] + first % PER_DAY[unit]
        found = times.astype(self.times.dtype)
        return from_wall(found, self.table.time_unit, self.table.zone) if self.in_zone else found

    def _walls(self, times: Array) -> Array:
        return wall(times, self.table.time_unit, self.table.zone) if self.in_zone else times

    def _months(self, times: Array, first: Array, at_ends: Array) -> tuple[Array, Array]:
        unit = self.table.time_unit
        days, first_days = days_of(times, unit), days_of(first, unit)
        month, begin, after = month_of(days)
        first_month, first_begin, _ = month_of(first_days)
        last = after - begin - 1
        wanted = np.where(at_ends, last, np.minimum(first_days - first_begin, last))
        steps, rest = np.divmod(month - first_month, self.cadence.months)
        same_time = times % PER_DAY[unit] == first % PER_DAY[unit]
        return steps, (rest == 0) & same_time & (days - begin == wanted)

    def _of_month_ends(self) -> Array:
        """Return which series have only last days of months, and are not on one day of them."""
        count = len(self.firsts)
        on_day, at_end = np.ones(count, bool), np.ones(count, bool)
        for start in range(0, self.table.rows, ROWS_AT_ONCE):
            end = min(start + ROWS_AT_ONCE, self.table.rows)
            series = self.series_of(start, end)
            times = self._walls(np.asarray(self.times[start:end]))
            for found, ends in ((on_day, False), (at_end, True)):
                _, exact = self._months(times, self.firsts[series], np.full(len(times), ends))
                found[series[~exact]] = False
        return at_end & ~on_day


def cadence_mistake(table: Table, cadence: Cadence) -> tuple[str, str] | None:
    """Return message and hint if steps are nothing that the times can count."""
    assert table.times is not None
    every, unit = f"`every: {cadence}`", table.time_unit
    if not unit and cadence.unit:
        hint = "write a number, such as `every: 1`, or give dates, such as 2024-01-31 10:00"
        return f"holds plain numbers, but {every} counts {cadence.unit}s", hint
    if unit and not cadence.unit:
        hint = "write a unit of time, such as `every: hour` or `every: 15 minutes`"
        return f"holds times, but {every} is a plain number", hint
    if not unit and table.times.dtype.kind == "i" and not float(cadence.count).is_integer():
        return f"holds whole numbers, and {every} is a fraction", "write a whole number"
    if unit and not cadence.months and PER_DAY[unit] * cadence.milliseconds % _DAY:
        what = "dates without hours" if unit == "D" else f"times in {unit}"
        return f"holds {what}, which are coarser than {every}", "write a longer step"
    return None


@dataclass(frozen=True)
class PutIn:
    """The rows of a table and those put in between them."""

    source: Array
    """The row of the table that each row is; -1 for one that is put in, (rows,) int64."""
    times: Array
    """(rows,)."""
    series_starts: Array
    """As in a table."""


def put_in(
    table: Table, data: DataDeclaration, places: RowPlaces, folder: Path, problems: Problems
) -> PutIn | None:
    """Return the rows with those of missing times put in; None if a problem was reported.

    Args:
        table: its times increase within each series.
        data: says how far apart they are.
        places: the rows of the file.
        folder: for the arrays, which stay mapped.
        problems: gets times that are not on the grid.
    """
    cadence, name = parse_cadence(data.every or ""), str(data.time)
    assert cadence is not None
    mistake = cadence_mistake(table, cadence)
    if mistake:
        problems.add("D407", f"column '{name}' {mistake[0]}", mistake[1])
        return None
    grid = Grid(table, cadence)
    lengths = _lengths(grid, places, problems, name)
    if lengths is None:
        return None
    starts = np.concatenate([[0], np.cumsum(lengths)])
    added = int(starts[-1]) - table.rows
    if added > FREELY_PUT_IN + MOST_PUT_IN * table.rows:
        problems.add(
            "D407",
            f"`every: {cadence}` puts {added:,} rows between the {table.rows:,} of the table"
            f"{_longest(grid, places)}",
            "write a longer step, or correct the times",
        )
        return None
    if not table.zone:
        _warn_of_clocks(grid, places, problems, name)
    source, times = folder / f"{SOURCE}.npy", folder / f"{ALL_TIMES}.npy"
    with (
        GrowingArray(source, np.dtype(np.int64), 1) as sources,
        GrowingArray(times, grid.times.dtype, 1) as all_times,
    ):
        for start, end in _pieces(table.rows):
            at = _rows(grid, starts, start, end)
            after = int(_rows(grid, starts, end, end + 1)[0]) if end < table.rows else starts[-1]
            for first in range(int(at[0]), int(after), ROWS_AT_ONCE):
                last = min(first + ROWS_AT_ONCE, int(after))
                inside = at[(at >= first) & (at < last)]
                here = np.full(last - first, -1, np.int64)
                here[inside - first] = start + np.searchsorted(at, inside)
                sources.append(here[:, None])
                all_times.append(_times(grid, starts, here, first)[:, None])
    return PutIn(mapped(source)[:, 0], mapped(times)[:, 0], starts)


def _rows(grid: Grid, starts: Array, start: int, end: int) -> Array:
    """Return where rows of the table stand among those put in, (end - start,)."""
    steps, _ = grid.places(start, end)
    found: Array = starts[grid.series_of(start, end)] + steps
    return found


def _times(grid: Grid, starts: Array, source: Array, first: int) -> Array:
    rows = np.arange(first, first + len(source))
    series = np.searchsorted(starts, rows, "right") - 1
    times = np.array(grid.times_at(series, rows - starts[series]))  # Arrow's cannot be written
    given = source >= 0
    times[given] = grid.times[source[given]]
    return times


def _lengths(grid: Grid, places: RowPlaces, problems: Problems, name: str) -> Array | None:
    """Return the steps of each series, (series,); None if a time is not on the grid."""
    table, wrong, first = grid.table, 0, -1
    ends = table.series_starts[1:] - 1
    lengths = np.zeros(len(ends), np.int64)
    for start, end in _pieces(table.rows):
        steps, exact = grid.places(start, end)
        before = grid.places(start - 1, start)[0] if start else steps[:1] - 1
        again = np.diff(steps, prepend=before) <= 0  # two numbers that are close to one step
        firsts = table.series_starts[(table.series_starts >= start) & (table.series_starts < end)]
        again[firsts - start] = False
        exact &= ~again
        if not exact.all() and not wrong:
            first = start + int(np.argmin(exact))
        wrong += int(np.count_nonzero(~exact))
        last = ends[(ends >= start) & (ends < end)]
        lengths[np.searchsorted(ends, last)] = steps[last - start] + 1
    if not wrong:
        return lengths
    series = int(grid.series_of(first, first + 1)[0])
    step = int(grid.places(first, first + 1)[0][0])
    near = grid.times_at(np.array([series, series]), np.array([step, step + 1]))
    begins = grid.times[table.series_starts[series]]
    shown = [grid.times[first].item(), begins.item(), *near.tolist()]
    own, begin, lower, higher = time_texts(shown, table.time_unit, grid.times)
    places_of = f" and {wrong - 1:,} more" if wrong > 1 else ""
    problems.add(
        "D406",
        f"column '{name}', {places.of(first)}{places_of}: {own} is not on the grid of "
        f"`every: {grid.cadence}`, which begins at {begin}{of_series(table, first)}",
        f"correct it to {lower} or {higher}, or write another `every:`",
    )
    return None


def _longest(grid: Grid, places: RowPlaces) -> str:
    """Return where most rows are put in."""
    table, most, at = grid.table, -1, 0
    for start, end in _pieces(table.rows):
        steps = np.diff(grid.places(start, min(end + 1, table.rows))[0])
        if len(steps) and steps.max() > most:
            most, at = int(steps.max()), start + int(np.argmax(steps))
    ends = time_texts(grid.times[at : at + 2].tolist(), table.time_unit, grid.times)
    return f"; most of them between {ends[0]} and {ends[1]}, {places.of(at + 1)}"


def _warn_of_clocks(grid: Grid, places: RowPlaces, problems: Problems, name: str) -> None:
    """Warn (D410) of an hour that is put in where clocks were set forward."""
    table, unit = grid.table, grid.table.time_unit
    if not unit or grid.cadence.counts_days:
        return
    for start, end in _pieces(table.rows - 1):
        times = np.asarray(grid.times[start : end + 1])
        found = np.flatnonzero(clocks_set_forward(times, unit, int(grid.step)))
        same = grid.series_of(start, end + 1)
        found = found[same[found] == same[found + 1]]
        if len(found):
            at = start + int(found[0])
            ends = time_texts(times[found[0] :][:2].tolist(), unit, grid.times)
            problems.warn(
                "D410",
                f"column '{name}', {places.of(at + 1)}: {ends[0]} is followed by {ends[1]}, as "
                "where clocks are set forward; rows are put in for an hour that did not exist",
                CLOCKS_HINT,
            )
            return


def _pieces(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, ROWS_AT_ONCE):
        yield start, min(start + ROWS_AT_ONCE, count)
