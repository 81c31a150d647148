"""The table to predict for, with the rows of a second one that holds the future behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.data.problems import Problems
from lstmgraph.data.sources import Given, Reader
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.table_files import TableFile
    from lstmgraph.language.declaration.data import DataDeclaration


def with_future(
    table: TableFile, future: Any, data: DataDeclaration, needs: Needs, problems: Problems
) -> TableFile | None:
    """Return the table with the rows of `future` behind its own.

    The future rows need the columns that tell series and times apart; other columns that they lack
    are empty there. Return None if a problem was reported.
    """
    given = future if isinstance(future, Given) else Given(future, str(future))
    own = Problems(given.name if isinstance(given.value, str | Path) else "the future rows")
    opened = Reader(data, needs).open(given.value, own)
    if opened is not None and opened.table is None:
        message = "it holds ready inputs, but the future rows are those of a table"
        own.add("D503", message, "give a table with the columns that `data:` names")
    elif opened is not None and opened.table is not None:
        for name in (*data.series, *([data.time] if data.time else [])):
            if name not in opened.table.columns:
                hint = f"the columns are: {few(opened.table.columns)}"
                own.add("D201", f"there is no column '{name}'", hint)
    problems.found += own.found
    if opened is None or opened.table is None or own.errors:
        return None
    return _joined(table, opened.table)


def _joined(table: TableFile, ahead: TableFile) -> TableFile:
    """Return a table of the rows of both."""

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415 - an extra

        kinds: dict[str, Any] = {}
        for batch in table.batches(numbers, texts):
            kinds = kinds or {name: batch.column(name).type for name in texts}
            yield batch
        present = [[name for name in names if name in ahead.columns] for names in (numbers, texts)]
        for batch in ahead.batches(*present):
            arrays = []
            for name in (*numbers, *texts):
                if name not in ahead.columns:
                    arrays.append(pa.nulls(batch.num_rows, kinds.get(name, pa.float64())))
                    continue
                column = batch.column(name)
                kind = kinds.get(name, column.type)
                arrays.append(column if column.type == kind else column.cast(kind))
            yield pa.RecordBatch.from_arrays(arrays, [*numbers, *texts])

    return replace(
        table,
        batches=batches,
        files=(*table.files, *ahead.files),
        is_csv=table.is_csv or ahead.is_csv,
    )
