"""Which trials are best: a score of all objectives, and the front that none beats in all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.tuning.search.results import Objective


def costs(metrics: Mapping[str, float], objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Return a number for each objective of which less is better."""
    return tuple(
        metrics[objective.metric] if objective.direction == "min" else -metrics[objective.metric]
        for objective in objectives
    )


def score(metrics: Mapping[str, float], objectives: Sequence[Objective]) -> float:
    """Return the sum of the costs: what keras-tuner's oracles make of several objectives."""
    return sum(costs(metrics, objectives))


def missing_objective(metrics: Mapping[str, float], objectives: Sequence[Objective]) -> str:
    """Return why these metrics cannot be ranked; empty where they can."""
    for objective in objectives:
        value = metrics.get(objective.metric)
        if value is None:
            found = ", ".join(sorted(metrics)) or "none"
            return f"there is no metric {objective.metric}; those that there are: {found}"
        if not math.isfinite(value):
            return f"{objective.metric} is {value}"
    return ""


def pareto_front(
    trials: Mapping[int, Mapping[str, float]], objectives: Sequence[Objective]
) -> tuple[int, ...]:
    """Return the trials that no other equals in all objectives and beats in one."""
    points = {number: costs(metrics, objectives) for number, metrics in trials.items()}
    front = [n for n, point in points.items() if not any(_beats(p, point) for p in points.values())]
    return tuple(sorted(front, key=lambda number: (score(trials[number], objectives), number)))


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def best_trials(
    trials: Mapping[int, Mapping[str, float]], objectives: Sequence[Objective]
) -> list[int]:
    """Return all trials from the best to the worst; of equals the earlier first."""
    return sorted(trials, key=lambda number: (score(trials[number], objectives), number))
