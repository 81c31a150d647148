"""An evaluation as text tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lstmgraph.messages.tables import Section, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.evaluation.results import ClassResult, ColumnResult, Measured

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
        rows = [(key, shown(value)) for key, value in column.quantiles.items()]
        yield Section(f"{name}, quantiles", (), ("measure", "value"), rows, frozenset({"value"}))
    steps = len(next(iter(column.steps.values()), []))
    if steps >= FEWEST_STEPS:
        chosen = sorted({*range(min(steps, 3)), *_spread(steps)})
        headings = ("step", *column.steps)
        by_step: list[tuple[str, ...]] = [
            (str(at + 1), *(shown(values[at]) for values in column.steps.values())) for at in chosen
        ]
        yield Section(f"{name}, mae by step", (), headings, by_step, frozenset(headings))
    if column.series:
        series = [(each, shown(mae), f"{count:,.0f}") for each, mae, count in column.series]
        title = f"{name}, worst series" if len(series) > MOST_ROWS else f"{name}, by series"
        columns = ("series", "mae", "targets")
        yield Section(title, (), columns, series[:MOST_ROWS], frozenset(columns[1:]))


def _spread(steps: int) -> list[int]:
    count = min(steps, MOST_ROWS - 2)
    return [round(at * (steps - 1) / max(count - 1, 1)) for at in range(count)]


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
