"""An evaluation as one HTML page: measures, forecasts over what came, errors, classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.evaluation.results import MODEL
from lstmgraph.evaluation.text import shown
from lstmgraph.explain.charts.axes import number_axis
from lstmgraph.explain.charts.document import document
from lstmgraph.explain.charts.frame import SMALL, WIDE, chart, figure, note, path
from lstmgraph.explain.charts.markup import Markup, joined, pixels, table, tag
from lstmgraph.messages.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.data.values import Array
    from lstmgraph.evaluation.results import ClassResult, ColumnResult, Measured
    from lstmgraph.evaluation.samples import Sample
    from lstmgraph.explain.charts.axes import Axis

STYLE = """
path.actual{fill:none;stroke:var(--ink);stroke-width:1.6}
path.model{fill:none;stroke:var(--blue);stroke-width:1.8}
path.naive{fill:none;stroke:var(--pruned);stroke-width:1.4;stroke-dasharray:4 3}
path.band{fill:var(--blue);opacity:.18;stroke:none}
.residuals circle{fill:var(--blue);opacity:.5}
rect.pillar{fill:var(--blue)}
path.even{fill:none;stroke:var(--pruned);stroke-dasharray:4 3}
.samples{display:flex;flex-wrap:wrap;gap:12px}
.samples h3{font-size:13px;font-weight:600;margin:4px 0}
td.heat{text-align:right}
"""
MOST_SERIES, MOST_CLASSES, BARS, MOST_DOTS = 20, 30, 40, 800


def page(evaluation: Measured) -> str:
    """Return the page, which asks for no other file and runs no script."""
    title = f"Evaluation of {shortened(evaluation.model, 80)}"
    what = f"{evaluation.examples:,} examples"
    top = tag("header", tag("h1", title), tag("p", what, class_="note"))
    figures = [
        tag("div", drawn, class_="full")
        for output, columns in evaluation.numbers.items()
        for column in columns
        for drawn in _of_column(output, column)
    ]
    figures += [
        tag("div", drawn, class_="full")
        for output, result in evaluation.classes.items()
        for drawn in _of_classes(output, result)
    ]
    return document(title, STYLE, tag("main", top, *figures))


def _of_column(output: str, column: ColumnResult) -> list[Markup]:
    name = output if column.name == output else f"{output}: {column.name}"
    found = [figure(name, _measures(column.measures), *_quantiles(column))]
    samples = column.samples
    if samples is not None and samples.steps > 1:
        text = note(
            "Black: what came. Blue: the forecast, with its outer quantiles where it has any."
        )
        found += [
            figure(f"{name}: forecasts", text, _drawn(samples.chosen)),
            figure(f"{name}: the worst forecasts", text, _drawn(samples.worst)),
        ]
    elif samples is not None:
        rows = [
            [each.name, each.origin, shown(float(each.targets[0])), shown(float(each.forecasts[0]))]
            for each in samples.worst
        ]
        headings = ["series", "example", "target", "forecast"]
        found.append(figure(f"{name}: the worst examples", table(headings, rows)))
    if samples is not None and len(samples.residuals):
        found.append(figure(f"{name}: forecast minus target", _histogram(samples.residuals, name)))
        drawn = _over_time(samples.residuals, samples.times, name)
        found.append(figure(f"{name}: forecast minus target, over time", *drawn))
    if len(column.steps.get(MODEL, [])) > 1:
        found.append(figure(f"{name}: error by step", _by_step(column.steps)))
    if column.series:
        rows = [
            [each, shown(mae), f"{count:,.0f}"] for each, mae, count in column.series[:MOST_SERIES]
        ]
        headings = ["series", "mae", "targets"]
        found.append(figure(f"{name}: series, the worst first", table(headings, rows)))
    return found


def _measures(measures: Mapping[str, Mapping[str, float]]) -> Markup:
    keys = list(dict.fromkeys(key for values in measures.values() for key in values))
    rows: list[list[Any]] = [
        [name, *(shown(values[key]) if key in values else "" for key in keys)]
        for name, values in measures.items()
    ]
    return table(["forecast", *keys], rows)


def _quantiles(column: ColumnResult) -> list[Markup]:
    if not column.quantiles:
        return []
    return [table(["measure", "value"], [[k, shown(v)] for k, v in column.quantiles.items()])]


def _drawn(samples: Sequence[Sample]) -> Markup:
    return tag("div", *(_sample(each) for each in samples), class_="samples")


def _sample(sample: Sample) -> Markup:
    values = [sample.targets, sample.forecasts, *(sample.band or ())]
    finite = [float(v) for each in values for v in each if np.isfinite(v)]
    steps = [float(at) for at in range(1, len(sample.targets) + 1)]
    x = number_axis(steps, *SMALL.across, whole=True)
    y = number_axis(finite, *SMALL.upwards)
    band = []
    if sample.band is not None:
        low, high = (_points(each, x, y) for each in sample.band)
        corners = [*low, *reversed(high)]
        band = [tag("path", d=f"{path(corners)}Z", class_="band")]
    lines = [
        tag("path", d=path(_points(each, x, y)), class_=kind)
        for each, kind in ((sample.targets, "actual"), (sample.forecasts, "model"))
    ]
    name = f"{sample.name}, {sample.origin}" if sample.name else sample.origin
    labels = ("step", f"error {shown(sample.error)}")
    drawn = chart(SMALL, x, y, labels, *band, *lines)
    return tag("div", tag("h3", shortened(name, 60)), drawn)


def _points(values: Array, x: Axis, y: Axis) -> list[tuple[float, float] | None]:
    return [
        (x.at(float(at + 1)) or 0.0, y.at(float(value)) or 0.0) if np.isfinite(value) else None
        for at, value in enumerate(values)
    ]


def _by_step(steps: Mapping[str, list[float]]) -> Markup:
    finite = [value for values in steps.values() for value in values if np.isfinite(value)]
    count = max(len(values) for values in steps.values())
    x = number_axis((1.0, float(count)), *WIDE.across, whole=True)
    y = number_axis([0.0, *finite], *WIDE.upwards)
    lines = [
        tag(
            "path",
            tag("title", name),
            d=path(_points(np.array(values), x, y)),
            class_="model" if name == MODEL else "naive",
        )
        for name, values in reversed(list(steps.items()))
    ]
    keys = "Blue: the model. Dashed: " + ", ".join(name for name in steps if name != MODEL) + "."
    return joined(chart(WIDE, x, y, ("step", "mae"), *lines), note(keys if len(steps) > 1 else ""))


def _histogram(residuals: Array, name: str) -> Markup:
    low, high = np.quantile(residuals, [0.005, 0.995])
    counts, edges = np.histogram(np.clip(residuals, low, high), BARS)
    x = number_axis((float(edges[0]), float(edges[-1])), *WIDE.across)
    y = number_axis((0.0, float(counts.max())), *WIDE.upwards)
    floor = y.at(0.0) or 0.0
    bars = []
    for at, value in enumerate(counts.tolist()):
        left, right = x.at(float(edges[at])) or 0.0, x.at(float(edges[at + 1])) or 0.0
        top = y.at(float(value)) or 0.0
        box = {"x": pixels(left), "y": pixels(top), "width": pixels(max(right - left - 1, 0.5))}
        bars.append(tag("rect", **box, height=pixels(max(floor - top, 0.0)), class_="pillar"))
    return chart(WIDE, x, y, (f"error of {name}", "targets of a sample"), *bars)


def _some(values: Array) -> Array:
    """Return at most `MOST_DOTS` of the values, evenly spread."""
    found: Array = values[:: -(-len(values) // MOST_DOTS) or 1]
    return found


def _over_time(residuals: Array, times: Array, name: str) -> list[Markup]:
    kept = ~np.isnat(times) if times.dtype.kind == "M" else np.isfinite(times)
    residuals, times = _some(residuals[kept]), _some(times[kept])
    if not len(times):
        return [note("There is nothing to draw.")]
    label, text = "number of the example", ""
    places = times
    if times.dtype.kind == "M":
        first, last = times.min(), times.max()
        days = (times - first) / np.timedelta64(1, "D")
        hours = days.max() < 2
        places, label = (
            days * 24 if hours else days,
            f"{'hours' if hours else 'days'} after {first}",
        )
        text = f"From {first} to {last}."
    x = number_axis((float(places.min()), float(places.max())), *WIDE.across)
    y = number_axis((float(residuals.min()), float(residuals.max()), 0.0), *WIDE.upwards)
    zero = y.at(0.0) or 0.0
    line = tag("path", d=path([(WIDE.across[0], zero), (WIDE.across[1], zero)]), class_="even")
    dots = [
        tag("circle", cx=pixels(x.at(float(p)) or 0.0), cy=pixels(y.at(float(r)) or 0.0), r=2)
        for p, r in zip(places, residuals, strict=True)
    ]
    drawn = tag("g", *dots, class_="residuals")
    found = chart(WIDE, x, y, (label, f"error of {name}"), line, drawn)
    return [found, *([note(text)] if text else [])]


def _of_classes(output: str, result: ClassResult) -> list[Markup]:
    keys = ("precision", "recall", "f1", "support")
    rows = [
        [name, *(shown(values[key]) for key in keys)] for name, values in result.classes.items()
    ]
    found = [
        figure(output, _measures(result.measures)),
        figure(f"{output}: classes", table(["class", *keys], rows[:1000])),
    ]
    names = list(result.classes)
    if len(names) <= MOST_CLASSES:
        cells = [[name, *row] for name, row in zip(names, result.confusion, strict=True)]
        text = note("Rows: what it was. Columns: what was predicted.")
        headings = ["", *names]
        found.append(figure(f"{output}: confusion matrix", text, table(headings, cells)))
    if result.calibration:
        found.append(figure(f"{output}: calibration", _calibration(result.calibration)))
    return found


def _calibration(bins: list[list[float]]) -> Markup:
    x, y = (number_axis((0.0, 1.0), *ends) for ends in (WIDE.across, WIDE.upwards))
    points = [(x.at(sure) or 0.0, y.at(right) or 0.0) for _, sure, right in bins]
    ends = [(x.at(end) or 0.0, y.at(end) or 0.0) for end in (0.0, 1.0)]
    even = tag("path", d=path(ends), class_="even")
    line = tag("path", d=path(points), class_="model")
    text = note("On the dashed line, predictions are as often right as they are sure.")
    return joined(chart(WIDE, x, y, ("confidence", "accuracy"), even, line), text)
