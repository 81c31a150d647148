"""Columns made from times: hours, weekdays, months, and their places on a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.table import PER_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.data.values import Array


def calendar_column(name: str, times: Array, unit: str) -> Array:
    """Return a column of ``calendar:`` for these times, (rows,) float64.

    Numbers count from 0: minutes 0 to 59, hours 0 to 23, weekdays from Monday, days of the month
    0 to 30, days of the year 0 to 365, ISO 8601 weeks 0 to 52, months 0 to 11, quarters 0 to 3;
    a year is itself. ``_sin`` and ``_cos`` are those of 2 pi times the number, divided by how many
    there are: 28 to 31 days in this month, 365 or 366 in this year, 52 or 53 weeks.

    Args:
        name: the column's name, such as ``hour`` or ``weekday_sin``.
        times: the wall time of each row, (rows,) int64, since 1970.
        unit: what they count, as NumPy writes it.
    """
    base, _, wave = name.partition("_")
    value, count = _PARTS[base](times, unit)
    if not wave:
        return value.astype(np.float64)
    angle: Array = 2 * np.pi * value / count
    found: Array = np.sin(angle) if wave == "sin" else np.cos(angle)
    return found


def days_of(times: Array, unit: str) -> Array:
    """Return the day of each time, counted from 1970-01-01."""
    days: Array = np.floor_divide(times, PER_DAY[unit])
    return days


def month_of(days: Array) -> tuple[Array, Array, Array]:
    """Return the month of each day, its first day, and that of the next month.

    Months are counted from January 1970, days from its first.
    """
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[D]").astype(np.int64)
    return months.astype(np.int64), first, after


def _of_day(times: Array, unit: str, count: int) -> Array:
    """Return which of `count` equal parts of its day each time is in."""
    part: Array = np.floor_divide(np.mod(times, PER_DAY[unit]) * count, PER_DAY[unit])
    return part


def _minute(times: Array, unit: str) -> tuple[Array, int]:
    return _of_day(times, unit, 24 * 60) % 60, 60


def _hour(times: Array, unit: str) -> tuple[Array, int]:
    return _of_day(times, unit, 24), 24


def _weekday(times: Array, unit: str) -> tuple[Array, int]:
    return (days_of(times, unit) + 3) % 7, 7  # 1970-01-01 was a Thursday


def _day(times: Array, unit: str) -> tuple[Array, Array]:
    days = days_of(times, unit)
    _, first, after = month_of(days)
    return days - first, after - first


def _yearday(times: Array, unit: str) -> tuple[Array, Array]:
    days = days_of(times, unit)
    first, after = _year_of(days)
    return days - first, after - first


def _year_of(days: Array) -> tuple[Array, Array]:
    """Return the first day of the year of each day, and that of the next year."""
    years = days.astype("datetime64[D]").astype("datetime64[Y]")
    first = years.astype("datetime64[D]").astype(np.int64)
    return first, (years + 1).astype("datetime64[D]").astype(np.int64)


def _week(times: Array, unit: str) -> tuple[Array, Array]:
    """Return the ISO 8601 week: that of its Thursday, whose year it belongs to."""
    days = days_of(times, unit)
    thursday = days - (days + 3) % 7 + 3
    first, after = _year_of(thursday)
    week = (thursday - first) // 7
    return week, week + (after - 1 - thursday) // 7 + 1


def _month(times: Array, unit: str) -> tuple[Array, int]:
    return month_of(days_of(times, unit))[0] % 12, 12


def _quarter(times: Array, unit: str) -> tuple[Array, int]:
    return _month(times, unit)[0] // 3, 4


def _year(times: Array, unit: str) -> tuple[Array, int]:
    return np.floor_divide(month_of(days_of(times, unit))[0], 12) + 1970, 1


_PARTS: Mapping[str, Callable[[Array, str], tuple[Array, Array | int]]] = {
    "minute": _minute,
    "hour": _hour,
    "weekday": _weekday,
    "day": _day,
    "yearday": _yearday,
    "week": _week,
    "month": _month,
    "quarter": _quarter,
    "year": _year,
}

_WAVES = [f"{name}_{wave}" for name in _PARTS if name != "year" for wave in ("sin", "cos")]
CALENDAR = (*_PARTS, *_WAVES)
"""The names of columns that times can make."""
