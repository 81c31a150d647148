"""Numbers that ``scale:`` needs, fitted on the rows of the training examples alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.fitted import with_fitted
from lstmgraph.data.fields import PerSeries, Windows, rows_read
from lstmgraph.data.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.fields import Field
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import Column, Columns, DataDeclaration

CHUNK = 1 << 18
"""How many rows are read at a time."""
NARROWEST, WIDEST = 1e-6, 1e18
"""The spreads that ``Normalization`` of Keras can divide by: it takes the root of a square."""


def with_scales(recipe: CompiledRecipe, train: Examples) -> CompiledRecipe:
    """Return the recipe with the numbers of its columns with ``scale:``, from `train` alone.

    Raises:
        DataError: see ``fitted_columns``.
    """
    data = recipe.declaration.data
    return recipe if data is None else with_fitted(recipe, fitted_columns(data, train))


def fitted_columns(
    data: DataDeclaration, examples: Examples, name: str = "the training part"
) -> Mapping[str, tuple[float, float]]:
    """Return center and spread of every column with ``scale:`` that was not fitted yet.

    ``standard``: mean and standard deviation of the population; ``min_max``: the minimum and the
    distance to the maximum; ``robust``: the median and the interquartile range; ``log``: mean and
    deviation of the logarithm of 1 + the value. A spread of 0 counts as 1. Each row of the table
    counts once, however many of the examples read it.

    Args:
        data: the recipe's section.
        examples: those to train with.
        name: what messages call them.

    Raises:
        DataError: a column has no values, has negative ones for ``log``, or has too small or too
            large a spread for float32.
    """
    problems, found = Problems(name), {}
    for column in data.columns.values():
        if column.scale and not column.fitted:
            values = _values(column, data, examples)
            if values is not None:
                found[column.name] = _fitted(column, values, problems)
    problems.raise_errors()
    return found


def _fitted(column: Column, values: Array, problems: Problems) -> tuple[float, float]:
    """Return center and spread of the values of a column, (rows,) float64."""
    if not len(values):
        hint = "leave `scale:` out, or give a longer training part"
        problems.add("D421", f"column '{column.name}' has no values to scale by", hint)
        return 0.0, 1.0
    if column.scale == "log":
        if values.min() < 0:
            problems.add(
                "D422",
                f"column '{column.name}' has {values.min():g}, of which `scale: log` has no "
                "logarithm",
                "write `scale: standard`",
            )
            return 0.0, 1.0
        values = np.log1p(values)
    center, spread = _SCALES[column.scale or ""](values)
    if spread == 0:
        return float(center), 1.0
    if not NARROWEST <= spread <= WIDEST:
        problems.add(
            "D423",
            f"column '{column.name}' has a spread of {spread:g}, too "
            f"{'small' if spread < NARROWEST else 'large'} to divide by in float32",
            "give the column in another unit",
        )
    return float(center), float(spread)


def _quartiles(values: Array) -> tuple[Any, Any]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return middle, high - low


_SCALES = {
    "standard": lambda values: (values.mean(), values.std()),
    "log": lambda values: (values.mean(), values.std()),
    "min_max": lambda values: (values.min(), values.max() - values.min()),
    "robust": _quartiles,
}


def _values(column: Column, data: DataDeclaration, examples: Examples) -> Array | None:
    """Return the values of a column, (rows,) float64; None if the examples do not read it."""
    source = examples.source
    entries = [
        (entry, source.inputs if entry.path[1] == "inputs" else source.targets)
        for entry in data.all_columns
        if entry.path[1] != "sample_weight" and column.name in entry.columns
    ]
    fields = [(entry, fields[entry.name]) for entry, fields in entries if entry.name in fields]
    if not fields:
        return None
    windows = [(entry, field) for entry, field in fields if isinstance(field, Windows)]
    if windows:  # rows of one table, which several entries may read; inputs come first
        entry, of_rows = windows[0]
        read = np.any([rows_read(field, examples.numbers) for _, field in windows], axis=0)
        chunks = _known(of_rows, np.flatnonzero(read))
    else:
        entry, of_examples = fields[0]
        chunks = _of_examples(entry, of_examples, data, examples)
    at = entry.columns.index(column.name)
    values = np.concatenate([np.zeros(0), *(chunk[:, at].astype("float64") for chunk in chunks)])
    finite: Array = values[np.isfinite(values)]
    return finite


def _known(field: Windows | PerSeries, rows: Array) -> Iterator[Array]:
    """Yield these rows of a table, a part at a time; what was missing is NaN."""
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        values = np.asarray(field.table[part])
        if field.masked is None:
            yield values
        else:
            yield np.where(field.masked[part] == 0, values, np.nan)


def _of_examples(
    entry: Columns, field: Field, data: DataDeclaration, examples: Examples
) -> Iterator[Array]:
    """Yield the values of arrays or static columns, (rows, columns), padded steps left out."""
    width = len(entry.columns)
    if isinstance(field, PerSeries):
        yield from _known(field, np.unique(field.series[examples.numbers]))
        return
    counting = data.lengths_of(entry.name)
    counts = None if counting is None else examples.source.inputs[counting]
    for start in range(0, len(examples.numbers), CHUNK):
        numbers = examples.numbers[start : start + CHUNK]
        values = field.take(numbers)
        rows = values.reshape(len(numbers), -1, width)
        if counts is not None:
            lengths = counts.take(numbers).reshape(-1, 1)
            rows = rows[np.arange(rows.shape[1]) < lengths]
        yield rows.reshape(-1, width)
