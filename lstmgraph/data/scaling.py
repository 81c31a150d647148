"""Numbers that ``scale:`` needs, fitted on the rows of the training examples alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.fitted import with_fitted
from lstmgraph.data.fields import PerSeries, Windows, rows_read
from lstmgraph.data.problems import Problems
from lstmgraph.data.texts import each_text
from lstmgraph.language.declaration.data import PER_SERIES, PER_WINDOW
from lstmgraph.language.declaration.row_numbers import series_input

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

MOST_SERIES = 50_000
"""How many series a recipe holds the numbers of."""


def with_scales(recipe: CompiledRecipe, train: Examples) -> CompiledRecipe:
    """Return the recipe with the numbers of its prepared columns, from `train` alone.

    Raises:
        DataError: see ``prepared_columns``.
    """
    data = recipe.declaration.data
    return recipe if data is None else with_fitted(recipe, prepared_columns(data, train))


def fitted_columns(
    data: DataDeclaration, examples: Examples, name: str = "the training part"
) -> Mapping[str, tuple[float, float]]:
    """Return center and spread of every column with ``scale:`` that was not fitted yet."""
    found = prepared_columns(data, examples, name)
    return {each: column.fitted for each, column in found.items() if column.fitted}


def prepared_columns(
    data: DataDeclaration, examples: Examples, name: str = "the training part"
) -> Mapping[str, Column]:
    """Return the columns whose numbers were not known yet, with their numbers.

    ``standard``: mean and standard deviation of the population; ``min_max``: the minimum and the
    distance to the maximum; ``robust``: the median and the interquartile range; ``log``: mean and
    deviation of the logarithm of 1 + the value. A spread of 0 counts as 1; of a series, as that of
    all rows. Values are clipped first, and differences formed. Each row of the table counts once,
    however many of the examples read it.

    Args:
        data: the recipe's section.
        examples: those to train with.
        name: what messages call them.

    Raises:
        DataError: a column has no values, has negative ones for ``log``, or has too small or too
            large a spread for float32; there are too many series.
    """
    problems, found = Problems(name), {}
    for column in data.columns.values():
        if column.needs_fitting:
            values = _values(column, data, examples)
            if values is not None:
                found[column.name] = _prepared(column, values, problems)
    problems.raise_errors()
    return found


def _prepared(column: Column, values: Values, problems: Problems) -> Column:
    """Return a column with the numbers of its values."""
    if column.quantiles and not column.limits:
        known = values.numbers[np.isfinite(values.numbers)]
        if not len(known):
            hint = "leave `clip:` out, or give a longer training part"
            problems.add("D421", f"column '{column.name}' has no values to find limits in", hint)
            return column
        low, high = np.quantile(known, column.quantiles)
        column = replace(column, limits=(float(low), float(high)))
    if not column.scale or column.per == PER_WINDOW:
        return column
    if column.limits and values.is_input:
        values = replace(values, numbers=np.clip(values.numbers, *column.limits))
    if column.scale == "log":
        lowest = values.numbers[np.isfinite(values.numbers)].min(initial=0)
        if lowest < 0:
            problems.add(
                "D422",
                f"column '{column.name}' has {lowest:g}, of which `scale: log` has no logarithm",
                "write `scale: standard`",
            )
            return column
        values = replace(values, numbers=np.log1p(values.numbers))
    if column.difference:
        values = _changes(values, column.difference)
    is_known = np.isfinite(values.numbers)
    numbers = values.numbers[is_known]
    usual = column.fitted or _fitted(column, numbers, problems)
    column = replace(column, fitted=usual)
    if column.per == PER_SERIES and not column.fitted_series and not problems.errors:
        own = _of_series(column, numbers, values.groups[is_known], usual[1])
        names = values.names
        if len(names) > MOST_SERIES:
            problems.add(
                "D424",
                f"there are {len(names):,} series; a recipe holds the numbers of {MOST_SERIES:,}",
                "write `per: window`, which needs no numbers of series",
            )
        by_name = {names[group]: pair for group, pair in own.items()}
        column = replace(column, fitted_series=dict(sorted(by_name.items())))
    return column


def _of_series(
    column: Column, numbers: Array, groups: Array, usual: float
) -> dict[int, tuple[float, float]]:
    """Return center and spread of each series, by its number; `usual` is the spread of all."""
    order = np.argsort(groups, kind="stable")
    numbers, groups = numbers[order], groups[order]
    edges = np.flatnonzero(np.diff(groups, prepend=-1))
    found = {}
    for start, end in zip(edges, [*edges[1:], len(groups)], strict=True):
        center, spread = _SCALES[column.scale or ""](numbers[start:end])
        is_usable = NARROWEST <= spread <= WIDEST
        found[int(groups[start])] = float(center), float(spread) if is_usable else usual
    return found


def _fitted(column: Column, values: Array, problems: Problems) -> tuple[float, float]:
    """Return center and spread of numbers as the model scales them, (rows,) float64."""
    if not len(values):
        hint = "leave `scale:` out, or give a longer training part"
        problems.add("D421", f"column '{column.name}' has no values to scale by", hint)
        return 0.0, 1.0
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


@dataclass(frozen=True)
class Values:
    """The values of a column in the rows that examples read."""

    numbers: Array
    """(rows,) float64; NaN where there is none."""
    rows: Array
    """The number of each row, rising; those of a series or an example follow one another. Like
    `runs` and `groups`, it is filled for columns alone that need it."""
    runs: Array
    """The series or the example whose row each is, (rows,): differences stay within."""
    groups: Array
    """The number of each row's series, of those in `names`, (rows,)."""
    names: tuple[str, ...]
    """The names of series, if they are needed."""
    is_input: bool
    """Whether inputs read the column, which are clipped."""


def _changes(values: Values, steps: int) -> Values:
    """Return the difference of each row from that `steps` rows before; NaN where there is none."""
    before = values.rows - steps
    places = np.minimum(np.searchsorted(values.rows, before), max(len(before) - 1, 0))
    is_there = values.rows[places] == before
    is_there &= values.runs[places] == values.runs
    changes = np.where(is_there, values.numbers - values.numbers[places], np.nan)
    return replace(values, numbers=changes)


def _quartiles(values: Array) -> tuple[Any, Any]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return middle, high - low


_SCALES = {
    "standard": lambda values: (values.mean(), values.std()),
    "log": lambda values: (values.mean(), values.std()),
    "min_max": lambda values: (values.min(), values.max() - values.min()),
    "robust": _quartiles,
}


def _values(column: Column, data: DataDeclaration, examples: Examples) -> Values | None:
    """Return the values of a column; None if the examples do not read it."""
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
    timeline, needs_runs = examples.timeline, column.difference or column.per == PER_SERIES
    rows = runs = np.zeros(0, np.int64)
    if windows:  # rows of one table, which several entries may read; inputs come first
        entry, of_rows = windows[0]
        read = np.any([rows_read(field, examples.numbers) for _, field in windows], axis=0)
        rows = np.flatnonzero(read)
        chunks = _known(of_rows, rows)
        if needs_runs:
            runs = np.searchsorted(timeline.series_starts, rows, "right") - 1
    else:
        entry, of_examples = fields[0]
        found = list(_of_examples(entry, of_examples, data, examples))
        chunks = (values for values, _ in found)
        if needs_runs:
            runs, steps = np.concatenate(
                [np.zeros((2, 0), np.int64), *(at for _, at in found)], axis=1
            )
            rows = runs * (int(steps.max(initial=0)) + 1 + column.difference) + steps
    at = entry.columns.index(column.name)
    numbers = np.concatenate([np.zeros(0), *(chunk[:, at].astype("float64") for chunk in chunks)])
    groups, names = np.zeros(len(runs), np.int64), tuple[str, ...]()
    if column.per == PER_SERIES:
        field = fields[0][1]
        of_series = field.series if isinstance(field, PerSeries) else None
        of_series = timeline.series if windows else of_series
        groups, names = _names(runs, of_series, data, examples)
    return Values(numbers, rows, runs, groups, names, entry.path[1] == "inputs")


def _names(
    runs: Array, series: Array | None, data: DataDeclaration, examples: Examples
) -> tuple[Array, tuple[str, ...]]:
    """Return the number of each row's series, and the names of series by number.

    Args:
        runs: the series of each row, or its example, (rows,).
        series: the series of each example; None if `runs` are examples.
        data: the recipe's section.
        examples: those that are read.
    """
    of_part = examples.numbers
    numbers = of_part if series is None else series[of_part]
    known, first = np.unique(numbers, return_index=True)
    field = examples.source.inputs[series_input(data) or ""]
    texts = [
        text
        for start in range(0, len(first), CHUNK)
        for text in each_text(field.take(of_part[first[start : start + CHUNK]]))
    ]
    names, inverse = np.unique(np.array(texts, object), return_inverse=True)
    return inverse[np.searchsorted(known, runs)], tuple(names.tolist())


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
) -> Iterator[tuple[Array, Array]]:
    """Yield the values of arrays or static columns, (rows, columns), padded steps left out.

    The second array is the number of the series or the example of each row, and its step, (2,
    rows).
    """
    width = len(entry.columns)
    if isinstance(field, PerSeries):
        rows = np.unique(field.series[examples.numbers])
        yield np.concatenate(list(_known(field, rows))), np.stack([rows, np.zeros_like(rows)])
        return
    counting = data.lengths_of(entry.name)
    counts = None if counting is None else examples.source.inputs[counting]
    for start in range(0, len(examples.numbers), CHUNK):
        numbers = examples.numbers[start : start + CHUNK]
        rows = field.take(numbers).reshape(len(numbers), -1, width)
        is_there = np.ones(rows.shape[:2], bool)
        if counts is not None:
            is_there = np.arange(rows.shape[1]) < counts.take(numbers).reshape(-1, 1)
        of_examples, steps = np.nonzero(is_there)
        yield rows[is_there], np.stack([numbers[of_examples], steps])
