"""Axes: from values to pixels, with their ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lstmgraph.explain.charts.markup import key, number

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_TICKS = 6
MOST_CATEGORIES = 12
WIDE_RANGE = 100.0
"""An objective that is positive and spans this factor is drawn on a log scale."""


class Axis(Protocol):
    """Values to pixels."""

    @property
    def note(self) -> str:
        """What a reader must know of the scale; empty where it is linear."""

    def at(self, value: object) -> float | None:
        """Return the pixel of `value`; None if it has no place on the axis."""

    def ticks(self) -> list[tuple[float, str]]:
        """Pixels and labels."""


@dataclass(frozen=True)
class NumberAxis:
    """Numbers from `low` to `high`, on the pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False
    """Whether ticks are whole numbers, such as of epochs."""

    @property
    def note(self) -> str:
        """Whether the scale is logarithmic."""
        return "log" if self.log else ""

    def at(self, value: object) -> float | None:
        """Return the pixel; None if `value` is not finite, or not positive on a log scale."""
        found = number(value)
        if found is None or (self.log and found <= 0):
            return None
        return self.start + self._fraction(found) * (self.end - self.start)

    def _fraction(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        # Quarters, because the distance of two finite numbers may be infinite.
        span = high / 4 - low / 4
        return (value / 4 - low / 4) / span if span > 0 else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        """Round numbers, at most `MOST_TICKS`."""
        values = _log_ticks(self.low, self.high) if self.log else []
        values = values or _round_ticks(self.low, self.high, 1.0 if self.whole else 0.0)
        places = zip(map(self.at, values), _labels(values), strict=True)
        return [(place, label) for place, label in places if place is not None]


@dataclass(frozen=True)
class CategoryAxis:
    """Named values, evenly on the pixels from `start` to `end`; `names` by their keys."""

    names: dict[str, str]
    start: float
    end: float

    @property
    def note(self) -> str:
        """Nothing: labels say all."""
        return ""

    def at(self, value: object) -> float | None:
        """Return the pixel of a named value."""
        wanted = key(value)
        if wanted not in self.names:
            return None
        return self._place(list(self.names).index(wanted))

    def _place(self, index: int) -> float:
        share = (index + 0.5) / len(self.names)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return all names, or some of them if there are many."""
        every = math.ceil(len(self.names) / MOST_CATEGORIES) or 1
        return [
            (self._place(index), name)
            for index, name in enumerate(self.names.values())
            if index % every == 0
        ]


def number_axis(
    values: Iterable[float], start: float, end: float, *, log: bool = False, whole: bool = False
) -> Axis:
    """Return an axis that spans `values`, logarithmic if wanted and possible."""
    found = list(values)
    if not found:
        return CategoryAxis({}, start, end)
    return NumberAxis(min(found), max(found), start, end, log and min(found) > 0, whole)


def objective_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """Return an axis for a metric, logarithmic if it is positive and spans `WIDE_RANGE` times."""
    found = list(values)
    wide = bool(found) and min(found) > 0 and max(found) / WIDE_RANGE >= min(found)
    return number_axis(found, start, end, log=wide)


def _labels(values: list[float]) -> list[str]:
    """Write ticks with as few digits as tell them apart."""
    for digits in range(4, 17):
        labels = [_tick(value, digits) for value in values]
        if len(set(labels)) == len(values):
            return labels
    return [repr(value) for value in values]


def _tick(value: float, digits: int) -> str:
    return f"{value:.{max(digits, 6)}g}" if 1e4 <= abs(value) < 1e6 else f"{value:.{digits}g}"


def _round_ticks(low: float, high: float, least: float = 0.0) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten, at least `least` apart.

    Where floats are too coarse for that, return the ends.
    """
    try:
        rough = (high - low) / (MOST_TICKS - 1)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
        step = max(step, least)
        first, last = math.ceil(low / step), math.floor(high / step)
    except (ArithmeticError, ValueError, StopIteration):
        return sorted({low, high})
    if not 0 < last - first <= MOST_TICKS:
        return sorted({low, high})
    return [index * step for index in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 times them where there are few; empty for less than two."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        values = [value for power in powers for value in _times(factors, power)]
        inside = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) >= 3:
            return inside[:: math.ceil(len(inside) / MOST_TICKS)]
    return []


def _times(factors: tuple[float, ...], power: int) -> list[float]:
    try:
        return [factor * 10.0**power for factor in factors]
    except OverflowError:
        return []
