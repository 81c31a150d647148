"""An evaluation as rows of a table: every measure by output, by step, by series and by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.evaluation.measures import whole
from lstmgraph.evaluation.results import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.evaluation.results import ClassResult, ColumnResult, Measured

KEYS = ("output", "column", "by", "name", "forecast", "targets")
ALL, STEP, SERIES, CLASS = "all", "step", "series", "class"

Row = tuple[tuple[Any, ...], "Mapping[str, float]"]


def table_rows(evaluation: Measured) -> Iterator[list[Any]]:
    """Yield the rows, the names of columns first.

    Keys are output, column, what a row is for (``all`` targets, a ``step``, a ``series`` or a
    ``class``) and its name, the forecast (``model`` or a naive one), and the number of targets;
    the measures follow. Cells are empty where a measure is not known.
    """
    names = dict.fromkeys(name for _, values in _rows(evaluation) for name in values)
    yield [*KEYS, *names]
    for keys, values in _rows(evaluation):
        yield [*keys, *(_cell(values.get(name)) for name in names)]


def _cell(value: float | None) -> Any:
    return "" if value is None or value != value else value  # noqa: PLR0124 - NaN


def _rows(evaluation: Measured) -> Iterator[Row]:
    for output, columns in evaluation.numbers.items():
        for column in columns:
            yield from _of_column(output, column)
    for output, result in evaluation.classes.items():
        yield from _of_classes(output, result)


def _of_column(output: str, column: ColumnResult) -> Iterator[Row]:
    place = output, column.name
    for forecast, values in column.measures.items():
        own = column.quantiles if forecast == MODEL else {}
        yield (*place, ALL, "", forecast, ""), {**values, **own}
    for forecast, by_step in column.steps.items():
        for at in range(len(by_step["mae"])):
            own = {key: float(each[at]) for key, each in by_step.items()}
            yield (*place, STEP, at + 1, forecast, ""), own
    for name, count, measures in column.series:
        for forecast, values in measures.items():
            yield (*place, SERIES, name, forecast, whole(count)), values


def _of_classes(output: str, result: ClassResult) -> Iterator[Row]:
    for forecast, values in result.measures.items():
        yield (output, "", ALL, "", forecast, ""), values
    for name, values in result.classes.items():
        own = {key: value for key, value in values.items() if key != "support"}
        yield (output, "", CLASS, name, MODEL, values["support"]), own
