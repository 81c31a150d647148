"""The table to predict for, with the rows of a second one that holds the future behind it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.data.archives import PREFIXES, Stored, stored_npy, stored_npz
from lstmgraph.data.convert import wanted_columns
from lstmgraph.data.problems import Problems
from lstmgraph.data.sources import Given
from lstmgraph.data.table_files import TableFile, open_table, report_unreadable, table_ending
from lstmgraph.files import require_regular_file
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from lstmgraph.language.declaration.data import DataDeclaration


def opened(source: Any, future: Any, data: DataDeclaration, problems: Problems) -> TableFile | None:
    """Return the table of `source`, with the rows of `future` behind its own.

    The future rows need the columns that tell series and times apart; other columns that they lack
    are empty there. Return None if a problem was reported.
    """
    table = _open(source, data, problems)
    if table is None or future is None:
        return table
    given = future if isinstance(future, Given) else Given(future, str(future))
    own = Problems(given.name if isinstance(given.value, str | Path) else "the future rows")
    ahead = _open(given.value, data, own)
    if ahead is not None:
        for name in (*data.series, *([data.time] if data.time else [])):
            if name not in ahead.columns:
                hint = f"the columns are: {few(ahead.columns)}"
                own.add("D201", f"there is no column '{name}'", hint)
    problems.found += own.found
    return None if ahead is None or own.errors else _joined(table, ahead)


def _of_stored(
    stored: Stored | None, data: DataDeclaration, problems: Problems
) -> TableFile | None:
    """Return the table of arrays that are its columns."""
    if stored is None:
        return None
    if _holds_inputs(stored.names, data):
        problems.add(
            "D201",
            "it holds ready inputs, but the recipe makes its inputs from the columns of a table",
            "give the table, with the columns that `data:` names",
        )
        return None
    columns = {name: stored.read(name) for name in wanted_columns(data) if name in stored.names}
    if problems.errors:
        return None
    table = open_table(columns, problems)
    return None if table is None else replace(table, columns=stored.names)


def _holds_inputs(names: Collection[str], data: DataDeclaration) -> bool:
    """Return whether arrays have the names of all inputs, and of no column that inputs need."""
    bare = {name.removeprefix(prefix) for name in names for prefix in PREFIXES}
    columns = {*wanted_columns(replace(data, targets={}))} - data.inputs.keys()
    return data.inputs.keys() <= bare and bool(columns) and not columns & bare


def _open(source: Any, data: DataDeclaration, problems: Problems) -> TableFile | None:
    if not isinstance(source, str | Path):
        return open_table(source, problems)
    path = Path(source)
    try:
        if not path.exists():
            problems.add("D101", "there is no such file or folder", "check the path")
        elif path.is_file() and path.suffix.lower() == ".npz":
            with ExitStack() as stack:
                require_regular_file(path)
                return _of_stored(stored_npz(path, stack, problems), data, problems)
        elif path.is_dir() and any(path.glob("*.npy")):
            return _of_stored(stored_npy(path, problems), data, problems)
        elif path.is_dir() and not any(map(table_ending, path.iterdir())):
            problems.add("D103", "the folder holds no tables", "give .csv or .parquet files")
        elif not path.is_dir() and not table_ending(path):
            problems.add("D103", f"files that end in '{path.suffix}' are no tables", _KINDS)
        elif path.is_file() and not path.stat().st_size:
            problems.add("D106", "the file is empty", "give a table with rows below its header")
        else:
            return open_table(path, problems)
    except OSError as error:
        report_unreadable(error, problems)
    return None


_KINDS = "give a .csv or .parquet file, or a folder of them"


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
