"""Charts of how the search went: best so far, learning curves, the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.charts.axes import number_axis, objective_axis
from lstmgraph.explain.charts.frame import WIDE, chart, dot, figure, note, path
from lstmgraph.explain.charts.markup import Markup, joined, number, tag
from lstmgraph.tuning.report.facts import best_so_far, best_trial, score, status_class

if TYPE_CHECKING:
    from lstmgraph.explain.charts.axes import Axis
    from lstmgraph.tuning.search.results import Objective, SearchResults, TrialRow

MOST_CURVES = 200
MOST_POINTS = 60
"""Of a learning curve: a screen shows no more, and a file of 1,000 trials stays small."""


def best_so_far_figure(results: SearchResults) -> Markup:
    """Return a chart for each objective: every trial's value, and the best so far."""
    if not results.trials:
        return figure("Best so far", note("No trial has started yet."))
    charts = [_best_so_far(results, objective) for objective in results.objectives]
    keys = "Full: completed. Hollow: any other status. Cross: no finite value."
    return figure("Best so far", *charts, note(keys))


def _best_so_far(results: SearchResults, objective: Objective) -> Markup:
    scores = {trial.number: score(trial, objective) for trial in results.trials}
    numbers = [float(trial.number) for trial in results.trials]
    x = number_axis(numbers, *WIDE.across, whole=True)
    y = objective_axis([value for value in scores.values() if value is not None], *WIDE.upwards)
    steps = best_so_far(results, objective)
    corners = [(number_, value) for number_, value in steps]
    line = _stairs(corners, max(numbers), x, y)
    marks = [
        _mark(trial, x.at(trial.number), y.at(scores[trial.number]), results.best)
        for trial in results.trials
    ]
    return chart(WIDE, x, y, ("trial", objective.metric), line, *marks, class_="wide progress")


def _mark(trial: TrialRow, x: float | None, y: float | None, best: int | None) -> Markup:
    across = x or 0.0
    if y is None:
        floor = WIDE.height - WIDE.bottom - 4
        cross = f"M{across - 3:.1f} {floor - 3:.1f}l6 6m-6 0l6 -6"
        return tag("path", d=cross, class_=f"cross {status_class(trial)}", data_t=trial.number)
    if trial.number == best:
        return dot(across, y, trial.number, "best", 5)
    return dot(across, y, trial.number, status_class(trial))


def _stairs(steps: list[tuple[int, float]], last: float, x: Axis, y: Axis) -> Markup:
    points: list[tuple[float, float] | None] = []
    for number_, value in steps:
        across, up = x.at(number_) or 0.0, y.at(value) or 0.0
        if points and points[-1]:
            points.append((across, points[-1][1]))
        points.append((across, up))
    if points and points[-1]:
        points.append((x.at(last) or 0.0, points[-1][1]))
    return tag("path", d=path(points), class_="stairs")


def learning_figure(results: SearchResults) -> Markup:
    """Return the first objective by epoch, one line for each trial, the best one on top."""
    objective = results.objectives[0]
    title = "Learning curves"
    drawn = [trial for trial in results.trials if _finite(trial, objective)]
    if not drawn:
        return figure(title, note(f"No trial has reported {objective.metric} by epoch yet."))
    best = best_trial(results)
    kept = sorted(drawn, key=lambda trial: _order(trial, objective))[:MOST_CURVES]
    values = [value for trial in kept for value in _finite(trial, objective)]
    epochs = max(len(trial.history[objective.metric]) for trial in kept)
    x = number_axis((1.0, float(epochs)), *WIDE.across, whole=True)
    y = objective_axis(values, *WIDE.upwards)
    ordered = sorted(kept, key=lambda trial: trial is best)
    curves = [_curve(trial, objective, x, y, best) for trial in ordered]
    text = "The best trial is drawn thick."
    if len(kept) < len(drawn):
        text += f" Of {len(drawn):,} curves the best {len(kept):,} are drawn."
    picture = chart(WIDE, x, y, ("epoch", objective.metric), *curves, class_="wide learning")
    return figure(title, picture, note(text))


def _finite(trial: TrialRow, objective: Objective) -> list[float]:
    history = trial.history.get(objective.metric, ())
    return [found for value in history if (found := number(value)) is not None]


def _order(trial: TrialRow, objective: Objective) -> float:
    values = _finite(trial, objective)
    return -max(values) if objective.direction == "max" else min(values)


def _curve(
    trial: TrialRow, objective: Objective, x: Axis, y: Axis, best: TrialRow | None
) -> Markup:
    history = trial.history[objective.metric]
    every = -(-len(history) // MOST_POINTS)
    points: list[tuple[float, float] | None] = []
    for index, value in enumerate(history):
        if index % every == 0 or index == len(history) - 1:
            across, up = x.at(index + 1), y.at(value)
            points.append(None if across is None or up is None else (across, up))
    kind = "best" if trial is best else status_class(trial)
    return tag("path", d=path(points), class_=f"curve {kind}", data_t=trial.number)


def front_figure(results: SearchResults) -> Markup:
    """Return the first objective against each other one, with the Pareto front marked."""
    if len(results.objectives) < 2:
        return Markup()
    first, *others = results.objectives
    charts = [_front(results, first, other) for other in others]
    text = "Large: trials that no other beats in every objective."
    if len(others) > 1:
        text += " With more than two objectives such a trial may look beaten in one picture."
    return figure("Pareto front", *charts, note(text))


def _front(results: SearchResults, across: Objective, up: Objective) -> Markup:
    found = [
        (trial, first, second)
        for trial in sorted(results.trials, key=lambda trial: trial.number in results.front)
        if (first := score(trial, across)) is not None
        if (second := score(trial, up)) is not None
    ]
    if not found:
        return note(f"No trial has both {across.metric} and {up.metric} yet.")
    x = objective_axis([first for _, first, _ in found], *WIDE.across)
    y = objective_axis([second for _, _, second in found], *WIDE.upwards)
    marks, front = [], []
    for trial, first, second in found:
        point = x.at(first) or 0.0, y.at(second) or 0.0
        if trial.number in results.front:
            front.append(point)
            marks.append(dot(*point, trial.number, "front", 5))
        else:
            marks.append(dot(*point, trial.number, status_class(trial)))
    two = len(results.objectives) == 2
    line = tag("path", d=path(sorted(front)), class_="frontier") if two else ""
    labels = (f"{across.metric} ({across.direction})", f"{up.metric} ({up.direction})")
    return chart(WIDE, x, y, labels, joined(line, *marks), class_="wide pareto")
