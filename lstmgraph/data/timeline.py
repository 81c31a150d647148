"""The places of the examples' targets in time, which splits depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.table import time_texts

if TYPE_CHECKING:
    from lstmgraph.data.values import Array


@dataclass(frozen=True)
class Timeline:
    """The series of every example, and the rows from its first target to its last."""

    series_starts: Array
    """The first row of each series, then the number of rows, (series + 1,)."""
    series: Array
    """The series of each example, (examples,)."""
    origins: Array
    """The row after the history of each example, (examples,)."""
    before: Array
    """How many rows before its origin the targets of each example begin, (examples,)."""
    after: int
    """How many rows after its origin the targets end."""
    has_series: bool
    """Whether examples belong to named series, which a random split keeps together."""
    times: Array | None = None
    time_unit: str = ""
    series_keys: tuple[tuple[Any, ...], ...] = ()
    """The values of the columns that tell series apart, by the number of the series."""

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def first(self) -> Array:
        """The first row of the targets of each example, (examples,)."""
        first: Array = self.origins - self.before
        return first

    @property
    def end(self) -> Array:
        """The row after the last target of each example, (examples,)."""
        end: Array = self.origins + self.after
        return end

    def span(self, examples: Array) -> tuple[str, str] | None:
        """Return the first and last time of these examples' targets as text; None without times."""
        if self.times is None or not len(examples):
            return None
        origins = self.origins[examples]
        first = self.times[origins - self.before[examples]].min()
        last = self.times[origins + (self.after - 1)].max()
        start, end = time_texts((first.item(), last.item()), self.time_unit, self.times)
        return start, end


def timeline_of_rows(count: int) -> Timeline:
    """Return the timeline of arrays, in which each row is an example and one step."""
    none = np.broadcast_to(np.int32(0), count)
    return Timeline(np.array([0, count]), none, np.arange(count), none, after=1, has_series=False)
