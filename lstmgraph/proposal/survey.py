"""Look at the first rows of a table: which columns hold numbers, times or texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.columns import ColumnError, TimeColumn, numbers
from lstmgraph.data.table_files import UNREADABLE, report_unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.data.problems import Problems
    from lstmgraph.data.table_files import TableFile
    from lstmgraph.data.values import Array

MOST_ROWS = 1 << 18
MOST_CELLS = 1 << 24
"""How much of a table is looked at, from its beginning."""

EMPTY, NUMBER, TIME, TEXT, OTHER = "empty", "number", "time", "text", "other"

_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b")
"""What texts that are meant as dates begin with, in any order of day, month and year."""


@dataclass(frozen=True)
class ColumnFacts:
    """What is in a column, by its first rows."""

    name: str
    kind: str
    values: Array
    """Numbers, NaN where one is missing; times as int64 or float64; for texts the number of each
    distinct text, -1 where it is missing. Shape (rows,)."""
    missing: int = 0
    words: tuple[str, ...] = ()
    """The distinct texts, in the order of their first appearance."""
    unit: str = ""
    """What times count, as NumPy writes it."""
    fault: ColumnError | None = None
    """Why texts that look like dates cannot be read as such."""

    @property
    def present(self) -> Array:
        """The numbers that are not missing."""
        present: Array = self.values[~np.isnan(self.values)]
        return present

    @property
    def is_whole(self) -> bool:
        """Whether all numbers are whole."""
        return self.kind == NUMBER and bool((self.present % 1 == 0).all())

    @property
    def is_constant(self) -> bool:
        """Whether the column has one value, or none."""
        values = self.present if self.kind == NUMBER else self.values
        return len(values) == 0 or bool((values == values[0]).all())

    @property
    def is_flag(self) -> bool:
        """Whether all numbers are 0 or 1."""
        return self.kind == NUMBER and bool(np.isin(self.present, (0, 1)).all())


@dataclass(frozen=True)
class Survey:
    """The columns of a table, by its first rows."""

    columns: Mapping[str, ColumnFacts]
    rows: int
    is_whole: bool
    """Whether these are all rows of the table."""

    def of_kind(self, kind: str) -> list[ColumnFacts]:
        """Return the columns of one kind, in the order of the table."""
        return [facts for facts in self.columns.values() if facts.kind == kind]


def surveyed(file: TableFile, problems: Problems) -> Survey | None:
    """Look at a table's first rows, at most 2^18 of them and 2^24 cells.

    Return None if a problem was reported: it cannot be read, or names two columns alike.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra

    names = list(file.columns)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        problems.add("D201", f"{names.count(twice)} columns are named '{twice}'", "rename one")
        return None
    most = min(MOST_ROWS, max(1000, MOST_CELLS // len(names)))
    batches, rows = [], 0
    try:
        for batch in file.batches(*((), names) if file.is_csv else (names, ())):
            batches.append(batch)
            rows += batch.num_rows
            if rows > most:
                break
    except UNREADABLE as error:
        report_unreadable(error, problems)
        return None
    if not rows:
        problems.add("D106", "there are no rows", "give a table with rows below its header")
        return None
    table = pa.Table.from_batches(batches).slice(0, most).combine_chunks()
    columns = {name: _facts(name, _whole(table.column(name))) for name in names}
    return Survey(columns, table.num_rows, rows <= most)


def _whole(column: Any) -> Any:
    """Return a column in one piece, without a dictionary."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _facts(name: str, column: Any) -> ColumnFacts:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    try:
        values = numbers(column).astype(np.float64)
    except ColumnError:
        pass
    else:
        missing = int(np.isnan(values).sum())
        kind = EMPTY if missing == len(values) else NUMBER
        return ColumnFacts(name, kind, values, missing)
    kind = column.type
    if not (
        pa.types.is_temporal(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        return ColumnFacts(name, OTHER, np.zeros(len(column)))
    time = TimeColumn()
    present = column.is_valid()
    if not pa.types.is_temporal(kind):
        from pyarrow import compute  # noqa: PLC0415 - an extra

        trimmed = compute.utf8_trim_whitespace(column)
        column = compute.if_else(compute.equal(trimmed, ""), pa.scalar(None, kind), trimmed)
        present = column.is_valid()
    missing = len(column) - (column.drop_null().__len__())
    try:
        times = time.read(column.drop_null())
    except ColumnError as error:
        return _texts(name, column, missing, error)
    if not missing:
        return ColumnFacts(name, TIME, times, unit=time.unit or "")
    filled = np.full(len(column), times[0])
    filled[present.to_numpy(zero_copy_only=False)] = times
    return ColumnFacts(name, TIME, filled, missing, unit=time.unit or "")


def _texts(name: str, column: Any, missing: int, error: ColumnError) -> ColumnFacts:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if pa.types.is_temporal(column.type):
        return ColumnFacts(name, OTHER, np.zeros(len(column)))
    encoded = column.dictionary_encode()
    values = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    words = tuple(encoded.dictionary.to_pylist())
    dates = sum(bool(_DATE.match(word)) for word in words[:100])
    fault = error if 2 * dates > len(words[:100]) else None
    return ColumnFacts(name, TEXT, values, missing, words, fault=fault)
