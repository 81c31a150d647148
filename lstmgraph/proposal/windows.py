"""The windows of a forecast: how far ahead, from how much history, in seasons of how many steps."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, gcd
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.proposal.steps import Step

if TYPE_CHECKING:
    from lstmgraph.proposal.order import Order

MOST_WINDOWS = 10_000
"""About how many examples a first training takes."""
VALIDATION, TEST = 0.2, 0.1
ENOUGH = 0.75
"""How much of the validation part the targets of one example may be."""
MOST_VALIDATION = 0.45
SHARE_OF_WINDOW = 0.5
"""How much of the usual series a window may be."""
NO_STEP = Step("step", None, 1, "", 12, 48)


@dataclass(frozen=True)
class Windows:
    """The numbers of steps."""

    history: int
    horizon: int
    season: int
    """1 if there is no season, or the series are too short for it."""
    stride: int
    validation: float
    """The share of the time that is for validation."""
    has_test: bool

    @property
    def cycles(self) -> int:
        """The number of whole seasons in the history."""
        return self.history // self.season


def windows_of(order: Order, horizon: int | None) -> Windows:
    """Return the windows that suit the step and the length of the series."""
    step = order.step or NO_STEP
    rows = _usual_length(order)
    ahead = horizon or min(step.horizon, most_ahead(order, VALIDATION))
    validation = max(VALIDATION, ceil(20 * ahead / (ENOUGH * rows)) / 20)
    most = max(1, int(SHARE_OF_WINDOW * rows) - ahead)
    season, cycles = step.season, step.cycles
    if season > 1:
        cycles = min(max(cycles, ceil(ahead / season)), most // season)
    if season == 1 or cycles == 0:
        season, cycles = 1, min(most, max(step.cycles if step.season == 1 else 24, 2 * ahead))
    history = season * cycles
    count = int(np.maximum(0, order.lengths - history - ahead + 1).sum())
    stride, has_test = _stride(count, season, ahead), rows * TEST >= 2 * ahead
    return Windows(history, ahead, season, stride, min(validation, MOST_VALIDATION), has_test)


def most_ahead(order: Order, validation: float = MOST_VALIDATION) -> int:
    """Return the longest horizon with enough examples to train on and to validate on."""
    return max(1, int(validation * ENOUGH * _usual_length(order)))


def _usual_length(order: Order) -> int:
    """Return the length of the series in which most rows are, short of the longest fifth."""
    lengths = np.sort(order.lengths)
    inside = np.cumsum(lengths) >= 0.2 * lengths.sum()
    return int(lengths[int(np.argmax(inside))])


def _stride(count: int, season: int, ahead: int) -> int:
    """Return a stride for about as many windows as wanted, that begin in all parts of a season.

    It is at most the horizon, so that every step is the target of some window.
    """
    least = min(max(1, ceil(count / MOST_WINDOWS)), ahead)
    options = [*range(least, ahead + 1), *range(least, 0, -1)]
    chosen: int = next(stride for stride in options if gcd(stride, season) == 1)
    return chosen
