"""A table file to matrices on disk, in one pass that collects every problem.

Rows are read in the order of the file and appended to one `.npy` file for each tensor, so a table
of any size takes the memory of one batch and 4 bytes a row. If the rows of a series are not
together, the files are written once more, in order, which takes another 8 bytes a row.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_misfits import known_sizes
from lstmgraph.compiler.checks.data_needs import Limit, Need, Needs
from lstmgraph.data.calendar import CALENDAR
from lstmgraph.data.class_names import HoldsLabelsError, LabelReader
from lstmgraph.data.cleaning import (
    RAW,
    Cleaning,
    is_cleaned,
    kept_dtype,
    missing_hint,
    report_empty,
)
from lstmgraph.data.columns import ColumnError, SeriesKeys, TimeColumn, is_text, numbers, texts
from lstmgraph.data.store import GrowingArray, mapped
from lstmgraph.data.table import Table, key_of
from lstmgraph.data.table_checks import RowPlaces, check_static, check_times
from lstmgraph.data.table_files import UNREADABLE, MalformedTableError, report_unreadable
from lstmgraph.data.texts import CODE, TextWriter, mapped_texts
from lstmgraph.data.values import Scan, as_dtype, storage_dtype
from lstmgraph.keras_facts.layers.lookups import STRING
from lstmgraph.language.declaration.cadence import parse_cadence
from lstmgraph.language.declaration.data import STATIC
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.table_files import TableFile
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Columns, DataDeclaration

WEIGHT = Need("sample_weight", None, "float32", (Limit(0, None, "a weight cannot be negative"),))
TIMES = "times"
REORDERED_ROWS = 1 << 18
"""How many rows are put in order at a time."""


def convert(
    file: TableFile, data: DataDeclaration, needs: Needs, folder: Path, problems: Problems
) -> Table | None:
    """Check the columns that `data` names and write them as matrices in `folder`.

    Return the table, or None if a problem was reported.
    """
    if not _has_columns(file, data, problems):
        return None
    # The CSV reader parses numbers fastest; where it fails, reading text finds the value at fault.
    as_text, labels = False, frozenset[str]()
    while True:
        reading = _Reading(data, needs, folder, problems, labels)
        try:
            reading.run(file, as_text=as_text)
        except HoldsLabelsError as found:  # a target in words: read it once more
            labels |= {found.key}
        except UNREADABLE as error:
            if as_text or not file.is_csv or isinstance(error, MalformedTableError):
                report_unreadable(error, problems)
                return None
            as_text = True
        else:
            return reading.table()


def _has_columns(file: TableFile, data: DataDeclaration, problems: Problems) -> bool:
    known = list(file.columns)
    wanted = wanted_columns(data)
    malformed = _header_mistake(known, wanted)
    if malformed:
        problems.add("D201", *malformed)
        return False
    for name in wanted:
        if name not in known:
            key = "time" if name == data.time else "series" if name in data.series else None
            made = () if key else data.made_columns
            near = problems.guesses.did_you_mean(name, [*known, *made])
            hint = f"the columns are: {few(known)}"
            if key:
                hint = f"`{key}:` names it; {hint}"
            elif name in CALENDAR and data.time in known:
                hint = f"to make it from the times, write `calendar: [{name}]`; {hint}"
            problems.add("D201", f"there is no column '{name}'{near}", hint)
        elif known.count(name) > 1:
            problems.add("D201", f"{known.count(name)} columns are named '{name}'", "rename one")
    for name in set(data.made_columns) & set(known):
        key = "`calendar:`" if name in data.calendar else "`missing: mask`"
        message = f"the table has a column '{name}', which {key} makes too"
        problems.add("D405", message, "rename the table's column, or leave the other out")
    return not problems.errors


_MARKS = re.compile(r"[^\w\"']+")
_VALUE = re.compile(r"[-+]?[0-9][-+0-9.,:/ TZ]*")


def _header_mistake(known: list[str], wanted: list[str]) -> tuple[str, str] | None:
    """Return message and hint if the header is not one, or is not split into columns."""
    if set(known) & set(wanted):
        return None
    if len(known) == 1 and set(wanted) & {*_MARKS.split(known[0])}:
        return (
            f"the header is one column: '{known[0][:80]}'",
            "separate columns by a comma, a semicolon, a tab or |",
        )
    values = [name for name in known if _VALUE.fullmatch(name.strip())]
    if 2 * len(values) >= len(known):
        return (
            f"the first line holds values, not the names of columns: {few(known)}",
            f"write the names above it: {few(wanted)}",
        )
    return None


def wanted_columns(data: DataDeclaration) -> list[str]:
    """Return the names of all columns that are read, without repeats."""
    order = [data.time] if data.time else []
    values = [data.source_of(name) for entry in data.all_columns for name in entry.columns]
    return list(dict.fromkeys([*data.series, *order, *(name for name in values if name)]))


class _Reading:
    """One pass over the file."""

    def __init__(
        self,
        data: DataDeclaration,
        needs: Needs,
        folder: Path,
        problems: Problems,
        labels: frozenset[str] = frozenset(),
    ) -> None:
        self.data, self.folder, self.problems = data, folder, problems
        self.entries = {key_of(entry): (entry, need_of(entry, needs)) for entry in data.all_columns}
        sizes = known_sizes(data, needs)
        self.texts = {key for key, (_, need) in self.entries.items() if need.dtype == STRING}
        self.readers = {
            key: LabelReader(need) if need.classes or key in labels else None
            for key, (_, need) in self.entries.items()
        }
        self.text_writers: dict[str, TextWriter] = {}
        self.scans = {
            (key, column): Scan(storage_dtype(need.dtype), need.limits_with(sizes), need.optional)
            for key, (entry, need) in self.entries.items()
            for column in entry.columns
            if key not in self.texts
        }
        self.left_empty = frozenset(
            key
            for key, (entry, need) in self.entries.items()
            if need.optional and entry.path[1] == "targets"
        )
        """The targets whose empty cells say what is to be predicted."""
        self.raw = {
            key
            for key, (entry, _) in self.entries.items()
            if key not in self.texts | self.left_empty and is_cleaned(entry, data)
        }
        """The entries whose numbers are checked when they are clean."""
        self.writers: dict[str, GrowingArray] = {}
        self.rows = 0
        self.series = _SeriesOfRows()
        cadence = None if data.every is None else parse_cadence(data.every)
        one_zone = bool(data.calendar) or (cadence is not None and cadence.counts_days)
        self.keys, self.time = SeriesKeys(), TimeColumn(one_zone)
        self.broken: set[str] = set()
        """Columns that are reported already, and not read any further."""

    def run(self, file: TableFile, *, as_text: bool) -> None:
        """Read all rows, and report wrong values."""
        wanted = wanted_columns(self.data)
        named = [
            column
            for key, (entry, _) in self.entries.items()
            for column in entry.columns
            if key in self.texts or self.readers[key]
        ]
        as_words = {*self.data.series, self.data.time, *named}
        texts = wanted if as_text else [name for name in wanted if name in as_words]
        values = [name for name in wanted if name not in texts]
        with ExitStack() as stack:
            for batch in file.batches(values, texts):
                if batch.num_rows:
                    self._add(batch, stack)
        for (key, column), scan in self.scans.items():
            if 0 < self.rows == scan.nan.count:
                report_empty(column, self.problems)
            elif key not in self.raw:
                scan.report(
                    self.problems,
                    f"column '{column}'",
                    lambda place: f"row {place[0] + 1}",
                    missing=missing_hint(column),
                )
        if not self.rows:
            self.problems.add(
                "D106", "there are no rows", "give a table with rows below its header"
            )

    def _add(self, batch: Any, stack: ExitStack) -> None:
        read: dict[str, Array] = {}
        for key, (entry, need) in self.entries.items():
            can_lack = need.optional and key not in self.texts  # a missing text is the empty one
            dtype = RAW if key in self.raw else kept_dtype(stored_dtype(need), can_lack)
            block = np.zeros((batch.num_rows, len(entry.columns)), dtype)
            for index, name in enumerate(entry.columns):
                column = self.data.source_of(name)
                if column is None:
                    continue  # made from the times when rows are cleaned
                if key in self.texts:
                    block[:, index] = self._codes(key, column, batch, stack)
                    continue
                given = self._labels(key, column, batch) if self.readers[key] else None
                if given is None and column not in read:
                    values = self._read(column, "D202", self._numbers(key), batch.column(column))
                    read[column] = np.zeros(batch.num_rows) if values is None else values
                given = read[column] if given is None else given
                if key not in self.raw:
                    self.scans[key, name].add(given, self.rows)
                    block[:, index] = as_dtype(given, dtype)
                else:
                    block[:, index] = given if name == column else np.isnan(given)
            self._append(key, block, stack)
        if self.data.series:
            columns = [batch.column(name) for name in self.data.series]
            series = self._read(", ".join(self.data.series), "D202", self.keys.read, columns)
            if series is not None:
                self.series.add(series)
        if self.data.time is not None:
            times = self._read(self.data.time, "D401", self.time.read, batch.column(self.data.time))
            if times is not None:
                self._append(TIMES, times[:, None], stack)
        self.rows += batch.num_rows

    def _codes(self, key: str, column: str, batch: Any, stack: ExitStack) -> Array:
        """Return the numbers of the texts of one column, and keep the texts."""
        if key not in self.text_writers:
            self.text_writers[key] = stack.enter_context(TextWriter(self.folder, key))
        found: list[Any] = []

        def read(values: Any) -> Array:
            words, indices = texts(values)
            found.append(words)
            return indices

        indices = self._read(column, "D202", read, batch.column(column))
        if indices is None:
            return np.zeros(batch.num_rows, CODE)
        return self.text_writers[key].codes(found[0], indices)

    def _labels(self, key: str, column: str, batch: Any) -> Array:
        """Return the numbers of the classes that one column of a target names."""
        reader = self.readers[key]
        assert reader is not None

        def read(values: Any) -> Array:
            return reader.read(*texts(values), self.rows)

        found = self._read(column, "D414", read, batch.column(column))
        return np.zeros(batch.num_rows) if found is None else found

    def _numbers(self, key: str) -> Callable[[Any], Array]:
        """Return what reads a column as numbers; a target that may have words is read again."""
        if not self.entries[key][1].named:
            return numbers

        def read(column: Any) -> Array:
            try:
                return numbers(column)
            except ColumnError:
                if not is_text(column):
                    raise
                raise HoldsLabelsError(key) from None

        return read

    def _read(
        self, name: str, code: str, read: Callable[[Any], Array], column: Any
    ) -> Array | None:
        if name in self.broken:
            return None
        try:
            return read(column)
        except ColumnError as error:
            self.broken.add(name)
            place = "" if error.row is None else f", row {self.rows + error.row + 1}"
            self.problems.add(code, f"column '{name}'{place} {error}", error.hint)
            return None

    def _append(self, key: str, block: Array, stack: ExitStack) -> None:
        if key not in self.writers:
            writer = GrowingArray(self.folder / f"{key}.npy", block.dtype, block.shape[1])
            self.writers[key] = stack.enter_context(writer)
        self.writers[key].append(block)

    def table(self) -> Table | None:
        """Return the table, its rows grouped by series; None if a problem was reported."""
        if self.problems.errors:
            return None
        starts = np.concatenate([[0], np.cumsum(self.series.counts)])
        if not self.data.series:
            starts = np.array([0, self.rows])
        order = self.series.order()
        if order is not None:
            for key in self.writers:
                put_in_order(self.folder / f"{key}.npy", order)
        times = mapped(self.folder / f"{TIMES}.npy")[:, 0] if TIMES in self.writers else None
        names = tuple(self.keys.names or [""])
        labels = {
            key: reader.labels()
            for key, reader in self.readers.items()
            if reader and not reader.need.classes
        }
        table = Table(
            {},
            starts,
            names,
            times,
            self.time.unit or "",
            zone=self.time.zone or "",
            texts={key: mapped_texts(self.folder, key) for key in self.text_writers},
            labels=labels,
            series_keys=self.keys.keys,
        )
        places = RowPlaces(order)
        check_times(table, self.data, places, self.problems)
        if (self.data.every is not None or self.raw) and not self.problems.errors:
            entries = {key: entry for key, (entry, _) in self.entries.items()}
            cleaning = Cleaning(
                self.data,
                entries,
                self.scans,
                self.folder,
                self.problems,
                frozenset(self.texts),
                self.left_empty,
            )
            found = cleaning.run(table, order)
            if found is None:
                return None
            table, places = found
        else:
            whole = [key for key in self.entries if key not in self.raw]
            matrices = {key: mapped(self.folder / f"{key}.npy") for key in whole}
            table = replace(table, matrices=matrices)
        for key, (entry, _) in self.entries.items():
            if entry.steps == STATIC and key in table.matrices:
                check_static(table, key, entry, places, self.problems)
        return replace(table, warnings=self.problems.warnings, file_rows=places.rows)


class _SeriesOfRows:
    """Collects the series of every row, and whether the rows of each series are together."""

    def __init__(self) -> None:
        self.counts = np.zeros(0, np.int64)
        self._batches: list[Array] = []
        self._last = 0
        self._together = True

    def add(self, series: Array) -> None:
        """Add the series numbers of a batch, (rows,), numbered in the order of their first rows."""
        counts = np.bincount(series)
        longer, shorter = sorted((self.counts, counts), key=len, reverse=True)
        self.counts = longer.copy()
        self.counts[: len(shorter)] += shorter
        in_order = bool((series[1:] >= series[:-1]).all()) and series[0] >= self._last
        self._together = self._together and in_order
        self._last = series[-1]
        self._batches.append(series)

    def order(self) -> Array | None:
        """Return the row numbers, series by series; None if the rows are in this order already."""
        if self._together:
            return None
        return np.argsort(np.concatenate(self._batches), kind="stable")


def need_of(entry: Columns, needs: Needs) -> Need:
    """Return what the model takes for an entry of the recipe's ``data:``."""
    if entry.path[1] == "inputs":
        return needs.inputs[entry.name]
    return needs.targets[entry.name] if entry.path[1] == "targets" else WEIGHT


def stored_dtype(need: Need) -> np.dtype[Any]:
    """Return the dtype of an entry's matrix: that of the tensor, or of the numbers of texts."""
    return CODE if need.dtype == STRING else storage_dtype(need.dtype)


def put_in_order(path: Path, order: Array) -> None:
    """Write the rows of a `.npy` file in another order."""
    rows = mapped(path)
    sorted_path = path.with_suffix(".sorted.npy")
    with GrowingArray(sorted_path, rows.dtype, rows.shape[1]) as writer:
        for start in range(0, len(order), REORDERED_ROWS):
            writer.append(rows[order[start : start + REORDERED_ROWS]])
    del rows  # Windows cannot replace a file that is mapped
    sorted_path.replace(path)
