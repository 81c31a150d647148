"""Checks of a table's rows against each other: times increase, static columns stay the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.table import Table, time_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Columns, DataDeclaration

ROWS_AT_ONCE = 1 << 18
LONG_STEP = 1.5
"""How many usual steps make a long one; months of 28 to 31 days still count as even steps."""


def check_times(
    table: Table, data: DataDeclaration, order: Array | None, problems: Problems
) -> None:
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
        places = f", and in {backwards - 1:,} more places" if backwards > 1 else ""
        row, before, after = _place(table, order, first_backwards)
        series = _of_series(table, first_backwards)
        what = f"{before} is followed by {after} in row {row}{series}{places}"
        _report_backwards(data, what, problems)
    elif long:
        row, before, after = _place(table, order, first_long)
        problems.warn(
            "D404",
            f"column '{data.time}': {_steps_are(long)} longer than usual, the first from {before} "
            f"to {after}, row {row}{_of_series(table, first_long)}",
            "windows treat such a gap as a single step; add the missing rows",
        )


def _steps(table: Table, times: Array) -> Iterator[tuple[int, Array, Array]]:
    """Yield, part by part, the first row, the steps between rows, and which are within a series."""
    for start in range(0, table.rows - 1, ROWS_AT_ONCE):
        part = times[start : start + ROWS_AT_ONCE + 1]
        inside = np.ones(len(part) - 1, bool)
        first, end = np.searchsorted(table.series_starts, [start + 1, start + len(part)])
        inside[table.series_starts[first:end] - start - 1] = False
        yield start, np.diff(part), inside


def _report_backwards(data: DataDeclaration, what: str, problems: Problems) -> None:
    columns = ", ".join(f"'{name}'" for name in (*data.series, str(data.time)))
    once = " in a series" if data.series else ", or name the column that tells series apart"
    problems.add(
        "D401",
        f"column '{data.time}' does not increase: {what}",
        f"sort the rows by {columns}; each time may occur only once{once}",
    )


def _place(table: Table, order: Array | None, at: int) -> tuple[int, str, str]:
    """Return the file row (from 1) of the row after `at`, and the times of both rows."""
    assert table.times is not None
    ends = table.times[at].item(), table.times[at + 1].item()
    before, after = time_texts(ends, table.time_unit, table.times)
    return _row(order, at + 1), before, after


def _row(order: Array | None, at: int) -> int:
    return (at if order is None else int(order[at])) + 1


def _of_series(table: Table, at: int) -> str:
    name = table.series_names[int(np.searchsorted(table.series_starts, at, "right")) - 1]
    return f" of series '{name}'" if name else ""


def _steps_are(count: int) -> str:
    return "1 step is" if count == 1 else f"{count:,} steps are"


def check_static(
    table: Table, key: str, entry: Columns, order: Array | None, problems: Problems
) -> None:
    """Report columns of a static input whose values change within a series."""
    for index, column in enumerate(entry.columns):
        for start, steps, inside in _steps(table, table.matrices[key][:, index]):
            wrong = inside & (steps != 0)
            for pair in np.flatnonzero(wrong).tolist() if key in table.texts else ():
                values = table.matrices[key][start + pair : start + pair + 2, index]
                one, other = table.texts[key].of(np.asarray(values))  # which may be one text twice
                wrong[pair] = one != other
            if wrong.any():
                at = start + int(np.argmax(wrong))
                problems.add(
                    "D402",
                    f"column '{column}' is static, but changes in row {_row(order, at + 1)}"
                    f"{_of_series(table, at)}",
                    f"read it with `steps:` in '{entry.name}', or correct the row",
                )
                break
