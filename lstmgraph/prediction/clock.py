"""The times of the rows of a table, and of the steps after its last row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lstmgraph.data.values import Array

CHUNK = 1 << 20
"""How many times are read at a time."""
RECENT = 1_000
"""How many steps at the end of a series say how far apart its times are."""
UNITS = {
    "second": "s", "minute": "m", "hour": "h", "day": "D", "week": "W", "month": "M",
    "quarter": "M", "year": "Y",
}  # fmt: skip
SPAN = re.compile(r"\s*(\d+)?\s*([a-z]+?)s?\s*")
DAYS_OF_A_MONTH = (28, 31)


@dataclass(frozen=True)
class Clock:
    """The times of all rows, and how far apart those of a series are."""

    times: Array
    """The time of each row, (rows,) int64 or float64."""
    unit: str
    """What times count, as NumPy writes it (``us``); empty if they are plain numbers."""
    zone: str
    starts: Array
    """The first row of each series, then the number of rows, (series + 1,)."""
    every: str | float | None = None

    def holds_whole(self, units: int) -> bool:
        """Return whether all times, and the steps after them, are whole multiples of `units`."""
        if any((self.times[i : i + CHUNK] % units).any() for i in range(0, len(self.times), CHUNK)):
            return False
        if not isinstance(self.every, str):
            return True
        count, unit = _span(self.every)
        if UNITS[unit] in "MY":
            return True
        step = np.array(count, f"timedelta64[{UNITS[unit]}]").astype(f"timedelta64[{self.unit}]")
        return int(step.astype(np.int64)) % units == 0

    def at(self, series: Array, rows: Array) -> Array:
        """Return the times of rows, which may lie behind the last row of their series.

        Args:
            series: the series of each example, (examples,).
            rows: the numbers of rows, (examples,) or (examples, steps).

        Returns:
            ``datetime64`` or numbers, of the shape of `rows`; NaT or NaN where a series is too
            short to say how far apart its times are.
        """
        ends = self.starts[series + 1][:, None]
        flat = rows.reshape(len(series), -1)
        found = self._dated(np.asarray(self.times[np.minimum(flat, ends - 1)]))
        late = flat >= ends
        for example in np.flatnonzero(late.any(axis=1)).tolist():
            steps = (flat[example] - ends[example])[late[example]] + 1
            found[example, late[example]] = self._after(int(series[example]), steps)
        return found.reshape(rows.shape)

    def _dated(self, times: Array) -> Array:
        found: Array = times.astype(f"datetime64[{self.unit}]") if self.unit else times
        return found

    def _after(self, series: int, steps: Array) -> Array:
        """Return the times `steps` steps after the last row of a series."""
        end = int(self.starts[series + 1])
        first = max(int(self.starts[series]), end - RECENT)
        recent = self._dated(np.asarray(self.times[first:end]))
        last = recent[-1]
        months = self._months(recent)
        if months:
            month = last.astype("datetime64[M]")
            return _with_day(month + steps * months, last, recent)
        step = self._step(recent)
        if step is None:
            nothing = self._dated(np.array("NaT", "datetime64[s]")) if self.unit else np.nan
            return np.full(steps.shape, nothing)
        found: Array = last + steps * step
        return found

    def _months(self, recent: Array) -> int:
        """Return the months of a step; 0 for steps that all take the same time."""
        if isinstance(self.every, str):
            count, unit = _span(self.every)
            return count * {"month": 1, "quarter": 3, "year": 12}.get(unit, 0)
        if not self.unit or self.every is not None or len(recent) < 3:
            return 0
        days = recent.astype("datetime64[D]")
        steps = np.diff(days).astype(np.int64)
        if steps.min() == steps.max() or steps.min() < DAYS_OF_A_MONTH[0]:
            return 0
        months = np.diff(days.astype("datetime64[M]")).astype(np.int64)
        return int(months[0]) if (months == months[0]).all() else 0

    def _step(self, recent: Array) -> Any:
        if isinstance(self.every, str):
            count, unit = _span(self.every)
            step: Any = np.array(count, f"timedelta64[{UNITS[unit]}]")
            return step.astype(f"timedelta64[{self.unit}]") if self.unit else None
        if self.every is not None:
            return self.every
        if len(recent) < 2:
            return None
        return np.sort(np.diff(recent))[(len(recent) - 1) // 2]


def _span(every: str) -> tuple[int, str]:
    """Return ``15 minutes`` as (15, "minute")."""
    match = SPAN.fullmatch(every.lower())
    count, unit = (int(match[1] or 1), match[2]) if match else (1, "")
    if unit not in UNITS:
        raise ValueError(f"`every: {every}` is no span of time, such as `15 minutes`")
    return count, unit


def _with_day(months: Array, last: Any, recent: Array) -> Array:
    """Return the times in `months` on the day of `last`; on the last day if `last` is one."""
    unit = recent.dtype
    days = recent.astype("datetime64[D]")
    next_month = days.astype("datetime64[M]") + 1
    is_month_end = bool((days + 1 == next_month.astype("datetime64[D]")).all())
    day = last.astype("datetime64[D]") - last.astype("datetime64[M]").astype("datetime64[D]")
    in_month = last - last.astype("datetime64[D]").astype(unit)
    ends = (months + 1).astype("datetime64[D]") - 1
    found = ends if is_month_end else np.minimum(months.astype("datetime64[D]") + day, ends)
    times: Array = found.astype(unit) + in_month
    return times
