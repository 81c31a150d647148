"""One named tensor over all examples, from which batches are taken by example numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstmgraph.data.texts import OBJECT_BYTES
from lstmgraph.data.values import as_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.data.table import Interpolated
    from lstmgraph.data.texts import Texts
    from lstmgraph.data.values import Array

ROWS_AT_ONCE = 1 << 14


class Field(Protocol):
    """A tensor over all examples; `take` returns values of `shape` and `dtype` for each."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values that `take` returns."""

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All arrays that the values depend on; their first axis is rows, series or examples."""

    def take(self, examples: Array) -> Array:
        """Return the values of the examples with these numbers, (len(examples), *shape)."""


@dataclass(frozen=True)
class Rows:
    """An array with one row for each example, in memory or mapped from a file."""

    array: Array
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The one array."""
        return (self.array,)

    def take(self, examples: Array) -> Array:
        """Return the values of these examples, (len(examples), *shape)."""
        rows = np.asarray(self.array[examples])
        return as_dtype(rows, self.dtype).reshape(len(examples), *self.shape)


@dataclass(frozen=True)
class Windows:
    """Windows of `steps` rows of `table`, from `before` an origin on; short ones end in zeros."""

    table: Array
    """(rows, columns)."""
    origins: Array
    """The row after the history of each example, (examples,)."""
    before: Array
    """How many rows before its origin each window begins, (examples,)."""
    steps: int
    after: int | None
    """How many rows after its origin each window ends; None if all of them have `steps` rows."""
    shape: tuple[int, ...]
    masked: Array | None = None
    """1 where a 0 of the table stands for a missing value, (rows, columns)."""
    interpolated: Interpolated | None = None
    """What stands where the next value is not known yet at the origin or, behind it, the step."""
    lag: int = 0
    """How many steps late each row is read."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The table's dtype."""
        return self.table.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The tables, and the places of the windows in them."""
        later = self.interpolated
        others = () if later is None else (later.forward, later.ahead)
        return self.table, self.origins, self.before, *others

    def take(self, examples: Array) -> Array:
        """Return the values of these examples, (len(examples), *shape)."""
        before = self.before[examples].astype(np.int64)[:, None]
        origins = self.origins[examples][:, None]
        starts = origins - before
        steps = np.arange(self.steps)
        rows = starts + steps
        if self.after is None:
            return self._values(rows, origins).reshape(len(examples), *self.shape)
        present = steps < before + self.after
        values = self._values(np.where(present, rows, starts), origins)
        values[~present] = 0
        return values.reshape(len(examples), *self.shape)

    def _values(self, rows: Array, origins: Array) -> Array:
        """Return the values of rows, (examples, steps, columns), as they are known by then."""
        values = np.asarray(self.table[rows])
        if self.interpolated is None:
            return values
        # What lies before the origin is known as of then; a later value, as of the step it is for.
        known = np.where(rows < origins, origins, rows + self.lag)
        ahead = self.interpolated.ahead[rows]
        is_later = (ahead > 0) & (rows[..., None] + ahead >= known[..., None])
        return np.where(is_later, self.interpolated.forward[rows], values)


@dataclass(frozen=True)
class Counted:
    """Weights of a target's steps: 0 where one of its values was missing."""

    missing: Field
    """1 where a value was missing, (..., columns)."""
    weight: Field | None
    """The weights that the data has."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = field(default=np.dtype("float32"))

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Those of both."""
        return (*self.missing.arrays, *(self.weight.arrays if self.weight else ()))

    def take(self, examples: Array) -> Array:
        """Return the weights of these examples, (len(examples), *shape)."""
        missing = self.missing.take(examples).any(axis=-1)
        counts = (~missing).reshape(len(examples), *self.shape).astype(self.dtype)
        if self.weight is None:
            return counts
        weights = self.weight.take(examples)
        axes = (1,) * (counts.ndim - weights.ndim)
        return counts * weights.reshape(*weights.shape, *axes)


@dataclass(frozen=True)
class PerSeries:
    """One row of `table` for each series, repeated for every example of the series."""

    table: Array
    """(series, columns)."""
    series: Array
    """The series of each example, (examples,)."""
    shape: tuple[int, ...]
    masked: Array | None = None
    """1 where a 0 of the table stands for a missing value, (series, columns)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The table's dtype."""
        return self.table.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The table, and the row of it that each example has."""
        return self.table, self.series

    def take(self, examples: Array) -> Array:
        """Return the values of these examples, (len(examples), *shape)."""
        return self.table[self.series[examples]].reshape(len(examples), *self.shape)


@dataclass(frozen=True)
class Coded:
    """A tensor of texts over all examples, which reads their numbers from another tensor."""

    codes: Field
    texts: Texts

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.codes.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Objects, which are texts."""
        return np.dtype(object)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays of the numbers, then the texts."""
        return *self.codes.arrays, self.texts.letters, self.texts.ends

    @property
    def item_bytes(self) -> int:
        """About what a value takes in memory."""
        return self.texts.mean_bytes

    def take(self, examples: Array) -> Array:
        """Return the texts of these examples, (len(examples), *shape) objects."""
        return self.texts.of(self.codes.take(examples))


def item_bytes(field: Field) -> int:
    """Return about how many bytes one value of a tensor takes in memory."""
    if isinstance(field, Coded):
        return field.item_bytes
    if field.dtype.kind == "O":  # texts of an array that has all of them in one width
        return OBJECT_BYTES + max(each.dtype.itemsize for each in field.arrays)
    return field.dtype.itemsize


def rows_of(field: Field, examples: Array, *, by_rows: bool) -> Iterator[Array]:
    """Yield the values of these examples in parts, each row of a table or series once.

    Args:
        field: one tensor of all examples.
        examples: the numbers of the examples.
        by_rows: whether steps may be read one by one: windows that share rows of a table then give
            each of them once, as windows of one step, and no padding.
    """
    if by_rows:
        field, examples = _without_repeats(field, examples)
    for start in range(0, len(examples), ROWS_AT_ONCE):
        yield field.take(examples[start : start + ROWS_AT_ONCE])


def _without_repeats(field: Field, examples: Array) -> tuple[Field, Array]:
    """Return the tensor of single rows behind a tensor, and the numbers of the rows that it has."""
    if isinstance(field, Coded):
        codes, rows = _without_repeats(field.codes, examples)
        return replace(field, codes=codes), rows
    if isinstance(field, PerSeries):
        return Rows(field.table, field.shape, field.dtype), np.unique(field.series[examples])
    if not isinstance(field, Windows):
        return field, examples
    rows = np.flatnonzero(rows_read(field, examples))
    has_steps = len(field.shape) > 1 or (field.steps > 1 and field.shape == (field.steps,))
    shape = (1, *field.shape[1:]) if has_steps else field.shape
    return Rows(field.table, shape, field.dtype), rows


def rows_read(field: Windows, examples: Array) -> Array:
    """Return which rows of its table the windows of some examples hold, (rows,) bool."""
    before = field.before[examples].astype(np.int64)
    starts = field.origins[examples] - before
    counts = field.steps if field.after is None else before + field.after
    # Where windows begin and end, counted: the sum so far is the number of windows of each row.
    edges = np.zeros(len(field.table) + 1, np.int32)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + counts, -1)
    read: Array = np.cumsum(edges[:-1]) > 0
    return read
