"""Arrow columns to NumPy: numbers, times, and the keys that tell series apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.data.values import Array

MISSING = ("", "na", "nan", "n/a", "#n/a", "null", "none", "-")
"""Texts, in lower case, that stand for a missing number."""


class ColumnError(Exception):
    """A column holds something else than it should; `row` is the first such row of the batch."""

    def __init__(self, message: str, hint: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row
        self.hint = hint


def numbers(column: Any) -> Array:
    """Return the numbers of a column, (rows,), with NaN for missing ones; text is parsed.

    Raises:
        ColumnError: The column holds dates, lists or the like, or text that is not a number.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra

    column = _decoded(column)
    kind = column.type
    if _is_text(kind):
        return _numbers_of_text(column)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif pa.types.is_null(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise ColumnError(f"holds {kind}, not numbers", "convert it to numbers first")
    if column.null_count:
        column = column.cast(pa.float64(), safe=False).fill_null(float("nan"))
    array: Array = column.to_numpy(zero_copy_only=False)
    return array


def _numbers_of_text(column: Any) -> Array:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import compute  # noqa: PLC0415 - an extra

    text = compute.utf8_lower(compute.utf8_trim_whitespace(column))
    for word, digit in (("true", "1"), ("false", "0")):
        text = compute.if_else(compute.equal(text, word), digit, text)
    missing = compute.is_in(text, value_set=pa.array([*MISSING, None], text.type))
    text = compute.if_else(missing, "nan", text)
    try:
        array: Array = text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        row = _first_refused(text, pa.float64())
        value = column[row].as_py()
        hint = "convert words to numbers first"
        if "," in value:
            hint = "write numbers with a decimal point and no thousands separator: 1234.5"
        raise ColumnError(f"holds '{value[:40]}', which is not a number", hint, row) from None
    return array


def texts(column: Any) -> tuple[list[str], Array]:
    """Return the different texts of a column, and which of them each row has, (rows,) int64.

    A missing cell is the empty text. Whole numbers and booleans are texts as CSV writes them.

    Raises:
        ColumnError: The column holds dates, fractions, lists or the like.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra

    column = _decoded(column)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        column = column.cast(pa.string())
    elif not _is_text(kind):
        raise ColumnError(f"holds {kind}, not texts", "convert it to texts first")
    encoded = column.fill_null("").dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _first_refused(column: Any, kind: Any) -> int:
    """Return the first row that cannot be cast to `kind`; at least one cannot."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    first, end = 0, len(column)
    while end - first > 1:
        middle = (first + end) // 2
        try:
            column[first:middle].cast(kind)
        except pa.ArrowInvalid:
            end = middle
        else:
            first = middle
    return first


def _decoded(column: Any) -> Any:
    return column.dictionary_decode() if hasattr(column, "dictionary_decode") else column


def is_text(column: Any) -> bool:
    """Return whether a column holds texts."""
    return _is_text(_decoded(column).type)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


@dataclass
class TimeColumn:
    """Reads the column that orders the rows, batch by batch, as numbers.

    `unit` is what they count, as NumPy writes it (``D``, ``us``); empty for plain numbers.
    """

    unit: str | None = None
    kind: Any = None
    """The column's Arrow type; for text, the type that the first batch can be parsed as."""

    def read(self, column: Any) -> Array:
        """Return the times of one batch, (rows,) int64 or float64.

        Raises:
            ColumnError: A time is missing, or the column does not hold times.
        """
        import pyarrow as pa  # noqa: PLC0415 - an extra

        column = _decoded(column)
        if _is_text(column.type):
            column = self._parsed(column)
        missing = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        if missing.any():
            raise ColumnError("has no time", "every row needs one", int(np.argmax(missing)))
        if self.unit is None:
            self.kind, self.unit = column.type, _time_unit(column.type)
        elif column.type != self.kind:  # in another file of a folder
            raise ColumnError(f"holds {column.type} after {self.kind}", "use one kind of time")
        kept = pa.float64() if pa.types.is_floating(self.kind) else pa.int64()
        if pa.types.is_date32(self.kind):
            column = column.cast(pa.int32())
        times: Array = column.cast(kept).to_numpy(zero_copy_only=False)
        return times

    def _parsed(self, column: Any) -> Any:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import compute  # noqa: PLC0415 - an extra

        text = compute.utf8_trim_whitespace(column)
        text = compute.if_else(compute.equal(text, ""), pa.scalar(None, text.type), text)
        iso = [pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns")]
        for kind in [self.kind] if self.kind else [pa.int64(), pa.float64(), *iso]:
            try:
                return text.cast(kind)
            except pa.ArrowInvalid:
                continue
        row = _first_refused(text, self.kind or iso[0])
        value = str(text[row].as_py())[:40]
        raise ColumnError(f"holds '{value}', which is not a time", _TIME_HINT, row)


def _time_unit(kind: Any) -> str:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if pa.types.is_date(kind):
        return "D" if pa.types.is_date32(kind) else "ms"
    if pa.types.is_timestamp(kind):
        unit: str = kind.unit
        return unit
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return ""
    raise ColumnError(f"holds {kind}, not times", _TIME_HINT)


_TIME_HINT = "write times as numbers or as ISO 8601: 2024-01-31 or 2024-01-31 10:00"


@dataclass
class SeriesKeys:
    """Numbers the series from 0 in the order of their first appearance."""

    names: list[str] = field(default_factory=list)
    _numbers: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def read(self, columns: Sequence[Any]) -> Array:
        """Return the series number of each row of a batch, (rows,) int32.

        Raises:
            ColumnError: A row does not name its series.
        """
        values: list[list[Any]] = []
        combined = np.zeros(len(columns[0]), np.int64)
        for column in columns:
            encoded = column if hasattr(column, "dictionary") else column.dictionary_encode()
            words = encoded.dictionary.to_pylist()
            indices = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
            missing = (indices < 0) | (indices == (words.index("") if "" in words else -1))
            if missing.any():
                hint = "every row needs to name its series"
                raise ColumnError("names no series", hint, int(np.argmax(missing)))
            combined = combined * max(1, len(words)) + indices
            values.append(words)
        distinct, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
        in_order = np.argsort(first)
        numbers = np.empty(len(distinct), np.int32)
        for index in in_order:
            numbers[index] = self._number(int(distinct[index]), values)
        return numbers[inverse]

    def _number(self, code: int, values: list[list[Any]]) -> int:
        parts: list[Any] = []
        for words in reversed(values):
            code, index = divmod(code, max(1, len(words)))
            parts.insert(0, words[index])
        key = tuple(parts)
        if key not in self._numbers:
            self._numbers[key] = len(self.names)
            self.names.append(", ".join(str(part) for part in parts))
        return self._numbers[key]
