"""The median stopping rule: what a trial must reach at each epoch to go on.

Source: Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section
3.2.2: stop a trial whose best objective up to an epoch is worse than the median of the running
averages that the completed trials had up to the same epoch.
"""

from __future__ import annotations

from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def thresholds(histories: Iterable[Sequence[float]], *, min_trials: int) -> tuple[float, ...]:
    """Return by epoch the median of the running averages, up to where too few trials got.

    Args:
        histories: the objective by epoch, of each completed trial.
        min_trials: how many trials must have reached an epoch for it to have a median.
    """
    averages = [_running_averages(history) for history in histories]
    found = []
    for epoch in range(max(map(len, averages), default=0)):
        reached = [average[epoch] for average in averages if epoch < len(average)]
        if len(reached) < min_trials:
            break
        found.append(median(reached))
    return tuple(found)


def _running_averages(history: Sequence[float]) -> list[float]:
    return [total / epochs for epochs, total in enumerate(accumulate(history), 1)]
