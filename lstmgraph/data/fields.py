"""One named tensor of all examples, from which batches are taken by the examples' numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstmgraph.data.values import as_dtype

if TYPE_CHECKING:
    from lstmgraph.data.values import Array


class Field(Protocol):
    """What `take` gives for each example has `shape` and `dtype`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what `take` gives."""

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All that the values follow from, first axis rows, series or examples."""

    def take(self, examples: Array) -> Array:
        """The tensor (len(examples), *shape) of the examples with these numbers."""


@dataclass(frozen=True)
class Rows:
    """An array with one row an example, in memory or mapped from a file."""

    array: Array
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The one array."""
        return (self.array,)

    def take(self, examples: Array) -> Array:
        """Shape (len(examples), *shape)."""
        rows = np.asarray(self.array[examples])
        return as_dtype(rows, self.dtype).reshape(len(examples), *self.shape)


@dataclass(frozen=True)
class Windows:
    """`steps` rows of `table`, the first of them `before` an origin; zeros follow shorter ones."""

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
        """The table, and where in it the windows are."""
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
    """One row of `table` for each series, given to every example of it."""

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
        """The table, and whose of its rows each example has."""
        return self.table, self.series

    def take(self, examples: Array) -> Array:
        """Shape (len(examples), *shape)."""
        return self.table[self.series[examples]].reshape(len(examples), *self.shape)
