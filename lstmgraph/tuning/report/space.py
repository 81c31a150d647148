"""Charts of the searched values: parallel coordinates, and the effect of each dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.charts.axes import objective_axis
from lstmgraph.explain.charts.frame import SMALL, Frame, chart, dot, figure, label, note, path
from lstmgraph.explain.charts.markup import Markup, joined, pixels, svg, table, tag
from lstmgraph.tuning.report.dimensions import dimension_axis, is_number
from lstmgraph.tuning.report.facts import importance, score, shades, status_class
from lstmgraph.tuning.search.results import COMPLETED

if TYPE_CHECKING:
    from lstmgraph.explain.charts.axes import Axis
    from lstmgraph.tuning.search.results import DimensionRow, SearchResults, TrialRow

SHADES = 9
MOST_DOTS = 12_000
"""In all effect charts together; keeps a file of 1,000 trials below 2 MB."""
ROW = 64.0
"""From one parallel axis down to the next, in pixels."""
ACROSS = Frame(560.0, 0.0, left=28.0, right=34.0, top=34.0, bottom=30.0)


def parallel_figure(results: SearchResults) -> Markup:
    """Return one line for each trial through all dimensions and objectives, from top to bottom.

    An axis takes the whole width, so that on a telephone, too, each can be read.
    """
    title = "Parallel coordinates"
    if not results.trials or not results.dimensions:
        return figure(title, note("Nothing to draw yet: no trial, or no dimension."))
    names, axes = _parallel_axes(results)
    shade = shades(results, SHADES)
    places = [ACROSS.top + ROW * index for index in range(len(axes))]
    order = sorted(results.trials, key=lambda trial: _layer(trial, results, shade))
    lines = [_line(trial, results, axes, places, shade) for trial in order]
    drawn = [_rule(*each) for each in zip(names, axes, places, strict=True)]
    text = f"{len(results.trials)} trials across {', '.join(names)}"
    height = places[-1] + ACROSS.bottom
    picture = svg(ACROSS.width, height, text, *lines, *drawn, class_="wide parallel")
    return figure(title, picture, _parallel_key(results))


def _parallel_key(results: SearchResults) -> Markup:
    swatches = (tag("i", class_=f"swatch q{shade}") for shade in range(SHADES))
    return tag(
        "p",
        f"{results.objectives[0].metric}, by rank: worst ",
        *swatches,
        " best. Dotted: pruned or running; dashed: failed or stopped. ",
        "A line has a gap where a dimension has no part in the trial.",
        class_="note",
    )


def _parallel_axes(results: SearchResults) -> tuple[list[str], list[Axis]]:
    names = [dimension.name for dimension in results.dimensions]
    axes = []
    for dimension in results.dimensions:
        found = [
            trial.values[dimension.name]
            for trial in results.trials
            if dimension.name in trial.values
        ]
        axes.append(dimension_axis(dimension, found, *ACROSS.across))
    for objective in results.objectives:
        scores = [score(trial, objective) for trial in results.trials]
        names.append(objective.metric)
        axes.append(
            objective_axis([value for value in scores if value is not None], *ACROSS.across)
        )
    return names, axes


def _layer(trial: TrialRow, results: SearchResults, shade: dict[int, int]) -> tuple[int, int]:
    """Drawn later, so above the others: completed trials, the better the higher; the best last."""
    rank = shade.get(trial.number, -1)
    return (2 if trial.number == results.best else int(trial.status == COMPLETED), rank)


def _line(
    trial: TrialRow,
    results: SearchResults,
    axes: list[Axis],
    places: list[float],
    shade: dict[int, int],
) -> Markup:
    absent = object()
    values = [trial.values.get(dimension.name, absent) for dimension in results.dimensions]
    values += [score(trial, objective) for objective in results.objectives]
    across = [axis.at(value) for axis, value in zip(axes, values, strict=True)]
    points = [None if x is None else (x, y) for x, y in zip(across, places, strict=True)]
    kind = f"q{shade.get(trial.number, 0)}" if trial.status == COMPLETED else status_class(trial)
    best = " best" if trial.number == results.best else ""
    return tag("path", d=path(points), class_=f"{kind}{best}", data_t=trial.number)


def _rule(name: str, axis: Axis, y: float) -> Markup:
    places = axis.ticks()
    space = int((ACROSS.width - ACROSS.left) / max(len(places), 1) / 9)
    ticks = [
        joined(
            tag("line", x1=place, x2=place, y1=y, y2=y + 4),
            label(text, place, y + 19, longest=max(space, 4)),
        )
        for place, text in places
    ]
    title = f"{name} ({axis.note})" if axis.note else name
    start, end = ACROSS.across
    return tag(
        "g",
        tag("g", label(title, 4, y - 10, longest=52, anchor="start"), class_="name"),
        tag("line", x1=start, x2=end, y1=y, y2=y),
        *ticks,
        class_="axis",
    )


def effects_figure(results: SearchResults) -> Markup:
    """Return the importance of each dimension, and the first objective against it."""
    title = "Effect of each dimension"
    if not results.dimensions:
        return figure(title, note("No dimension is searched."))
    weights = {dimension.name: importance(dimension, results) for dimension in results.dimensions}
    order = sorted(results.dimensions, key=lambda d: -(weights[d.name] or 0.0))
    kept = order[: max(MOST_DOTS // max(len(results.trials), 1), 1)]
    charts = [_effect(dimension, results) for dimension in kept]
    left_out = len(order) - len(kept)
    more = f" The first {len(kept)} are drawn, {left_out} more are not." if left_out else ""
    text = (
        "Importance, over completed trials: of a number the absolute rank correlation (Spearman) "
        "with the first objective, of a choice the share of the objective's variance between its "
        "values (eta squared). Each looks at one dimension alone, and with few trials it is "
        f"mostly chance. Hollow points: trials that did not complete.{more}"
    )
    rows = [_weight_row(dimension, weights[dimension.name]) for dimension in order]
    headings = ["dimension", "importance", "", "measure", "searched", "active when"]
    if not any(charts):
        charts = [note(f"No trial has a finite {results.objectives[0].metric} yet.")]
    return figure(
        title,
        note(text),
        table(headings, rows, class_="importance"),
        tag("div", *charts, class_="multiples"),
    )


def _weight_row(dimension: DimensionRow, weight: float | None) -> list[object]:
    share = 0.0 if weight is None else weight
    bar = tag("i", class_="bar", style=f"width:{pixels(share * 100)}px")
    measure = "rank correlation" if is_number(dimension) else "variance between values"
    if is_number(dimension):
        ends = [f"{end:.6g}" for end in (dimension.low, dimension.high) if end is not None]
        searched = f"{dimension.kind} {' to '.join(ends)}, {dimension.scale}"
    else:
        searched = f"{dimension.kind}, {len(dimension.choices) or 2} values"
    shown = "unknown" if weight is None else f"{weight:.2f}"
    return [dimension.name, shown, bar, measure, searched, dimension.condition]


def _effect(dimension: DimensionRow, results: SearchResults) -> Markup:
    objective = results.objectives[0]
    found = [
        (trial, trial.values[dimension.name], value)
        for trial in results.trials
        if dimension.name in trial.values and (value := score(trial, objective)) is not None
    ]
    if not found:
        return Markup()
    x = dimension_axis(dimension, [value for _, value, _ in found], *SMALL.across)
    y = objective_axis([value for _, _, value in found], *SMALL.upwards)
    marks = []
    for trial, raw, value in found:
        across, up = x.at(raw), y.at(value)
        if across is not None and up is not None:
            best = trial.number == results.best
            kind = "best" if best else status_class(trial)
            marks.append(dot(across, up, trial.number, kind, 5 if best else 3))
    return chart(SMALL, x, y, (dimension.name, objective.metric), *marks, class_="effect")
