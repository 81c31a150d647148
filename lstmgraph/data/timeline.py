"""The place of each example's targets in time, by which examples are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.table import time_texts

if TYPE_CHECKING:
    from lstmgraph.data.values import Array


@dataclass(frozen=True)
class Timeline:
    """Each example's series, and the rows from its first target to its last."""

    series_starts: Array
    """(series + 1,): the first row of each series, and the number of rows."""
    series: Array
    """(examples,)."""
    origins: Array
    """(examples,): the row after the history, from which targets are counted."""
    before: Array
    """(examples,): how many rows before that the targets begin."""
    after: int
    """How many rows after the origin they end."""
    has_series: bool
    """Whether examples belong to named series, which a random split keeps together."""
    times: Array | None = None
    time_unit: str = ""

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def first(self) -> Array:
        """Return the first row of each example's targets, (examples,)."""
        first: Array = self.origins - self.before
        return first

    @property
    def end(self) -> Array:
        """Return the row after the last of each example's targets, (examples,)."""
        end: Array = self.origins + self.after
        return end

    def span(self, examples: Array) -> tuple[str, str] | None:
        """Return the first and the last time of some examples' targets, as text."""
        if self.times is None or not len(examples):
            return None
        origins = self.origins[examples]
        first = self.times[origins - self.before[examples]].min()
        last = self.times[origins + (self.after - 1)].max()
        start, end = time_texts((first.item(), last.item()), self.time_unit, self.times)
        return start, end


def timeline_of_rows(count: int) -> Timeline:
    """Return the timeline of `count` rows of arrays, where each row is an example."""
    none = np.broadcast_to(np.int32(0), count)
    return Timeline(np.array([0, count]), none, np.arange(count), none, after=1, has_series=False)
