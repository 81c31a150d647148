"""An evaluation as one HTML page: measures, forecasts over what came, errors, classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.evaluation.results import MODEL
from lstmgraph.evaluation.text import ends, series_rows, shown, spread, step_rows
from lstmgraph.explain.charts.axes import number_axis
from lstmgraph.explain.charts.document import document
from lstmgraph.explain.charts.frame import SMALL, WIDE, chart, figure, note, path
from lstmgraph.explain.charts.markup import Markup, joined, pixels, table, tag
from lstmgraph.messages.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.data.values import Array
    from lstmgraph.evaluation.results import ClassResult, ColumnResult, Measured, SeriesResults
    from lstmgraph.evaluation.samples import Mistake, Sample
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
.scroll td{white-space:nowrap}
table.confusion td.heat{text-align:right;min-width:2.2em;padding:4px 6px;
background:color-mix(in srgb,var(--mix) var(--share),transparent)}
td.right{--mix:color-mix(in srgb,var(--blue) 60%,transparent)}
td.wrong{--mix:color-mix(in srgb,var(--hot) 90%,transparent)}
rect.share{fill:var(--pruned);opacity:.35}
"""
MOST_SERIES, MOST_CLASSES, MOST_STEPS, BARS, MOST_DOTS = 20, 30, 60, 40, 800


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
    by_step = {forecast: own["mae"] for forecast, own in column.steps.items()}
    if len(by_step.get(MODEL, ())) > 1:
        own = column.steps[MODEL]
        titled, lines = step_rows(own, spread(len(own["mae"]), MOST_STEPS))
        drawn_steps = [_by_step(by_step), table([*titled], [[*each] for each in lines])]
        found.append(figure(f"{name}: error by step", *drawn_steps))
    if column.series:
        found += _by_series(name, column.series)
    return found


def _by_series(name: str, series: SeriesResults) -> list[Markup]:
    """Return a picture of the errors of all series, and the worst and the best of them."""
    values = series.of("mae")
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_DOTS)).astype(int))
    x = number_axis((1.0, float(len(values))), *WIDE.across, whole=True)
    y = number_axis((0.0, float(values.max())), *WIDE.upwards)
    points = [
        (x.at(float(at + 1)) or 0.0, y.at(float(values[at])) or 0.0) for at in chosen.tolist()
    ]
    floor, half = y.at(0.0) or 0.0, 100 / len(points)
    marks = [tag("path", d=path(points), class_="model")]
    if len(points) <= BARS:  # a bar for each
        x = number_axis((0.5, len(values) + 0.5), *WIDE.across, whole=True)
        marks = [
            _bar((x.at(at + 1.0) or 0.0) - half, 2 * half, top, floor)
            for at, (_, top) in enumerate(points)
        ]
    drawn = chart(WIDE, x, y, ("series, the worst first", "mae"), *marks)
    count = len(series)
    headings, rows = series_rows(series, ends(count, MOST_SERIES))
    found = [figure(f"{name}: error by series", drawn)]
    if count <= 2 * MOST_SERIES:
        whole = table([*headings], [[*row] for row in rows])
        return [*found, figure(f"{name}: series, the worst first", whole)]
    for title, part in (("worst", rows[:MOST_SERIES]), ("best", rows[: -MOST_SERIES - 1 : -1])):
        text = table([*headings], [[*row] for row in part])
        found.append(figure(f"{name}: the {title} of {count:,} series", text))
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


def _by_step(steps: Mapping[str, Array]) -> Markup:
    finite = [float(v) for values in steps.values() for v in values if np.isfinite(v)]
    count = max(len(values) for values in steps.values())
    x = number_axis((1.0, float(count)), *WIDE.across, whole=True)
    y = number_axis([0.0, *finite], *WIDE.upwards)
    lines = [
        tag(
            "path",
            tag("title", name),
            d=path(_points(values, x, y)),
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
        bars.append(_bar(left, max(right - left - 1, 0.5), y.at(float(value)) or 0.0, floor))
    return chart(WIDE, x, y, (f"error of {name}", "targets of a sample"), *bars)


def _bar(left: float, width: float, top: float, floor: float) -> Markup:
    box = {"x": pixels(left), "y": pixels(top), "width": pixels(width)}
    return tag("rect", **box, height=pixels(max(floor - top, 0.0)), class_="pillar")


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
        text = note("Rows: what it was. Columns: what was predicted. Colour: the share of the row.")
        drawn = _confusion(names, result.confusion)
        found.append(figure(f"{output}: confusion matrix", text, drawn))
    else:
        found.append(figure(f"{output}: the most frequent mistakes", _most_frequent(result)))
    if result.worst:
        found.append(figure(f"{output}: the worst examples", _worst(result.worst)))
    if result.calibration:
        found.append(figure(f"{output}: calibration", _calibration(result.calibration)))
    return found


def _confusion(names: list[str], confusion: list[list[float]]) -> Markup:
    """Return the confusion matrix as a table whose cells are coloured by their share of the row."""
    head = tag("tr", tag("th"), *(tag("th", name, scope="col") for name in names))
    rows = []
    for at, (name, counts) in enumerate(zip(names, confusion, strict=True)):
        total = sum(counts) or 1.0
        cells = [
            tag(
                "td",
                shown(count),
                class_=f"heat {'right' if at == column else 'wrong'}",
                style=f"--share:{100 * count / total:.0f}%",
                title=f"{count / total:.1%} of {name}",
            )
            for column, count in enumerate(counts)
        ]
        rows.append(tag("tr", tag("th", name, scope="row"), *cells))
    whole = tag("table", tag("thead", head), tag("tbody", *rows), class_="confusion")
    return tag("div", whole, class_="scroll")


def _most_frequent(result: ClassResult) -> Markup:
    names, confusion = list(result.classes), np.array(result.confusion, "float64")
    np.fill_diagonal(confusion, 0)
    order = np.argsort(-confusion, axis=None, kind="stable")[:MOST_SERIES]
    pairs = [divmod(int(place), len(names)) for place in order]
    rows = [[names[a], names[b], shown(confusion[a, b])] for a, b in pairs if confusion[a, b]]
    return table(["it was", "predicted", "times"], rows)


def _worst(worst: Sequence[Mistake]) -> Markup:
    """Return a table of the examples whose true class had the lowest probability."""
    kept = [
        key
        for key in ("series", "example", "step", "column")
        if any(vars(each)[key] not in ("", None) for each in worst)
    ]
    rows = [
        [
            *(vars(each)[key] for key in kept),
            *(each.target, each.predicted, shown(each.chance), shown(each.confidence)),
        ]
        for each in worst
    ]
    return table([*kept, "it was", "predicted", "its probability", "confidence"], rows)


def _calibration(bins: list[list[float]]) -> Markup:
    x, y = (number_axis((0.0, 1.0), *ends) for ends in (WIDE.across, WIDE.upwards))
    points = [(x.at(sure) or 0.0, y.at(right) or 0.0) for _, sure, right in bins]
    ends = [(x.at(end) or 0.0, y.at(end) or 0.0) for end in (0.0, 1.0)]
    even = tag("path", d=path(ends), class_="even")
    line = tag("path", d=path(points), class_="model")
    most, floor = max(count for count, *_ in bins), y.at(0.0) or 0.0
    bars, dots = [], []
    for (count, sure, right), (left, top) in zip(bins, points, strict=True):
        height = 0.4 * (floor - (y.at(1.0) or 0.0)) * count / most
        title = f"{shown(count)} predictions, confidence {sure:.2f}, accuracy {right:.2f}"
        box = {"x": pixels(left - 8), "y": pixels(floor - height), "height": pixels(height)}
        bars.append(tag("rect", tag("title", title), **box, width="16", class_="share"))
        dots.append(tag("circle", tag("title", title), cx=pixels(left), cy=pixels(top), r=3))
    text = note(
        "On the dashed line, predictions are as often right as they are sure. Grey bars: how many "
        "predictions have that confidence."
    )
    drawn = (*bars, even, line, tag("g", *dots, class_="residuals"))
    return joined(chart(WIDE, x, y, ("confidence", "accuracy"), *drawn), text)
