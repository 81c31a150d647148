"""The windows to predict for: where the history of each ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.table import key_of, time_texts
from lstmgraph.data.windows import Places
from lstmgraph.language.declaration.data import HISTORY, HORIZON, STATIC, WINDOW, Columns
from lstmgraph.language.declaration.row_numbers import UNKNOWN
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.table import Table
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Column, DataDeclaration, Window
    from lstmgraph.prediction.clock import Clock

ALL = "all"
FAR = 10
"""How many spreads a value may be from the center of its column's scale."""
CHUNK = 1 << 18
"""How many rows are read at a time."""

Origins = int | str | None
"""How many of the last windows of a series to take, ``all``, or None for the last one."""


def check_origins(origins: Origins, stride: int) -> None:
    """Check that origins are a number from 1 or ``all``, and the stride at least 1.

    Raises:
        ValueError: they are not.
    """
    if not (origins in (None, ALL) or (isinstance(origins, int) and origins >= 1)):
        raise ValueError(f"origins are a number from 1, or 'all', not {origins!r}")
    if stride < 1:
        raise ValueError(f"the stride must be at least 1, not {stride}")


@dataclass(frozen=True)
class WindowedTable:
    """A table that windows are taken from."""

    table: Table
    data: DataDeclaration
    window: Window
    clock: Clock | None

    def origins(
        self, origins: Origins, stride: int, *, with_targets: bool, problems: Problems
    ) -> Places:
        """Return the windows of every series; those that are too short for one give a warning.

        The last origin of a series stands behind its last row that has its target columns. With
        rolling origins, and those of `with_targets`, it stands so far before the end that the rows
        of the horizon are there.
        """
        table, window = self.table, self.window
        starts, ends = table.series_starts[:-1], table.series_starts[1:]
        if window.history is None:
            kept = np.flatnonzero(ends - starts >= window.min_history).astype(np.int32)
            lengths = (ends - starts)[kept].astype(np.int32)
            places = Places(kept, ends[kept], lengths, int(lengths.max(initial=1)))
        else:
            ahead = rows_ahead(self.data, window)
            known = _known_ends(table, self.data)
            last = known
            if last is None:  # no column says where the future begins
                last = ends - ahead
            elif origins is not None:
                last = np.minimum(last, ends - ahead)
            if with_targets and known is not None:
                last = np.minimum(last, known - window.horizon)
            places = _rolling(starts, last, window, origins, stride)
        _warn_of_short(table, places, window, problems)
        return places

    def check_inputs(self, places: Places, problems: Problems) -> None:
        """Report rows that windows read and the table lacks, and values missing in such rows."""
        entries = [entry for entry in self.data.inputs.values() if isinstance(entry, Columns)]
        for entry in entries:
            if entry.steps in (HORIZON, WINDOW):
                self._check_rows(entry, places, problems)
        for entry in entries if not problems.errors else ():
            matrix = self.table.matrices.get(key_of(entry))
            if matrix is not None and matrix.dtype.kind == "f":
                self._check_values(entry, matrix, places, problems)

    def warn_of_drift(
        self, moments: Mapping[str, Array], places: Places, problems: Problems
    ) -> None:
        """Warn of values that lie far from all that the model was trained on.

        Known are the numbers that ``scale:`` was fitted on, and `moments` of other inputs: for each
        column, center and spread, (columns, 2).
        """
        for entry in self.data.inputs.values():
            matrix = isinstance(entry, Columns) and self.table.matrices.get(key_of(entry))
            if not isinstance(entry, Columns) or not isinstance(matrix, np.ndarray):
                continue
            for index, name in enumerate(entry.columns):
                column, known = self.data.columns.get(name), moments.get(entry.name)
                if column and column.scale and column.fitted and not column.difference:
                    is_log, numbers = column.scale == "log", self._fitted_numbers(column)
                elif known is not None:
                    is_log, numbers = False, known[[index]]
                else:
                    continue
                found = self._far(entry, matrix[:, index], numbers, places, log=is_log)
                self._warn_of_far(name, matrix[:, index], *found, problems)

    def _fitted_numbers(self, column: Column) -> Array:
        """Return center and spread of a column, for each series if they differ, (series, 2)."""
        usual = column.fitted or UNKNOWN
        names = self.table.series_names if column.fitted_series else ()
        return np.array([column.fitted_series.get(name, usual) for name in names] or [usual])

    def _far(
        self, entry: Columns, values: Array, numbers: Array, places: Places, *, log: bool
    ) -> tuple[int, int]:
        """Return how many values that windows read lie far from a center, and the first row."""
        starts = self.table.series_starts
        count, first = 0, -1
        for start, read in self._rows_read(entry, places):
            part = np.asarray(values[start : start + len(read)], "float64")
            if log:
                part = np.log1p(np.maximum(part, 0))
            of_rows = np.searchsorted(starts, np.arange(start, start + len(read)), "right") - 1
            center, spread = numbers[of_rows if len(numbers) > 1 else 0 * of_rows].T
            far = read & (np.abs(part - center) > FAR * abs(spread))
            if far.any() and not count:
                first = start + int(np.argmax(far))
            count += int(np.count_nonzero(far))
        return count, first

    def _warn_of_far(
        self, name: str, values: Array, count: int, first: int, problems: Problems
    ) -> None:
        if count:
            series = int(np.searchsorted(self.table.series_starts, first, "right")) - 1
            others = f" and in {count - 1:,} more rows" if count > 1 else ""
            problems.warn(
                "D505",
                f"column '{name}' is {values[first]:g} at {self._place(series, first)}"
                f"{others}, more than {FAR} times the spread from what the model was trained on",
                "check the column and its unit, or train the model again",
            )

    def _check_rows(self, entry: Columns, places: Places, problems: Problems) -> None:
        ends = self.table.series_starts[1:][places.series]
        lag = entry.lag if entry.steps == HORIZON else 0
        late = np.flatnonzero(places.origins + self.window.horizon - lag > ends)
        if not len(late):
            return
        at = int(late[0])
        row = int(ends[at])
        step = row - int(places.origins[at]) + 1
        others = len(np.unique(places.series[late])) - 1
        more = f" (the same in {others:,} more series)" if others else ""
        problems.add(
            "D501",
            f"'{entry.name}' needs '{entry.columns[0]}' for "
            f"{self._place(int(places.series[at]), row)} (step {step}), but there is no such "
            f"row{more}",
            _AHEAD_HINT,
        )

    def _check_values(
        self, entry: Columns, matrix: Array, places: Places, problems: Problems
    ) -> None:
        found: set[str] = set()
        for first, rows in self._rows_read(entry, places):
            part = np.asarray(matrix[first : first + len(rows)])
            empty = np.isnan(part) & rows[:, None]
            for index in np.flatnonzero(empty.any(axis=0)).tolist():
                column = entry.columns[index]
                if column in found:
                    continue
                found.add(column)
                row = first + int(np.argmax(empty[:, index]))
                series = int(np.searchsorted(self.table.series_starts, row, "right")) - 1
                hint = _EMPTY_HINT
                if entry.steps in (HORIZON, WINDOW):
                    hint = _LAG_HINT if entry.lag else _AHEAD_HINT
                problems.add(
                    "D501",
                    f"column '{column}' has no value for {self._place(series, row)}, which "
                    f"'{entry.name}' reads",
                    hint,
                )

    def _rows_read(self, entry: Columns, places: Places) -> Iterator[tuple[int, Array]]:
        """Yield, part by part, the first row and which rows the windows read, (rows,) bool."""
        window = self.window
        if entry.steps == STATIC:
            starts = self.table.series_starts[:-1][np.unique(places.series)]
            ends = starts + 1
        else:
            starts = places.origins - places.before(entry)
            steps = np.broadcast_to(np.int64(1), len(places))
            if entry.steps == HORIZON:
                steps = np.broadcast_to(np.int64(window.horizon), len(places))
            elif entry.steps in (HISTORY, WINDOW):
                steps = places.lengths + (window.horizon if entry.steps == WINDOW else 0)
            ends = starts + steps
        starts, ends = np.sort(starts), np.sort(ends)
        for first in range(0, self.table.rows, CHUNK):
            rows = np.arange(first, min(first + CHUNK, self.table.rows))
            begun = np.searchsorted(starts, rows, "right")
            ended = np.searchsorted(ends, rows, "right")
            yield first, begun > ended

    def _place(self, series: int, row: int) -> str:
        """Return ``2024-01-31 of series 'a'``, or the row's number in its series without times."""
        name, clock, times = self.table.series_names[series], self.clock, self.table.times
        of_series = f" of series '{name}'" if name else ""
        if clock is None or times is None:
            return f"row {row - int(self.table.series_starts[series]) + 1:,}{of_series}"
        (time,) = clock.at(np.array([series]), np.array([row]))
        if not clock.unit:
            return f"{time:.15g}{of_series}"
        (text,) = time_texts((int(time.astype(np.int64)),), clock.unit, times)
        return f"{text}{of_series}"


_EMPTY_HINT = "fill it in, or say how with `missing:` under `columns:` of the recipe's data"
_AHEAD_HINT = (
    "give the rows that follow with what is known of them, their targets empty, in the table or "
    "with --future"
)
_LAG_HINT = (
    "the model reads true values of steps that it forecasts, which only training knows: give a "
    "model without `lag:`, or one that feeds its outputs back"
)


def rows_ahead(data: DataDeclaration, window: Window) -> int:
    """Return how many rows after an origin the inputs read."""
    return max(
        (
            window.horizon - (entry.lag if entry.steps == HORIZON else 0)
            for entry in data.inputs.values()
            if isinstance(entry, Columns) and entry.steps in (HORIZON, WINDOW)
        ),
        default=0,
    )


def _rolling(starts: Array, last: Array, window: Window, origins: Origins, stride: int) -> Places:
    """Return windows at every `stride` rows back from the last origin of each series."""
    counts = np.maximum((last - starts - window.min_history) // stride + 1, 0)
    if origins != ALL:
        counts = np.minimum(counts, 1 if origins is None else int(origins))
    series = np.repeat(np.arange(len(starts), dtype=np.int32), counts)
    back = np.repeat(np.cumsum(counts), counts) - np.arange(len(series)) - 1
    found = last[series] - back * stride
    history = window.history or 1
    lengths = np.broadcast_to(np.int32(history), len(series))
    if window.min_history < history:
        lengths = np.minimum(found - starts[series], history).astype(np.int32)
    return Places(series, found.astype(np.int64), lengths, history)


def _known_ends(table: Table, data: DataDeclaration) -> Array | None:
    """Return, for each series, the row after its last one with all target columns.

    Return None if the table has no target of steps ahead. A series without such a row ends where
    it begins.
    """
    matrices = [
        table.matrices[key_of(entry)]
        for entry in data.targets.values()
        if entry.steps in (HORIZON, WINDOW) and key_of(entry) in table.matrices
    ]
    if not matrices:
        return None
    ends = table.series_starts[:-1].astype(np.int64)
    for first in range(0, table.rows, CHUNK):
        parts = [np.asarray(matrix[first : first + CHUNK]) for matrix in matrices]
        known = np.flatnonzero(np.all([~np.isnan(part).any(axis=1) for part in parts], axis=0))
        series = np.searchsorted(table.series_starts, known + first, "right") - 1
        np.maximum.at(ends, series, known + first + 1)
    return ends


def _warn_of_short(table: Table, places: Places, window: Window, problems: Problems) -> None:
    count = len(table.series_starts) - 1
    missing = np.setdiff1d(np.arange(count), places.series)
    if not len(missing):
        return
    rows = int(np.diff(table.series_starts)[missing[0]])
    name = table.series_names[int(missing[0])]
    of_series = f"; the first is '{name}', with {counted(rows, 'row')}" if name else ""
    message = (
        f"{len(missing):,} of {count:,} series are too short for a history of "
        f"{counted(window.min_history, 'step')} and are left out{of_series}"
    )
    hint = "give more rows with values of the target"
    if len(missing) == count:
        problems.add("D502", message, hint)
    else:
        problems.warn("D502", message, hint)
