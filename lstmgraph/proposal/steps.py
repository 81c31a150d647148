"""Time steps: how far apart the rows of a series are, and the windows that suit them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.table import PER_DAY

if TYPE_CHECKING:
    from lstmgraph.data.values import Array

DAY = 86_400
WORKDAYS = "workdays"
"""Daily rows without Saturdays and Sundays."""


@dataclass(frozen=True)
class Step:
    """A usual time step, and what suits it."""

    name: str
    every: str | float | None
    """The value of ``every:``; None for steps that are not equally long."""
    season: int
    """The number of steps after which the pattern repeats; 1 if none is known."""
    season_name: str
    horizon: int
    cycles: int
    """The number of seasons in the history, where the series are long enough."""
    calendar: tuple[str, ...] = ()
    yearly: str = ""
    """The part of the calendar that repeats once a year, for tables of two years or more."""
    calendar_reason: str = ""
    is_usual: bool = True
    """Whether most rows are so far apart, so that the times ahead are known."""


_HOURS = ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")
_WEEKDAYS = ("weekday_sin", "weekday_cos")
_DAILY = "the time of day and the weekday"
_CALENDAR_STEPS = {
    "hour": Step("hour", "hour", 24, "day", 24, 7, _HOURS, "yearday", _DAILY),
    "day": Step("day", "day", 7, "week", 7, 8, _WEEKDAYS, "yearday", "the weekday"),
    WORKDAYS: Step("day", None, 5, "week", 5, 8, _WEEKDAYS, "yearday", "the weekday"),
    "week": Step("week", "week", 52, "year", 8, 2, (), "yearday", ""),
    "month": Step("month", "month", 12, "year", 12, 3, (), "month", ""),
    "quarter": Step("quarter", "quarter", 4, "year", 4, 4, (), "quarter", ""),
    "year": Step("year", "year", 1, "", 3, 12),
}

_EQUAL_STEPS: dict[float, Step] = {
    3600: _CALENDAR_STEPS["hour"],
    DAY: _CALENDAR_STEPS["day"],
    7 * DAY: _CALENDAR_STEPS["week"],
}
_SPANS = {
    "month": (28 * DAY, 31 * DAY),
    "quarter": (89 * DAY, 92 * DAY),
    "year": (365 * DAY, 366 * DAY),
}
"""The shortest and the longest time between rows, in seconds."""


def step_of(times: Array, series: Array, unit: str) -> Step | None:
    """Return the usual step between the rows of a series; None if there is none.

    Args:
        times: the time of each row, (rows,).
        series: the number of each row's series, (rows,).
        unit: what times count, as NumPy writes it; empty for plain numbers.
    """
    steps = steps_between(times, series)
    if not len(steps):
        return None
    if not unit:
        usual, share = _usual(steps)
        whole = int(usual) if usual % 1 == 0 else usual
        is_even = share >= 0.5 and not (steps % usual).any()
        return Step("step", whole if is_even else None, 1, "", 12, 48)
    seconds = steps * (DAY / PER_DAY[unit])
    for name, (low, high) in _SPANS.items():
        if np.mean((seconds >= low) & (seconds <= high)) >= 0.5:
            step = _CALENDAR_STEPS[name]
            return step if _on_one_day(times, unit) else replace(step, every=None)
    usual, share = _usual(seconds)
    if share < 0.5:
        return Step("step", None, 1, "", 12, 48, _HOURS, "yearday", _DAILY, is_usual=False)
    if usual == DAY and not _on_weekends(times, unit):
        return _CALENDAR_STEPS[WORKDAYS]
    step = _EQUAL_STEPS.get(usual) or _of_seconds(usual)
    return step if not (seconds % usual).any() else replace(step, every=None)


def steps_between(times: Array, series: Array) -> Array:
    """Return the times between the rows of each series, in order, without those that are 0."""
    order = np.lexsort((times, series))
    steps, same = np.diff(times[order]), np.diff(series[order]) == 0
    found: Array = steps[same & (steps > 0)]
    return found


def usual_share(times: Array, series: Array) -> float:
    """Return the share of the most frequent step between the rows of a series; 0 without steps."""
    steps = steps_between(times, series)
    return _usual(steps)[1] if len(steps) else 0.0


def _usual(steps: Array) -> tuple[float, float]:
    """Return the most frequent step, and its share of all."""
    values, counts = np.unique(steps, return_counts=True)
    at = int(np.argmax(counts))
    return float(values[at]), float(counts[at] / counts.sum())


def _on_weekends(times: Array, unit: str) -> bool:
    days = times // PER_DAY[unit]
    return bool(((days + 3) % 7 >= 5).any())  # day 0 was a Thursday


def _on_one_day(times: Array, unit: str) -> bool:
    """Return whether all times are on one day of their months and at one time, or on the last."""
    days, rest = np.divmod(times, PER_DAY[unit])
    dates = days.astype("datetime64[D]")
    of_month = dates - dates.astype("datetime64[M]").astype("datetime64[D]")
    next_day = dates + np.timedelta64(1, "D")
    are_last = next_day.astype("datetime64[M]").astype("datetime64[D]") == next_day
    return len(np.unique(rest)) == 1 and (len(np.unique(of_month)) == 1 or bool(are_last.all()))


def _of_seconds(seconds: float) -> Step:
    """Return the step of another length, such as 15 minutes or 6 hours."""
    if seconds % 60:
        every = f"{seconds:g} seconds" if seconds % 1 == 0 else None
        return Step("step", every, 1, "", 30, 120)
    minutes = int(seconds // 60)
    named = (("day", 1440), ("hour", 60), ("minute", 1))
    word, size = next((word, size) for word, size in named if minutes % size == 0)
    count = minutes // size
    every = word if count == 1 else f"{count} {word}s"
    if minutes > 1440 or 1440 % minutes:
        return Step("step", every, 1, "", 12, 48, _WEEKDAYS, "yearday", "the weekday")
    a_day = 1440 // minutes
    if a_day <= 96:
        return Step("step", every, a_day, "day", a_day, max(2, 192 // a_day), _HOURS, "", _DAILY)
    an_hour = 60 // minutes if 60 % minutes == 0 else 12
    return Step("step", every, an_hour, "hour", an_hour, 4, _HOURS, "", _DAILY)
