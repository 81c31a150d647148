"""Arrow columns to NumPy: numbers, times, and the keys that tell series apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.data.values import Array

MISSING = ("", "na", "nan", "n/a", "#n/a", "null", "none", "-")
"""Texts, in lower case, that stand for a missing number."""


class ColumnError(Exception):
    """A column holds something other than it should; `row` is the first such row of the batch."""

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
        hint = _number_hint(value.strip())
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


_GROUPS = re.compile(r"[-+]?[0-9]{1,3}(?:[,.' \u00a0\u202f_][0-9]{3})+(?:[.,][0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?")
_WITH_UNIT = re.compile(r"([^0-9+.,-]{0,10})([-+]?[0-9][0-9.,]*)(\D{0,20})")


def _number_hint(text: str) -> str:
    """Return how to write a number that is not plain digits with a decimal point."""
    if re.fullmatch(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?", text) and not _GROUPS.fullmatch(
        text
    ):
        return f"write decimals with a point: {text.replace(',', '.')}"
    if _GROUPS.fullmatch(text):
        decimals = re.search(r"[.,]([0-9]+)$", text)
        marks = {mark for mark in text if mark in ".,"}
        last = decimals and (len(marks) == 2 or len(decimals[1]) != 3)
        whole = text[: decimals.start()] if decimals and last else text
        plain = "".join(mark for mark in whole if mark in "-+0123456789")
        number = f"{plain}.{decimals[1]}" if decimals and last else plain
        if len(marks) == 1 and not last and "," in marks:
            return f"write {number}, without thousands separators, or {text.replace(',', '.')}"
        return f"write {number}, without thousands separators and with a decimal point"
    found = _WITH_UNIT.fullmatch(text)
    if found and (found[1].strip() or found[3].strip()):
        unit = (found[1] or found[3]).strip()
        return f"write {found[2]} without '{unit}'; name the unit in the header"
    return "convert words to numbers first"


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

    one_zone: bool = False
    """Whether all times need the same offset, as the calendar shows them as they are written."""
    unit: str | None = None
    kind: Any = None
    """The column's Arrow type; for text, the type that the first value can be parsed as."""
    zone: str | None = None
    """The time zone as the column names it; None for times without one. Times are in UTC."""

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
            self.zone = self.zone or getattr(column.type, "tz", None)
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
        kind = self.kind or _kind_of_times(text)
        try:
            found = text.cast(kind)
        except pa.ArrowInvalid:
            row = _first_refused(text, kind)
            value = str(text[row].as_py())
            raise ColumnError(*_not_a_time(value, kind), row) from None
        if getattr(kind, "tz", None):
            self._read_offsets(text)
        return found

    def _read_offsets(self, text: Any) -> None:
        """Note the offset of all times, such as ``+01:00``; UTC if they have several.

        Raises:
            ColumnError: They have several, and need to have one.
        """
        from pyarrow import compute  # noqa: PLC0415 - an extra

        found = compute.extract_regex(text, r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{0,2})$")
        zones = found.field("zone").dictionary_encode()
        for number, word in enumerate(zones.dictionary.to_pylist()):
            zone = _zone(word)
            self.zone = self.zone or zone
            if zone == self.zone:
                continue
            if self.one_zone:
                row = int(np.argmax(zones.indices.to_numpy(zero_copy_only=False) == number))
                raise ColumnError(
                    f"has the offset {zone} after {self.zone}, so which hour or day it is depends "
                    "on the row",
                    "write all times with one offset, such as UTC: 2024-01-31 10:00Z",
                    row,
                )
            self.zone = "UTC"


def _zone(word: str) -> str:
    """Return an offset in one form: ``+01:00``."""
    if word == "Z":
        return "UTC"
    digits = word[1:].replace(":", "").ljust(4, "0")
    offset = f"{word[0]}{digits[:2]}:{digits[2:]}"
    return "UTC" if digits == "0000" else offset


def _kind_of_times(text: Any) -> Any:
    """Return the Arrow type of all texts or, where they differ, that of the first."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    iso = [pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns")]
    first = text.drop_null()[:1]
    for texts in (text, first):
        for kind in (pa.int64(), pa.float64(), *iso):
            try:
                texts.cast(kind)
            except pa.ArrowInvalid:
                continue
            return kind
    return iso[0]


def _not_a_time(value: str, kind: Any) -> tuple[str, str]:
    """Return message and hint for a text that is no time like those before it."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    message = f"holds '{value[:40]}', which is not a time"
    for other, has in ((pa.timestamp("ns"), "no"), (pa.timestamp("ns", "UTC"), "a")):
        try:
            pa.array([value]).cast(other)
        except pa.ArrowInvalid:
            continue
        if pa.types.is_timestamp(kind) and bool(kind.tz) != (has == "a"):
            before = "have one" if has == "no" else "have none"
            return (
                f"holds '{value[:40]}' with {has} time zone, but the times before it {before}",
                "write all times with their offset, such as 2024-01-31 10:00+01:00, or none",
            )
    return message, _time_hint(value)


_DATE = re.compile(r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})(.*)")


def _time_hint(value: str) -> str:
    """Return how to write a time that is not in ISO 8601."""
    found = _DATE.fullmatch(value)
    if not found:
        return _TIME_HINT
    one, mark, two, three, rest = found.groups()
    orders = {"year-month-day": (one, two, three)}
    if len(one) <= 2:
        german, american = (
            ("day.month.year", (three, two, one)),
            ("month/day/year", (three, one, two)),
        )
        both = [german] if mark == "." or int(one) > 12 else [american, german]
        orders = dict([american] if int(two) > 12 else both)
    texts = []
    for order, (year, month, day) in orders.items():
        if int(month) <= 12 and int(day) <= 31 and len(year) in (2, 4):
            full = year if len(year) == 4 else f"20{year}"
            texts.append(f"{full}-{month.zfill(2)}-{day.zfill(2)}{rest} ({order})")
    return f"write it in ISO 8601, as {' or '.join(texts)}" if texts else _TIME_HINT


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

    @property
    def keys(self) -> tuple[tuple[Any, ...], ...]:
        """The values that name each series, in the order of the numbers."""
        return tuple(self._numbers)

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
