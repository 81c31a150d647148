"""What the charts show, computed from a search's trials."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from lstmgraph.explain.charts.markup import key, number
from lstmgraph.tuning.report.dimensions import is_number
from lstmgraph.tuning.search.results import COMPLETED, FAILED, OVERSIZED, PRUNED, RUNNING, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmgraph.tuning.search.results import DimensionRow, Objective, SearchResults, TrialRow

STATUSES = (COMPLETED, RUNNING, PRUNED, FAILED, OVERSIZED, TIMED_OUT)
FEWEST = 3
"""With fewer trials there is no importance to speak of."""


def score(trial: TrialRow, objective: Objective) -> float | None:
    """Return the trial's value of the objective; None if it is not finite."""
    return number(trial.metrics.get(objective.metric))


def is_better(value: float, other: float, objective: Objective) -> bool:
    """Return whether `value` is better than `other`."""
    return value > other if objective.direction == "max" else value < other


def status_class(trial: TrialRow) -> str:
    """Return the CSS class of a status; an unknown status is shown as a failure."""
    return trial.status if trial.status in STATUSES else FAILED


def counts(results: SearchResults) -> dict[str, int]:
    """Return the number of trials for each status, in a fixed order, without zeros."""
    found = Counter(trial.status for trial in results.trials)
    ordered = [*STATUSES, *(status for status in found if status not in STATUSES)]
    return {status: found[status] for status in ordered if found[status]}


def best_trial(results: SearchResults) -> TrialRow | None:
    """Return the best trial of `results`."""
    return next((trial for trial in results.trials if trial.number == results.best), None)


def best_so_far(results: SearchResults, objective: Objective) -> list[tuple[int, float]]:
    """Trial numbers at which a completed trial was better than all before it, and its value."""
    steps: list[tuple[int, float]] = []
    for trial in sorted(results.trials, key=lambda trial: trial.number):
        value = score(trial, objective) if trial.status == COMPLETED else None
        if value is not None and (not steps or is_better(value, steps[-1][1], objective)):
            steps.append((trial.number, value))
    return steps


def importance(dimension: DimensionRow, results: SearchResults) -> float | None:
    """Return how strongly a dimension and the first objective are related, from 0 to 1.

    Of numbers the absolute rank correlation after Spearman; of choices the share of the
    objective's variance that lies between them (eta squared). None with fewer than `FEWEST`
    trials, or where either does not vary.
    """
    pairs = [
        (trial.values[dimension.name], value)
        for trial in results.trials
        if trial.status == COMPLETED and dimension.name in trial.values
        if (value := score(trial, results.objectives[0])) is not None
    ]
    if is_number(dimension):
        numbers = [(found, value) for raw, value in pairs if (found := number(raw)) is not None]
        return _rank_correlation(numbers)
    return _share_between([(key(raw), value) for raw, value in pairs])


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < FEWEST:
        return None
    first, second = (_centred(_ranks([pair[side] for pair in pairs])) for side in (0, 1))
    spread = math.sqrt(_squares(first) * _squares(second))
    if not spread:
        return None
    return abs(sum(a * b for a, b in zip(first, second, strict=True))) / spread


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 0; equal values share the mean of theirs."""
    places: defaultdict[float, list[int]] = defaultdict(list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    return [sum(places[value]) / len(places[value]) for value in values]


def _share_between(pairs: Sequence[tuple[str, float]]) -> float | None:
    largest = max((abs(value) for _, value in pairs), default=0.0)
    if len(pairs) < FEWEST or len({group for group, _ in pairs}) < 2 or not largest:
        return None
    # Divided by the largest, so that no square is infinite.
    centred = _centred([value / largest for _, value in pairs])
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for (group, _), value in zip(pairs, centred, strict=True):
        groups[group].append(value)
    total = _squares(centred)
    between = sum(sum(values) ** 2 / len(values) for values in groups.values())
    return min(between / total, 1.0) if total else None


def _centred(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def _squares(values: Iterable[float]) -> float:
    return sum(value * value for value in values)


def shades(results: SearchResults, count: int) -> dict[int, int]:
    """Return a shade for each trial with a finite first objective: 0 for the worst, by rank.

    Ranks, because one trial that diverged would leave all others the same shade.
    """
    objective = results.objectives[0]
    scored = [
        (value, trial.number)
        for trial in results.trials
        if (value := score(trial, objective)) is not None
    ]
    ranks = _ranks([value if objective.direction == "max" else -value for value, _ in scored])
    last = max(len(scored) - 1, 1)
    return {
        number_: round(rank / last * (count - 1))
        for (_, number_), rank in zip(scored, ranks, strict=True)
    }
