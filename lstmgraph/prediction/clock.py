"""The times of the rows of a table, and of the steps after its last row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.table import PER_DAY
from lstmgraph.data.zones import from_wall, wall
from lstmgraph.language.declaration.cadence import parse_cadence

if TYPE_CHECKING:
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.cadence import Cadence

CHUNK = 1 << 20
"""How many times are read at a time."""
RECENT = 1_000
"""How many steps at the end of a series say how far apart its times are."""
DAY = 24 * 3600 * 1000
"""Milliseconds."""
SEASONS = {"minute": 60, "hour": 24, "day": 7, "week": 52, "month": 12, "quarter": 4}
"""How many steps the usual season of a time step has."""


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
        cadence = self.cadence
        if cadence is None or not cadence.milliseconds:
            return True
        return PER_DAY[self.unit] * cadence.milliseconds // DAY % units == 0

    @property
    def cadence(self) -> Cadence | None:
        """What `every` says."""
        return None if self.every is None else parse_cadence(self.every)

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
        """Return the times `steps` steps after the last row of a series.

        Steps of days or longer keep the time of day in the time zone, as those of ``every:`` do.
        """
        end = int(self.starts[series + 1])
        first = max(int(self.starts[series]), end - RECENT)
        recent = np.asarray(self.times[first:end])
        if not self.unit:
            step = self.every if self.every is not None else _usual(recent)
            numbers: Array = recent[-1] + steps * (np.nan if step is None else step)
            return numbers
        walls = wall(recent, self.unit, self.zone)
        months = _months(self._dated(walls), self.cadence)
        if months:
            return self._of_walls(_on_day(self._dated(walls), steps * months))
        cadence, per_day = self.cadence, PER_DAY[self.unit]
        of_days = _usual(walls)
        if cadence is not None:
            of_days = step = per_day * cadence.milliseconds // DAY
        else:
            step = _usual(recent)
        if step is None or of_days is None:
            return np.full(steps.shape, np.datetime64("NaT", "s")).astype(
                f"datetime64[{self.unit}]"
            )
        if of_days % per_day == 0:
            return self._of_walls(self._dated(walls[-1] + steps * of_days))
        return self._dated(recent[-1] + steps * step)

    def _of_walls(self, walls: Array) -> Array:
        """Return the times at which clocks in the zone show these."""
        times = walls.astype(f"datetime64[{self.unit}]").astype(np.int64)
        return self._dated(from_wall(times, self.unit, self.zone))


def _usual(times: Array) -> Any:
    """Return the median step between times, one of them; None of a single time."""
    return None if len(times) < 2 else np.sort(np.diff(times))[(len(times) - 1) // 2]


def _months(recent: Array, cadence: Cadence | None) -> int:
    """Return the months of a step; 0 for steps that all take the same time."""
    if cadence is not None:
        return cadence.months
    if len(recent) < 3:
        return 0
    months = recent.astype("datetime64[M]")
    counts = np.diff(months).astype(np.int64)
    is_even = len(set(_of_month(recent).tolist())) == 1 or _is_at_month_ends(recent)
    return int(counts[0]) if is_even and counts[0] and (counts == counts[0]).all() else 0


def _of_month(times: Array) -> Array:
    """Return the day of the month of times, from 0."""
    days = times.astype("datetime64[D]")
    found: Array = (days - times.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    return found


def _is_at_month_ends(times: Array) -> bool:
    ends = (times.astype("datetime64[M]") + 1).astype("datetime64[D]") - 1
    return bool((times.astype("datetime64[D]") == ends).all())


def _on_day(recent: Array, later: Array) -> Array:
    """Return the times `later` months after the last of `recent`, on its day of the month.

    That is the last day of the month where all of `recent` are, or where a month is shorter.
    """
    last, unit = recent[-1:], recent.dtype
    months = last.astype("datetime64[M]") + later
    ends = (months + 1).astype("datetime64[D]") - 1
    days = ends
    if not _is_at_month_ends(recent):
        days = np.minimum(months.astype("datetime64[D]") + int(_of_month(recent).max()), ends)
    found: Array = days.astype(unit) + (last - last.astype("datetime64[D]").astype(unit))
    return found


def season_of(clock: Clock | None) -> int:
    """Return the season of a table's time step: 24 of hours, 7 of days; 1 where it is unknown."""
    if clock is None or not clock.unit:
        return 1
    series = np.zeros(1, np.int64)
    first = clock.at(series, np.array([[0, 1]]))[0]
    seconds = (first[1] - first[0]) / np.timedelta64(1, "s")
    if not np.isfinite(seconds) or seconds <= 0:
        return 1
    lengths = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2629746}
    for unit, length in lengths.items():
        if abs(seconds - length) < 0.1 * length:
            return SEASONS[unit]
    per_day = 86400 / seconds
    return round(per_day) if per_day > 1 else 1
