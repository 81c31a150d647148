"""Data for exports: what quantized files are made from, and the measures before and after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.loading import TEST, TRAIN, VALIDATION, data_of
from lstmgraph.evaluation.evaluate import evaluate_predictions
from lstmgraph.evaluation.results import MODEL
from lstmgraph.export.job import ExportData, Measure
from lstmgraph.prediction import OpenedModel, predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.examples import Examples
    from lstmgraph.evaluation.evaluation import Evaluation
    from lstmgraph.export.job import Run
    from lstmgraph.export.samples import Arrays

MOST_CALIBRATED, MOST_COMPARED, MOST_MEASURED = 200, 100, 2000
"""Examples, spread evenly over a part, that show ranges, are compared, and are measured."""
ROWS = 20
"""Rows of batches for files that take any number."""
GROWING = {"accuracy": True, "mae": False, "rmse": False, "crps": False}
"""The measures that quantizing may not worsen, and whether a better model has a larger one."""


def export_data(compiled: CompiledRecipe, data: Any, test: Any = None) -> ExportData:
    """Read data for an export; the test part is measured, or else the validation part.

    Args:
        compiled: the recipe.
        data: what ``Recipe.load_data`` takes or gave.
        test: the same, of what is measured instead.

    Raises:
        DataError: the data does not fit the recipe.
        ValueError: test data is given beside what ``load_data`` gave, which has its own.
    """
    loaded = data_of(compiled, data, test=test)
    part = next((name for name in (TEST, VALIDATION) if name in loaded.parts), None)
    unseen = loaded.parts[part or TRAIN]

    def batches(examples: Examples, most: int, rows: int | None) -> Iterator[Arrays]:
        size = compiled.graph.batch_size or rows or ROWS
        positions = _spread(len(examples), most)
        positions = np.resize(positions, max(size, len(positions) // size * size))
        for first in range(0, len(positions), size):
            yield examples.batch(positions[first : first + size])[0]

    def measure(run: Run, rows: int | None) -> list[Measure]:
        fixed = compiled.graph.batch_size or rows
        opened = OpenedModel(compiled, compiled.graph, lambda batch: run(dict(batch)), fixed)
        measured = unseen
        if compiled.graph.batch_size is None:  # carried states go through all examples in order
            measured = _thinned(unseen)
        found = predict(opened, measured)
        return list(_measures(evaluate_predictions(found, compiled.graph.name, None, loaded.train)))

    return ExportData(
        ranges=lambda rows: batches(loaded.train, MOST_CALIBRATED, rows),
        unseen=lambda rows: batches(unseen, MOST_COMPARED, rows),
        part=part,
        measure=measure,
    )


def _spread(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _thinned(examples: Examples) -> Examples:
    return replace(examples, numbers=examples.numbers[_spread(len(examples), MOST_MEASURED)])


def _measures(evaluation: Evaluation) -> Iterator[Measure]:
    for output, columns in evaluation.numbers.items():
        for column in columns:
            own = {**column.measures[MODEL], **column.quantiles}
            title = "" if column.name == output else f"{column.name} "
            yield from _chosen(output, title, own)
    for output, classes in evaluation.classes.items():
        yield from _chosen(output, "", classes.measures[MODEL])


def _chosen(output: str, title: str, measures: Mapping[str, float]) -> Iterator[Measure]:
    for name, grows in GROWING.items():
        if np.isfinite(measures.get(name, np.nan)):
            yield Measure(output, f"{title}{name}", float(measures[name]), grows)
