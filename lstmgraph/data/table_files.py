"""Tables with named columns (CSV, Parquet, data frames), read batch by batch with pyarrow."""

from __future__ import annotations

import errno
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.data.quotes import OPEN_HINT, hidden_rows, may_hide_rows, opened
from lstmgraph.data.store import NoWorkspaceError
from lstmgraph.files import require_regular_file
from lstmgraph.language.text.bytes import file_near
from lstmgraph.messages.wording import suggested

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


class MalformedTableError(ValueError):
    """A file is no table as CSV writes it; `hint` is the fix."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


UNREADABLE = (
    *(OSError, ValueError, TypeError, LookupError, NotImplementedError, EOFError),
    *(ArithmeticError, MemoryError, zlib.error),
)
"""What the system, gzip and pyarrow raise for a file that cannot be read.

``_naming`` turns pyarrow's errors of other classes into ``DamagedTableError``.
"""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def report_missing(path: Path, problems: Problems) -> None:
    """Report that there is no file or folder, and which data file beside it is named nearly so."""
    near = suggested(file_near(path, (*CSV_ENDINGS, *PARQUET_ENDINGS, ".npz", ".npy")))
    problems.add("D101", f"there is no such file or folder{near}", "check the path")


def report_unreadable(error: BaseException, problems: Problems) -> None:
    """Report a file that the system or pyarrow cannot read."""
    if isinstance(error, MalformedTableError):
        problems.add("D102", str(error), error.hint)
    elif isinstance(error, NoWorkspaceError) or (
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
        malformed = error if isinstance(error, MalformedTableError) else _ragged(str(error))
        if malformed:
            raise MalformedTableError(f"{name}{malformed}", malformed.hint) from None
        raise DamagedTableError(f"{name}{error}") from None


_RAGGED = re.compile(r"(?:Row #([0-9]+): )?Expected ([0-9]+) columns, got ([0-9]+):? ?(.*)", re.S)


def _ragged(error: str) -> MalformedTableError | None:
    """Return what is wrong with a row that has too few or too many values."""
    found = _RAGGED.search(error)
    if not found:
        return None
    row = f"row {int(found[1]) - 1}" if found[1] else "a row"  # the reader counts the header
    expected, got, text = int(found[2]), int(found[3]), " ".join(found[4].split())[:80]
    hint = "the row is cut off, or a separator is missing"
    if got > expected:
        hint = 'put texts that hold the separator in quotes: "a, b"'
        if re.search(r"[0-9],[0-9]", text):
            hint = f"write decimals with a point, 1.5, or separate columns by semicolons; or {hint}"
    values = "1 value" if got == 1 else f"{got} values"
    names = "1 column" if expected == 1 else f"{expected} columns"
    return MalformedTableError(f"{row} has {values}, but the header names {names}: {text}", hint)


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

    def whole() -> Any:
        # Read in pieces, not in whole column chunks: a row group can be as large as the file.
        return parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        with whole() as file:
            columns = [*numbers, *texts]
            yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)

    with whole() as file:
        return TableFile(tuple(file.schema_arrow.names), batches)


def _open_csv(path: Path) -> TableFile:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import csv  # noqa: PLC0415 - an extra

    delimiter = _delimiter(path)
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    read = csv.ReadOptions(block_size=CSV_BLOCK, use_threads=False)

    def batches_of(types: Mapping[str, Any]) -> Iterator[Any]:
        # Types are never guessed from the first rows, as later rows may differ.
        convert = csv.ConvertOptions(include_columns=list(types), column_types=types)
        with csv.open_csv(path, read, parse, convert) as reader:
            yield from reader

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        try:
            types = dict.fromkeys(numbers, pa.float64()) | dict.fromkeys(texts, pa.string())
            rows = 0
            for batch in batches_of(types):
                rows += batch.num_rows
                yield batch
            if may_hide_rows(path, rows):
                whole = batches_of(dict.fromkeys(names, pa.binary()))
                place = hidden_rows(path, whole, numbers, delimiter)
                if place is not None:
                    message = f"{place}: a quote is not closed, and the rows after it are its text"
                    raise MalformedTableError(message, OPEN_HINT)
        except pa.ArrowInvalid as error:
            if "straddling object" in str(error):
                message = f"a row is longer than {CSV_BLOCK >> 20} MiB: a quote is not closed"
                raise MalformedTableError(message, OPEN_HINT) from None
            if "invalid UTF8" not in str(error):
                raise
            _refuse_encoding(batches_of(dict.fromkeys([*numbers, *texts], pa.binary())))
            raise

    with csv.open_csv(path, read, parse) as reader:
        names = tuple(reader.schema.names)
    return TableFile(names, batches, is_csv=True)


def _refuse_encoding(batches: Iterator[Any]) -> None:
    """Find the first text that is not UTF-8.

    Raises:
        MalformedTableError: There is one.
    """
    start = 0
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for row, value in enumerate(column.to_pylist()):
                try:
                    (value or b"").decode()
                except UnicodeDecodeError:
                    text = value.decode("latin-1")[:40]
                    message = f"column '{name}', row {start + row + 1} is not UTF-8 text: '{text}'"
                    raise MalformedTableError(message, _ENCODING_HINT) from None
        start += batch.num_rows


_ENCODING_HINT = (
    "save the file as UTF-8; on a command line: iconv -f latin1 -t utf-8 (or -f utf-16) OLD > NEW"
)


def _delimiter(path: Path) -> str:
    """Return the usual delimiter that the first line has most of; a comma if it has none.

    Raises:
        MalformedTableError: The line is not UTF-8 text.
    """
    with opened(path) as file:
        line = file.readline(CSV_BLOCK)
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MalformedTableError("the file is UTF-16 text, not UTF-8", _ENCODING_HINT)
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1").strip()[:80]
        raise MalformedTableError(f"its header is not UTF-8 text: {text}", _ENCODING_HINT) from None
    return max(DELIMITERS, key=text.count)


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
    try:
        table = pa.table(dict(source) if isinstance(source, Mapping) else source)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):  # values of several kinds
        table = pa.table({name: _column(values) for name, values in _named(source).items()})

    def batches(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Any]:
        yield from table.select([*numbers, *texts]).to_batches(BATCH_ROWS)

    return TableFile(tuple(table.column_names), batches)


def _named(source: Any) -> Mapping[str, Any]:
    """Return the columns of a mapping, or of a data frame of pandas with its named indexes."""
    if isinstance(source, Mapping):
        return source
    levels = {name: source.index.get_level_values(name) for name in source.index.names if name}
    return {**{str(name): source[name] for name in source.columns}, **levels}


def _column(values: Any) -> Any:
    """Return an Arrow column; of text, where values are of several kinds."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
        return pa.array([None if _is_missing(value) else str(value) for value in values])


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN
