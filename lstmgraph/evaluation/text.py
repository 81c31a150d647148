"""An evaluation as text tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lstmgraph.evaluation.results import MODEL
from lstmgraph.messages.tables import Section, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lstmgraph.data.values import Array
    from lstmgraph.evaluation.results import ClassResult, ColumnResult, Measured, SeriesResults

FEWEST_STEPS, MOST_ROWS = 2, 12
"""Steps from which on they are listed; rows of long tables."""


def evaluation_text(evaluation: Measured) -> str:
    """Return the measures of every output, beside those of naive forecasts."""
    return as_text(_sections(evaluation))


def _sections(evaluation: Measured) -> Iterator[Section]:
    what = f"{evaluation.examples:,} example{'s' if evaluation.examples != 1 else ''}"
    season = f"; a season has {evaluation.season} steps" if evaluation.season > 1 else ""
    yield Section(lines=[f"{evaluation.model}: {what}{season}"])
    for output, columns in evaluation.numbers.items():
        for column in columns:
            yield from _of_column(output, column)
    for output, classes in evaluation.classes.items():
        yield from _of_classes(output, classes)


def _of_column(output: str, column: ColumnResult) -> Iterator[Section]:
    name = output if column.name == output else f"{output}: {column.name}"
    yield _measures(name, column.measures)
    if column.quantiles:
        of_quantiles = [(key, shown(value)) for key, value in column.quantiles.items()]
        headings = ("measure", "value")
        yield Section(f"{name}, quantiles", (), headings, of_quantiles, frozenset({"value"}))
    by_step = {forecast: own["mae"] for forecast, own in column.steps.items()}
    steps = len(by_step.get(MODEL, ()))
    if steps >= FEWEST_STEPS:
        chosen = spread(steps, MOST_ROWS)
        yield _by_step(f"{name}, mae by step", by_step, chosen)
        yield _by_step(f"{name}, model by step", column.steps[MODEL], chosen)
    if column.series:
        series, most = column.series, len(column.series) > MOST_ROWS
        places = ends(len(series), MOST_ROWS // 2)
        titles, rows = series_rows(series, places)
        title = f"{name}, worst and best series" if most else f"{name}, by series"
        yield Section(title, (), titles, rows, frozenset(titles[1:]))


def _by_step(title: str, values: Mapping[str, Array], chosen: Iterable[int]) -> Section:
    headings, rows = step_rows(values, chosen)
    return Section(title, (), headings, rows, frozenset(headings))


def step_rows(
    values: Mapping[str, Array], chosen: Iterable[int]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings, and a row for each of these steps, from 0, of values by name."""
    rows = [(str(at + 1), *(shown(float(own[at])) for own in values.values())) for at in chosen]
    return ("step", *values), rows


def series_rows(
    series: SeriesResults, places: Iterable[int]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings, and a row for each of these series: the model's measures, and its skill.

    The skill is that beside the first naive forecast.
    """
    rows = []
    headings: tuple[str, ...] = ()
    for name, count, measures in map(series.__getitem__, places):
        naive = next((key for key in measures if key != MODEL), None)
        values = dict(measures[MODEL])
        if naive is not None:
            values[f"skill beside {naive}"] = measures[naive].get("skill", math.nan)
        headings = ("series", "targets", *values)
        rows.append((name, f"{count:,.0f}", *map(shown, values.values())))
    return headings, rows


def ends(count: int, each: int) -> list[int]:
    """Return the first and the last numbers below `count`, `each` of both, or all if they meet."""
    return sorted({*range(min(each, count)), *range(max(count - each, 0), count)})


def spread(count: int, most: int) -> list[int]:
    """Return numbers below `count`: the first three, and others evenly, `most` at the most."""
    evenly = max(min(count, most - 2), 1)
    places = {round(at * (count - 1) / max(evenly - 1, 1)) for at in range(evenly)}
    return sorted({*range(min(count, 3)), *places})


def _measures(name: str, measures: Mapping[str, Mapping[str, float]]) -> Section:
    keys = list(dict.fromkeys(key for values in measures.values() for key in values))
    headings = ("forecast", *keys)
    rows = [
        (each, *(shown(values[key]) if key in values else "" for key in keys))
        for each, values in measures.items()
    ]
    return Section(name, (), headings, rows, frozenset(keys))


def _of_classes(output: str, result: ClassResult) -> Iterator[Section]:
    yield _measures(output, result.measures)
    keys = ("precision", "recall", "f1", "support")
    rows = [
        (name, *(shown(values[key]) for key in keys)) for name, values in result.classes.items()
    ]
    yield Section(f"{output}, by class", (), ("class", *keys), rows, frozenset(keys))


def shown(value: float) -> str:
    """Return a number as the tables print it; a dash for none."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if math.isfinite(value) else "-"
