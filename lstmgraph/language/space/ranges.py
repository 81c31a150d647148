"""Ranges of numbers: their values, and how a value is drawn.

The values are those of keras-tuner's Int and Float, so that a space is the same with every tuner
(https://keras.io/keras_tuner/api/hyperparameters/).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALES = ("linear", "log", "reverse_log")
POINTS = 10
"""The number of values that a grid takes from a continuous range, including both ends."""

_SLACK = 1e-9
"""Tolerance: steps of 0.1 from 0 to 1 are eleven values, though 0.1 is inexact in binary."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole numbers if the bounds are.

    With a `step`, the values are low, low + step, ...; on the scale ``log`` low, low * step, ...;
    on ``reverse_log`` these are mirrored, so that they are dense near `high`. Without a step, the
    range holds every number between the bounds: whole numbers, or all real ones.
    """

    low: float
    high: float
    step: float | None = None
    scale: str = "linear"

    @property
    def whole(self) -> bool:
        """Whether the values are whole numbers."""
        return isinstance(self.low, int)

    @property
    def continuous(self) -> bool:
        """Whether there are infinitely many values."""
        return not self.whole and self.step is None and self.low < self.high

    @property
    def highest(self) -> float:
        """The largest value; below `high` if the last step does not reach it."""
        count = self.count()
        if count is None or self.scale == "reverse_log":
            return self.high
        return self._value(count - 1)

    def count(self) -> int | None:
        """Return the number of values; None if there are infinitely many."""
        if self.continuous:
            return None
        if self.whole and (self.step is None or self.scale == "linear"):
            return int(self.high - self.low) // int(self.step or 1) + 1
        if self.step is None:
            return 1
        if self.scale == "linear":
            return math.floor((self.high - self.low) / self.step + _SLACK) + 1
        return math.floor(math.log(self.high / self.low) / math.log(self.step) + _SLACK) + 1

    def values(self, points: int = POINTS) -> Iterator[float]:
        """Yield the values in ascending order; `points`, even on the scale, if infinitely many."""
        count = self.count()
        if count is None:
            last = max(points - 1, 1)
            yield from (self._between(index / last) for index in range(points))
        else:
            indices = range(count)
            descends = self.scale == "reverse_log" and self.step is not None
            yield from (self._value(i) for i in (reversed(indices) if descends else indices))

    def draw(self, share: float) -> float:
        """Return the value at a fraction of the range on its scale.

        This is how keras-tuner 1.4.8 draws values, but never outside the range: its Int on the
        scale reverse_log can give low - 1.

        Args:
            share: the fraction, at least 0 and less than 1.
        """
        count = self.count()
        if count is None:
            return self._between(share)
        if self.step is None and self.whole and self.scale != "linear":
            return min(math.floor(self._between(share, self.high + 1)), self.high)
        return self._value(math.floor(share * count))

    def nearest(self, value: float) -> float | None:
        """Return the value of the range equal to `value` up to rounding; None if there is none."""
        if not self.low * (1 - _sign(self.low) * _SLACK) <= value:
            return None
        if not value <= self.high * (1 + _sign(self.high) * _SLACK):
            return None
        if self.whole and not float(value).is_integer():
            return None
        if self.step is None:
            inside = min(max(value, self.low), self.high)
            return int(inside) if self.whole else float(inside)
        near = self._value(min(max(round(self._index(value)), 0), (self.count() or 1) - 1))
        return near if math.isclose(near, value, rel_tol=1e-9, abs_tol=1e-12) else None

    def _value(self, index: int) -> float:
        step = 1 if self.step is None else self.step
        if self.scale == "linear" or self.step is None:
            value = self.low + index * step
        elif self.scale == "log":
            value = self.low * step**index
        else:
            value = self.high + self.low - self.low * step**index
        return value if self.whole else min(max(float(value), float(self.low)), float(self.high))

    def _index(self, value: float) -> float:
        step = 1 if self.step is None else self.step
        if self.scale == "linear":
            return (value - self.low) / step
        away = value if self.scale == "log" else self.high + self.low - value
        return math.log(max(away, self.low) / self.low) / math.log(step)

    def _between(self, share: float, high: float | None = None) -> float:
        high = self.high if high is None else high
        if self.scale == "linear":
            return min(self.low + share * (high - self.low), high)
        if self.scale == "log":
            return min(self.low * math.pow(high / self.low, share), high)
        value = high + self.low - self.low * math.pow(high / self.low, 1 - share)
        return min(max(value, self.low), high)


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
