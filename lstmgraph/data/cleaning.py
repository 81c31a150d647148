"""Cleaning of a table: missing rows put in, missing values filled, outliers clipped.

Rows are cleaned a part at a time, series by series, from the matrices that reading the file wrote
to those that windows read. What later parts need of earlier ones are the last known values.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.calendar import calendar_column
from lstmgraph.data.grid import put_in
from lstmgraph.data.splits import cuts_of
from lstmgraph.data.store import GrowingArray, mapped
from lstmgraph.data.table import Interpolated, time_texts
from lstmgraph.data.table_checks import ROWS_AT_ONCE, RowPlaces, of_series
from lstmgraph.data.values import Scan, as_dtype
from lstmgraph.data.zones import wall
from lstmgraph.language.declaration.data import (
    CHRONOLOGICAL,
    FORWARD,
    HISTORY,
    INTERPOLATE,
    LAST,
    MASK,
    STATIC,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.table import Table
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Column, Columns, DataDeclaration

RAW = np.dtype(np.float64)
"""How columns are stored that are yet to be cleaned, with NaN for missing values."""


def kept_dtype(dtype: np.dtype[Any], optional: bool) -> np.dtype[Any]:
    """Return the dtype of a matrix: whole numbers that may be missing are kept with NaN."""
    return RAW if optional and dtype.kind in "iub" else dtype


def is_cleaned(entry: Columns, data: DataDeclaration) -> bool:
    """Return whether values of an entry are filled, clipped or made."""
    return any(
        name in data.made_columns or _fills(data.columns.get(name)) for name in entry.columns
    )


def is_interpolated(entry: Columns, data: DataDeclaration) -> bool:
    """Return whether an input of the past has values that depend on later ones."""
    of_past = entry.steps in (HISTORY, LAST) or entry.lag > 0
    columns = [data.columns[name] for name in entry.columns if name in data.columns]
    interpolates = any(column.missing == INTERPOLATE for column in columns)
    return entry.path[1] == "inputs" and of_past and interpolates


def interpolated_in(folder: Path, key: str) -> Interpolated:
    """Return what was written beside the matrix of an input of the past, mapped."""
    return Interpolated(mapped(folder / f"{key}.forward.npy"), mapped(folder / f"{key}.ahead.npy"))


def _fills(column: Column | None) -> bool:
    return column is not None and (column.missing is not None or column.clip != (None, None))


@dataclass(frozen=True)
class CleanedRows:
    """The rows that are cleaned: those of a table and those put in between them."""

    table: Table
    """Its rows, times and starts are those after rows were put in; its matrices are not."""
    places: RowPlaces
    bounds: Array
    """The rows at which series begin and parts of the split end, and the number of rows, sorted."""

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.table.rows

    def sources(self, start: int, end: int) -> Array:
        """Return the row of the matrices that each row is, -1 for one put in, (end - start,)."""
        if self.places.source is None:
            return np.arange(start, end)
        return np.asarray(self.places.source[start:end])

    def series_first(self, rows: Array) -> Array:
        """Return the first row of the series of each row."""
        starts = self.table.series_starts
        first: Array = starts[np.searchsorted(starts, rows, "right") - 1]
        return first

    def segment_end(self, rows: Array) -> Array:
        """Return the first row after each row that belongs to another part or series."""
        end: Array = self.bounds[np.searchsorted(self.bounds, rows, "right")]
        return end

    def times(self, start: int, end: int) -> Array:
        """Return the times of rows, or their numbers without a time column."""
        times = self.table.times
        return np.arange(start, end) if times is None else np.asarray(times[start:end])

    def name(self, row: int) -> str:
        """Return where a row is: ``row 17``, or the time of one that is put in."""
        source = self.places.source
        if source is None or source[row] >= 0:
            return self.places.of(row)
        times = self.table.times
        assert times is not None
        (text,) = time_texts([times[row].item()], self.table.time_unit, times)
        return f"the row that `every:` puts in at {text}{of_series(self.table, row)}"


@dataclass(frozen=True)
class Cleaning:
    """What to clean, and how to check it."""

    data: DataDeclaration
    entries: Mapping[str, Columns]
    """The entries with matrices, by key."""
    scans: Mapping[tuple[str, str], Scan]
    """Checks of the clean values, by entry and column."""
    folder: Path
    """Holds the matrices."""
    problems: Problems
    texts: frozenset[str] = frozenset()
    """The entries of texts, whose matrices hold their numbers: 0 is the empty text."""
    left_empty: frozenset[str] = frozenset()
    """The entries whose empty cells stay empty: targets that are to be predicted."""

    def run(self, table: Table, order: Array | None) -> tuple[Table, RowPlaces] | None:
        """Return the table with clean matrices, and where its rows stand in the file.

        Return None if times are reported that the calendar or ``every:`` cannot use.

        Args:
            table: its times and series; the matrices are read from the folder.
            order: the row of the file that each row is; None if they are in its order.
        """
        data, places = self.data, RowPlaces(order)
        if data.calendar and not table.time_unit:
            self.problems.add(
                "D407",
                f"column '{data.time}' holds plain numbers, which have no `calendar:`",
                "give dates or times, such as 2024-01-31 10:00, or leave `calendar:` out",
            )
            return None
        if data.every is not None:
            rows = put_in(table, data, places, self.folder, self.problems)
            if rows is None:
                return None
            table = replace(table, times=rows.times, series_starts=rows.series_starts)
            places = replace(places, source=rows.source)
        bounds = [table.series_starts]
        if data.split.kind == CHRONOLOGICAL:
            bounds += cuts_of(table.series_starts, table.times, data.split)
        return self._clean(CleanedRows(table, places, np.unique(np.concatenate(bounds))))

    def _clean(self, rows: CleanedRows) -> tuple[Table, RowPlaces]:
        masks, interpolated, places = {}, {}, rows.places
        for key, entry in self.entries.items():
            is_raw = key not in self.texts and is_cleaned(entry, self.data)
            if is_raw or places.source is not None:
                cleaner = _Entry(self, key, rows, mapped(self._path(key)))
                if cleaner.write():
                    masks[key] = mapped(self._path(f"{key}.mask"))
                if is_interpolated(entry, self.data):
                    interpolated[key] = interpolated_in(self.folder, key)
                del cleaner  # Windows cannot replace a file that is mapped
                self._path(f"{key}.clean").replace(self._path(key))
        matrices = {key: mapped(self._path(key)) for key in self.entries}
        table = replace(rows.table, matrices=matrices, masks=masks, interpolated=interpolated)
        return table, places

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"


class _Entry:
    """Cleans the matrix of one entry."""

    def __init__(self, cleaning: Cleaning, key: str, rows: CleanedRows, matrix: Array) -> None:
        self.key, self.rows, self.matrix = key, rows, matrix
        self.entry, self.data, self.texts = cleaning.entries[key], cleaning.data, cleaning.texts
        self.scans, self.folder, self.problems = cleaning.scans, cleaning.folder, cleaning.problems
        entry, data = self.entry, self.data
        self.is_raw = is_cleaned(entry, data) and matrix.dtype == RAW
        made = data.made_columns
        stays_empty = key in cleaning.left_empty
        self.columns = [
            None
            if name in made
            else _Values(
                rows,
                matrix,
                index,
                (np.nan, (None, None)) if stays_empty else _preparation(name, entry, data),
                entry.path[1] == "inputs",
            )
            for index, name in enumerate(entry.columns)
        ]

    def write(self) -> bool:
        """Write the clean matrix, and which values of masked columns were missing, if any are."""
        masked = [values is not None and values.missing == MASK for values in self.columns]
        dtype = self.matrix.dtype
        if self.is_raw:
            scan = self.scans[self.key, self.entry.columns[0]]
            dtype = kept_dtype(scan.dtype, scan.optional)
        kinds = {"clean": dtype}
        if any(masked):
            kinds["mask"] = np.dtype(np.uint8)
        if is_interpolated(self.entry, self.data):
            kinds |= {"forward": dtype, "ahead": np.dtype(np.int32)}
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(
                    GrowingArray(self.folder / f"{self.key}.{name}.npy", kind, len(masked))
                )
                for name, kind in kinds.items()
            }
            for start in range(0, self.rows.count, ROWS_AT_ONCE):
                end = min(start + ROWS_AT_ONCE, self.rows.count)
                parts = [self._column(index, start, end) for index in range(len(masked))]
                for name, writer in writers.items():
                    block = np.zeros((end - start, len(masked)), kinds[name])
                    for index, part in enumerate(parts):
                        if name != "mask" or masked[index]:
                            block[:, index] = as_dtype(part.of(name), kinds[name])
                    writer.append(block)
        for name, column in zip(self.entry.columns, self.columns, strict=True):
            if self.key in self.texts:
                continue  # rows that are put in have the empty text
            if column is None or column.report(name, self.problems):
                self._report(name)
        return any(masked)

    def _report(self, name: str) -> None:
        if self.is_raw:
            scan = self.scans[self.key, name]
            what = f"column '{name}'"
            scan.report(
                self.problems,
                what,
                lambda place: self.rows.name(place[0]),
                missing=missing_hint(name),
            )

    def _column(self, index: int, start: int, end: int) -> _Clean:
        name, values = self.entry.columns[index], self.columns[index]
        if values is not None:
            found = values.clean(start, end)
        else:
            found = _Clean(self._made(name, index, start, end))
        if self.is_raw:
            self.scans[self.key, name].add(found.values, start)
        return found

    def _made(self, name: str, index: int, start: int, end: int) -> Array:
        if name in self.data.calendar:
            table = self.rows.table
            times = wall(self.rows.times(start, end), table.time_unit, table.zone)
            return calendar_column(name, times, table.time_unit)
        return np.nan_to_num(_given(self.rows, self.matrix, index, start, end), nan=1.0)


def _preparation(name: str, entry: Columns, data: DataDeclaration) -> tuple[object, object]:
    """Return what stands for missing values, and the limits that values are clipped to."""
    column = data.columns.get(name)
    missing = column.missing if column else None
    if missing is None and entry.steps == STATIC and data.every is not None:
        missing = STATIC
    limits = column.clip if column and entry.path[1] == "inputs" else (None, None)
    return missing, limits


def _given(rows: CleanedRows, matrix: Array, index: int, start: int, end: int) -> Array:
    """Return a column of some rows, NaN in those put in; whole numbers stay whole without any."""
    sources = rows.sources(start, end)
    given = np.flatnonzero(sources >= 0)
    if not len(given):
        return np.full(end - start, np.nan)
    values = np.asarray(matrix[sources[given[0]] : sources[given[-1]] + 1, index])
    if len(given) == end - start:
        return values
    found = np.full(end - start, np.nan)
    found[given] = values
    return found


@dataclass(frozen=True)
class _Clean:
    """Clean values of one column, (rows,)."""

    values: Array
    missing: Array | None = None
    """Where they were missing."""
    forward: Array | None = None
    """What they are as long as the next values are not known."""
    ahead: Array | None = None
    """How many rows later those stand that they depend on."""

    def of(self, name: str) -> Array:
        """Return what one of the files holds of them."""
        found = {"mask": self.missing, "forward": self.forward, "ahead": self.ahead}.get(name)
        if found is not None:
            return found
        return np.zeros(len(self.values), np.int32) if name in ("mask", "ahead") else self.values


class _Values:
    """Fills and clips one column of a matrix, part by part."""

    def __init__(
        self,
        rows: CleanedRows,
        matrix: Array,
        index: int,
        preparation: tuple[object, object],
        carries: bool,
    ) -> None:
        self.carries = carries
        """Whether the last known value stands for masked ones, which an input needs."""
        self.rows, self.matrix, self.index = rows, matrix, index
        self.missing, limits = preparation
        assert isinstance(limits, tuple)
        self.low, self.high = limits
        self.last_row, self.last = -1, np.nan
        """The last known value of the rows so far."""
        self.empty_from = self.empty_to = 0
        self.next = np.nan
        """No row from `empty_from` to before `empty_to` has a value; that one has `next`, if it is
        a number."""
        self.known = self.put_in = self.put_in_at = 0
        self.leading: list[int] = []
        """The first rows of series, or parts of them, that begin with missing values."""
        self.leading_count = 0

    def clean(self, start: int, end: int) -> _Clean:
        """Return the clean values of rows."""
        values = self._clipped(start, end)
        empty = np.isnan(values)
        self.known += end - start - int(np.count_nonzero(empty))
        if self.missing is None:
            return _Clean(self._without_put_in(values, start, end))
        if not isinstance(self.missing, str):
            assert isinstance(self.missing, int | float)
            return _Clean(np.where(empty, self.missing, values))
        if self.missing == MASK and not self.carries:
            return _Clean(np.where(empty, 0.0, values), missing=empty)
        found = self._filled(values, empty, start)
        if self.missing == MASK:
            self.leading.clear()
            self.leading_count = 0
            return _Clean(found.values, missing=empty)
        if self.missing == STATIC:  # only what was put in is filled
            given = empty & (self.rows.sources(start, end) >= 0)
            return _Clean(np.where(given, np.nan, found.values))
        return found

    def _clipped(self, start: int, end: int) -> Array:
        values = _given(self.rows, self.matrix, self.index, start, end)
        if self.low is None and self.high is None:
            return values
        return np.where(np.isinf(values), values, np.clip(values, self.low, self.high))

    def _without_put_in(self, values: Array, start: int, end: int) -> Array:
        """Return values with 0 in the rows that were put in, which are counted."""
        if self.rows.places.source is None:
            return values
        wrong = self.rows.sources(start, end) < 0
        if wrong.any() and not self.put_in:
            self.put_in_at = start + int(np.argmax(wrong))
        self.put_in += int(np.count_nonzero(wrong))
        return np.where(wrong, 0.0, values)

    def _filled(self, values: Array, empty: Array, start: int) -> _Clean:
        """Return values filled forward, or on the line to the next value of the same part."""
        rows = np.arange(start, start + len(values))
        before = np.maximum.accumulate(np.where(empty, -1, rows))
        carried = before < 0
        before[carried] = self.last_row
        forward = np.where(carried, self.last, values[np.maximum(before - start, 0)])
        is_leading = empty & (before < self.rows.series_first(rows))
        if is_leading.any():
            self.leading.append(start + int(np.argmax(is_leading)))
            self.leading_count += int(np.count_nonzero(is_leading))
        found = np.where(empty, np.where(is_leading, 0.0, forward), values)
        if before[-1] >= 0:
            self.last_row, self.last = int(before[-1]), forward[-1]
        if self.missing != INTERPOLATE or not empty.any():
            return _Clean(found)
        after, following = self._following(values, empty, start)
        inside = empty & ~is_leading & (after < self.rows.segment_end(rows))
        times = self.rows.times(start, start + len(values))
        low = self._times(np.where(inside, before, rows), times, start)
        high = self._times(np.where(inside, after, rows), times, start)
        share = (times - low) / np.where(inside, high - low, 1)
        between = np.where(inside, forward + (following - forward) * share, found)
        return _Clean(between, forward=found, ahead=np.where(inside, after - rows, 0))

    def _following(self, values: Array, empty: Array, start: int) -> tuple[Array, Array]:
        """Return the row of the first value from each row on, and the value."""
        rows = np.arange(start, start + len(values))
        after = np.where(empty, self.rows.count, rows)
        after = np.minimum.accumulate(after[::-1])[::-1]
        behind = after == self.rows.count
        following = values[np.where(behind, 0, after - start)]
        if behind.any():
            after[behind], following[behind] = self._ahead(start + len(values))
        return after, following

    def _times(self, rows: Array, times: Array, start: int) -> Array:
        """Return the times of rows, most of which are among those of `times`."""
        if self.rows.table.times is None:
            return rows
        inside = (rows >= start) & (rows < start + len(times))
        found = times[np.where(inside, rows - start, 0)]
        found[~inside] = self.rows.table.times[rows[~inside]]
        return found

    def _ahead(self, start: int) -> tuple[int, float]:
        """Return the first row from `start` on that has a value, and the value.

        Rows beyond the part of the row before are not looked at.
        """
        limit = int(self.rows.segment_end(np.array([start - 1]))[0])
        if not self.empty_from <= start <= self.empty_to:
            self.empty_from, self.empty_to, self.next = start, start, np.nan
        while np.isnan(self.next) and self.empty_to < limit:
            stop = min(self.empty_to + ROWS_AT_ONCE, limit)
            values = self._clipped(self.empty_to, stop)
            known = np.flatnonzero(~np.isnan(values))
            self.empty_to = self.empty_to + int(known[0]) if len(known) else stop
            if len(known):
                self.next = float(values[known[0]])
        return (self.rows.count, 0.0) if np.isnan(self.next) else (self.empty_to, self.next)

    def report(self, name: str, problems: Problems) -> bool:
        """Report values that nothing can stand for; return whether there are none."""
        rows = self.rows
        if not self.known and (self.missing is None or self.missing in (FORWARD, INTERPOLATE)):
            report_empty(name, problems)
            return False
        if self.put_in:
            texts = "1 row is" if self.put_in == 1 else f"{self.put_in:,} rows are"
            problems.add(
                "D412",
                f"column '{name}' has no values where {texts} put in, the first: "
                f"{rows.name(self.put_in_at)}",
                f"say what stands there: `columns: {{{name}: {{missing: forward}}}}`, "
                "interpolate, mask or a number",
            )
            return False
        if self.leading_count and self.missing != STATIC:
            first = self.leading[0]
            others = self.leading_count - 1
            more = f", and in {others:,} more rows" if others else ""
            problems.add(
                "D408",
                f"column '{name}' is empty in {rows.name(first)}{of_series(rows.table, first)}"
                f"{more}, with no value before it for `missing: {self.missing}`",
                "the next value would be from the future: remove these rows, or write "
                "`missing: mask` or a number",
            )
            return False
        return True


def missing_hint(name: str) -> str:
    """Return what to do about missing values of a column."""
    return (
        f"say what stands for them: `columns: {{{name}: {{missing: forward}}}}`, interpolate, mask "
        "or a number; or remove these rows"
    )


def report_empty(name: str, problems: Problems) -> None:
    """Report (D411) a column without any value."""
    problems.add(
        "D411",
        f"column '{name}' is empty: no row has a value",
        "leave it out of the recipe, or give its values",
    )
