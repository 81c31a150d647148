"""Named tensors over all examples, from which batches are taken by example numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstmgraph.data.values import as_dtype

if TYPE_CHECKING:
    from lstmgraph.data.values import Array


class Field(Protocol):
    """A tensor of all examples; `shape` and `dtype` are those of one example."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one example."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the dtype of what `take` returns."""

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return the arrays that determine the values; first axis rows, series or examples."""

    def take(self, examples: Array) -> Array:
        """Return the tensor of the examples with these numbers, (len(examples), *shape)."""


@dataclass(frozen=True)
class Rows:
    """An array with one row an example, in memory or mapped from a file."""

    array: Array
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return the one array."""
        return (self.array,)

    def take(self, examples: Array) -> Array:
        """Shape (len(examples), *shape)."""
        rows = np.asarray(self.array[examples])
        return as_dtype(rows, self.dtype).reshape(len(examples), *self.shape)


@dataclass(frozen=True)
class Windows:
    """Windows of `steps` rows of `table`, from `before` an origin; short ones end in zeros."""

    table: Array
    """(rows, columns)."""
    origins: Array
    """(examples,): the row after the history of each example."""
    before: Array
    """(examples,): how many rows before that each begins."""
    steps: int
    after: int | None
    """How many rows after the origin each ends, where that can be before `steps`; else None."""
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The table's."""
        return self.table.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return the table and the windows' places in it."""
        return self.table, self.origins, self.before

    def take(self, examples: Array) -> Array:
        """Shape (len(examples), *shape)."""
        before = self.before[examples].astype(np.int64)[:, None]
        starts = self.origins[examples][:, None] - before
        steps = np.arange(self.steps)
        rows = starts + steps
        if self.after is None:
            return np.asarray(self.table[rows]).reshape(len(examples), *self.shape)
        there = steps < before + self.after
        values = np.asarray(self.table[np.where(there, rows, starts)])
        values[~there] = 0
        return values.reshape(len(examples), *self.shape)


@dataclass(frozen=True)
class PerSeries:
    """One row of `table` for each series, repeated for each of its examples."""

    table: Array
    """(series, columns)."""
    series: Array
    """(examples,): the series of each example."""
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The table's."""
        return self.table.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return the table and each example's row in it."""
        return self.table, self.series

    def take(self, examples: Array) -> Array:
        """Shape (len(examples), *shape)."""
        return self.table[self.series[examples]].reshape(len(examples), *self.shape)
