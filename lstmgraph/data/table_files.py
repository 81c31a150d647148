"""Tables with named columns (CSV, Parquet, data frames), read batch by batch with pyarrow."""

from __future__ import annotations

import errno
import gzip
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.data.store import NoWorkspaceError
from lstmgraph.files import require_regular_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lstmgraph.data.problems import Problems

BATCH_ROWS = 16_384
CSV_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
PARQUET_ENDINGS = (".parquet", ".pq")
DELIMITERS = ",;\t|"
CSV_BLOCK = 4 << 20
"""The bytes of a CSV file that are parsed at a time, and so the longest row."""


@dataclass(frozen=True)
class TableFile:
    """A table: its column names, and its rows in batches that can be read repeatedly."""

    columns: tuple[str, ...]
    batches: Callable[[Sequence[str], Sequence[str]], Iterator[Any]]
    """Takes the columns to read as numbers and those to read as text; returns record batches."""
    files: tuple[Path, ...] = ()
    """The files that are read, for the fingerprint of a cached table; none for data in memory."""
    is_csv: bool = False


def has_pyarrow(problems: Problems) -> bool:
    """Return whether pyarrow is installed; report it if not."""
    try:
        import pyarrow  # noqa: F401, PLC0415 - an extra
    except ImportError:
        problems.add(
            "D104",
            "reading tables needs pyarrow, which is not installed",
            "pip install 'lstmgraph[data]'",
        )
        return False
    return True


def open_table(source: Any, problems: Problems) -> TableFile | None:
    """Open a CSV or Parquet file, a folder of them, a data frame, or a mapping of 1-D arrays.

    Return None if a problem was reported.
    """
    if not has_pyarrow(problems):
        return None
    try:
        if not isinstance(source, Path):
            return _from_memory(source, problems)
        files = _files(source)
        opened = [_open_file(path, source) for path in files]
    except UNREADABLE as error:
        report_unreadable(error, problems)
        return None
    for path, other in zip(files, opened, strict=True):
        odd = sorted(set(other.columns) ^ set(opened[0].columns))
        if odd:
            problems.add(
                "D201",
                f"{path.name} and {files[0].name} differ in columns: {', '.join(odd[:5])}",
                "all files of a folder must have the same columns",
            )
            return None

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        for path, file in zip(files, opened, strict=True):
            with _naming(path, source):
                yield from file.batches(numbers, texts)

    return TableFile(opened[0].columns, batches, tuple(files), any(file.is_csv for file in opened))


class DamagedTableError(ValueError):
    """pyarrow cannot read a file."""


UNREADABLE = (
    *(OSError, ValueError, TypeError, LookupError, NotImplementedError, EOFError),
    *(ArithmeticError, MemoryError, zlib.error),
)
"""What the system, gzip and pyarrow raise for a file that cannot be read.

``_naming`` turns pyarrow's errors of other classes into ``DamagedTableError``.
"""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def report_unreadable(error: BaseException, problems: Problems) -> None:
    """Report a file that the system or pyarrow cannot read."""
    if isinstance(error, NoWorkspaceError) or (
        isinstance(error, OSError) and error.errno in NO_SPACE
    ):
        hint = "set TMPDIR, or the cache, to a folder with more space"
        message = f"there is no space for the arrays of the table ({error.strerror})"
        problems.add("D107", message, hint)
    elif isinstance(error, MemoryError):
        problems.add(
            "D102",
            "it does not fit into memory",
            "split it into several files, or save it as .npy files",
        )
    elif isinstance(error, OSError) and error.strerror and error.errno:
        name = Path(os.fsdecode(error.filename or "")).name
        inside = f"{name} " if name and name != Path(problems.where).name else ""
        problems.add("D101", f"{inside}cannot be read: {error.strerror}", "check the path")
    else:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        text = re.sub(r"Row #([0-9]+)", lambda found: f"row {int(found[1]) - 1}", text)
        problems.add(
            "D102", f"cannot be read: {text}", "the file is damaged, or is not what its ending says"
        )


@contextmanager
def _naming(path: Path, source: Path) -> Iterator[None]:
    """Put the name of a file in a folder into the errors that reading it raises."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    try:
        yield
    except (OSError, MemoryError) as error:
        if isinstance(error, OSError) and not error.errno and path != source:
            raise DamagedTableError(f"{path.name}: {error}") from None
        raise
    except (*UNREADABLE, pa.ArrowException) as error:
        name = "" if path == source else f"{path.name}: "
        raise DamagedTableError(f"{name}{error}") from None


def table_ending(path: Path) -> str | None:
    """Return the ending of a table file, such as ``.csv`` or ``.parquet``; None for other files."""
    name = path.name.lower()
    return next((end for end in (*CSV_ENDINGS, *PARQUET_ENDINGS) if name.endswith(end)), None)


def _files(path: Path) -> list[Path]:
    """Return the file itself, or the table files of a folder sorted by name."""
    return sorted(p for p in path.iterdir() if table_ending(p)) if path.is_dir() else [path]


def _open_file(path: Path, source: Path) -> TableFile:
    with _naming(path, source):
        require_regular_file(path)
        return _open_csv(path) if table_ending(path) in CSV_ENDINGS else _open_parquet(path)


def _open_parquet(path: Path) -> TableFile:
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    def opened() -> Any:
        # Read in pieces, not in whole column chunks: a row group can be as large as the file.
        return parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        with opened() as file:
            columns = [*numbers, *texts]
            yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)

    with opened() as file:
        return TableFile(tuple(file.schema_arrow.names), batches)


def _open_csv(path: Path) -> TableFile:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import csv  # noqa: PLC0415 - an extra

    parse = csv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True)
    read = csv.ReadOptions(block_size=CSV_BLOCK, use_threads=False)

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        # Types are never guessed from the first rows, as later rows may differ.
        types = dict.fromkeys(numbers, pa.float64()) | dict.fromkeys(texts, pa.string())
        convert = csv.ConvertOptions(include_columns=list(types), column_types=types)
        with csv.open_csv(path, read, parse, convert) as reader:
            yield from reader

    with csv.open_csv(path, read, parse) as reader:
        return TableFile(tuple(reader.schema.names), batches, is_csv=True)


def _delimiter(path: Path) -> str:
    """Return the usual delimiter that the first line has most of; a comma if it has none."""
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        line = file.readline(CSV_BLOCK).decode("utf-8", "replace")
    return max(DELIMITERS, key=line.count)


def _from_memory(source: Any, problems: Problems) -> TableFile | None:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if isinstance(source, Mapping):
        deep = [name for name, array in source.items() if getattr(array, "ndim", 1) != 1]
        if deep:
            problems.add(
                "D203",
                f"the recipe makes its inputs from columns, but '{deep[0]}' has "
                f"{source[deep[0]].ndim} axes",
                "give arrays with one axis, or remove `inputs:` from the recipe's `data:`",
            )
            return None
    table = pa.table(dict(source) if isinstance(source, Mapping) else source)

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        yield from table.select([*numbers, *texts]).to_batches(BATCH_ROWS)

    return TableFile(tuple(table.column_names), batches)
