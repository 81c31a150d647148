"""One named tensor over all examples, from which batches are taken by example numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstmgraph.data.values import as_dtype

if TYPE_CHECKING:
    from lstmgraph.data.values import Array


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

    @property
    def dtype(self) -> np.dtype[Any]:
        """The table's dtype."""
        return self.table.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The table, and the places of the windows in it."""
        return self.table, self.origins, self.before

    def take(self, examples: Array) -> Array:
        """Return the values of these examples, (len(examples), *shape)."""
        before = self.before[examples].astype(np.int64)[:, None]
        starts = self.origins[examples][:, None] - before
        steps = np.arange(self.steps)
        rows = starts + steps
        if self.after is None:
            return np.asarray(self.table[rows]).reshape(len(examples), *self.shape)
        present = steps < before + self.after
        values = np.asarray(self.table[np.where(present, rows, starts)])
        values[~present] = 0
        return values.reshape(len(examples), *self.shape)


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
