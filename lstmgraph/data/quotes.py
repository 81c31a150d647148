"""Quotes of CSV that are not closed: rows that stand in a text, which no reader reports."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CHUNK = 1 << 22
LINES = 50
"""How many lines of a text are looked at."""
OPEN_HINT = 'close the quote, or write "" for a quote inside of a text in quotes'


def may_hide_rows(path: Path, rows: int) -> bool:
    """Return whether a file has quotes, and more lines than a header and so many rows."""
    lines, has_quotes = 0, False
    with opened(path) as file:
        while part := file.read(CHUNK):
            lines += part.count(b"\n")
            has_quotes = has_quotes or b'"' in part
    return has_quotes and lines > rows + 1


def opened(path: Path) -> IO[bytes]:
    """Open a file that may be compressed."""
    is_packed = path.suffix.lower() == ".gz"
    return cast("IO[bytes]", gzip.open(path)) if is_packed else path.open("rb")


def hidden_rows(
    path: Path, batches: Iterable[Any], numbers: Sequence[str], delimiter: str
) -> str | None:
    """Return where a quote is not closed; None if texts of several lines look like texts.

    A text hides rows if one of its lines has a value for each column, with numbers where the
    columns of `numbers` stand; or if the file ends before its quote does.

    Args:
        path: the file.
        batches: its rows, with all columns as bytes, those without quotes too.
        numbers: the columns that are read as numbers.
        delimiter: what separates columns.
    """
    import pyarrow.compute as pc  # noqa: PLC0415 - an extra

    start, last = 0, None
    for batch in batches:
        names = batch.schema.names
        at_numbers = [names.index(name) for name in numbers]
        for name, column in zip(names, batch.columns, strict=True):
            long = pc.indices_nonzero(pc.fill_null(pc.match_substring(column, "\n"), False))
            for row in long.to_pylist():
                lines = column[row].as_py().split(b"\n")[1 : LINES + 1]
                cells = [line.rstrip(b"\r").split(delimiter.encode()) for line in lines]
                if any(_is_row(each, len(names), at_numbers) for each in cells):
                    return f"row {start + row + 1}, column '{name}'"
        start += batch.num_rows
        last = batch.columns[-1][batch.num_rows - 1].as_py() if batch.num_rows else last
    if last is not None and b"\n" in last and not _tail(path).endswith(b'"'):
        return f"row {start}, column '{names[-1]}'"
    return None


def _is_row(cells: list[bytes], count: int, numbers: list[int]) -> bool:
    if len(cells) != count or not numbers:
        return False
    values = [cells[at].strip() for at in numbers]
    with suppress(ValueError):
        return len([float(value) for value in values if value]) > 0
    return False


def _tail(path: Path) -> bytes:
    """Return the last characters of a file, without line ends."""
    tail = b""
    with opened(path) as file:
        while part := file.read(CHUNK):
            tail = (tail + part)[-64:]
    return tail.rstrip()
