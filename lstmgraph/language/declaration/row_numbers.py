"""Where each row of a batch has its own center and spread from: its series, or its own history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.language.declaration.data import (
    HISTORY,
    LAST,
    PER_SERIES,
    PER_WINDOW,
    ROW,
    STATIC,
    Column,
    Columns,
    DataDeclaration,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Data = dict[str, Any]
    Numbers = tuple[float, float]

BY_SERIES = "numbers_of_series"
"""Operation: return center and spread of ids of series: (batch,) -> (batch, 2, columns)."""
BY_WINDOW = "numbers_of_window"
"""Operation: return center and spread of the steps of a history: (batch, 2, columns).

Inputs are the history, (batch, time, columns), and perhaps its lengths, (batch,).
"""
BY_ROW = "scale_by_row"
"""Operation: scale numbers, (batch, ..., columns), or unscale them, by those of their row."""
ID = "id"
"""What the name of the layer ends with that looks names of series up: ``store_id``."""
NARROWEST = 1e-6
"""The least spread of a window; a smaller one counts as 1."""
UNKNOWN = (0.0, 1.0)
"""Center and spread where nothing was fitted."""


@dataclass(frozen=True)
class RowNumbers:
    """The numbers that scale the columns of an entry, where they differ from row to row."""

    columns: tuple[Column | None, ...]
    names: tuple[str, ...]
    """The series whose numbers are known, in the order of their ids, which begin at 1."""
    series: str | None
    """The input that has the name of the series, if a column needs it."""
    history: str | None
    """The input whose steps the numbers of windows come from, if a column needs it."""
    lengths: str | None
    """The input with the lengths of the history; None where every history is whole."""
    places: tuple[int, ...]
    """For each column its place in the history; -1 where it is not scaled by window."""

    @property
    def table(self) -> list[list[list[float]]]:
        """Return centers and spreads by id, (ids, 2, columns); 0 is any other series."""
        rows = []
        for name in (None, *self.names):
            numbers = [_numbers_of(column, name) for column in self.columns]
            rows.append([[pair[part] for pair in numbers] for part in (0, 1)])
        return rows

    def layers(self, name: str, ids: str, level: str) -> Iterator[tuple[str, str, Data]]:
        """Yield name, type and arguments of the layers that give the numbers; the last is `name`.

        Args:
            name: the name of the last layer.
            ids: the layer that gives the id of each row's series.
            level: the layer that gives the history before it is scaled.
        """
        both = self.series is not None and self.history is not None
        if self.series is not None:
            own = f"{name}_series" if both else name
            yield own, BY_SERIES, {"input": ids, "table": self.table}
        if self.history is not None:
            data: Data = {"input": [level, *([self.lengths] if self.lengths else [])]}
            yield (f"{name}_window" if both else name), BY_WINDOW, {**data, **self.window}
        if both:
            yield name, "Add", {"input": [f"{name}_series", f"{name}_window"]}

    @property
    def window(self) -> Data:
        """Return the arguments of the operation for windows: also the numbers of other columns."""
        fixed = [
            (0.0, 0.0) if self.series is not None or place >= 0 else _numbers_of(column, None)
            for column, place in zip(self.columns, self.places, strict=True)
        ]
        return {
            "places": list(self.places),
            "scales": [column.scale or "" if column else "" for column in self.columns],
            "centers": [pair[0] for pair in fixed],
            "spreads": [pair[1] for pair in fixed],
        }


def _numbers_of(column: Column | None, name: str | None) -> Numbers:
    """Return the numbers of a column for a series; 0 where each window has its own."""
    if column is None or not column.scale:
        return UNKNOWN
    if column.per == PER_WINDOW:
        return 0.0, 0.0
    usual = column.fitted or UNKNOWN
    return usual if name is None else column.fitted_series.get(name, usual)


def names_of_series(data: DataDeclaration) -> tuple[str, ...]:
    """Return the series whose numbers are known for some column, sorted."""
    return tuple(sorted({name for each in data.columns.values() for name in each.fitted_series}))


def series_input(data: DataDeclaration) -> str | None:
    """Return the input that has the name of the series of each row; None if there is none."""
    return next(
        (
            entry.name
            for entry in data.inputs.values()
            if isinstance(entry, Columns)
            and entry.columns == data.series
            and len(data.series) == 1
            and entry.steps in (STATIC, ROW, LAST)
        ),
        None,
    )


def history_of(columns: Sequence[str], data: DataDeclaration) -> Columns | None:
    """Return the first input with the history of all of these columns; None if there is none."""
    return next(
        (
            entry
            for entry in data.inputs.values()
            if isinstance(entry, Columns)
            and entry.steps == HISTORY
            and set(columns) <= set(entry.columns)
        ),
        None,
    )


def row_numbers(
    entry: Columns, columns: Mapping[str, Column], data: DataDeclaration
) -> RowNumbers | None:
    """Return where the rows of an entry have their numbers from; None if all have the same.

    Args:
        entry: an input or a target.
        columns: the preparation of its columns that are scaled, by name.
        data: the recipe's section.
    """
    by_series = any(column.per == PER_SERIES for column in columns.values())
    by_window = [name for name, column in columns.items() if column.per == PER_WINDOW]
    series = series_input(data) if by_series else None
    history = history_of(by_window, data) if by_window else None
    if series is None and history is None:
        return None
    return RowNumbers(
        columns=tuple(columns.get(name) for name in entry.columns),
        names=names_of_series(data),
        series=series,
        history=history.name if history else None,
        lengths=data.lengths_of(history.name) if history else None,
        places=tuple(
            history.columns.index(name) if history and name in by_window else -1
            for name in entry.columns
        ),
    )
