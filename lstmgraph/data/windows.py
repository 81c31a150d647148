"""Windows over the rows of a table: which there are, and which rows each tensor takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.compiler.checks.data_needs import Need, Needs, fitted
from lstmgraph.data.examples import ExampleSource, example_source
from lstmgraph.data.fields import Coded, Counted, Field, PerSeries, Rows, Windows
from lstmgraph.data.table import Table, key_of
from lstmgraph.data.timeline import Timeline
from lstmgraph.data.values import storage_dtype
from lstmgraph.language.declaration.data import (
    HISTORY,
    HORIZON,
    STATIC,
    WINDOW,
    Columns,
    DataDeclaration,
    LengthOf,
    Window,
)

if TYPE_CHECKING:
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array
    from lstmgraph.keras_facts.tensors import Dim

ROWS = Window(history=1, horizon=0, stride=1, min_history=1)
"""The window of a table without ``window:``, in which each row is an example."""


@dataclass(frozen=True)
class Places:
    """The places of all windows: their series, and the rows of their histories."""

    series: Array
    """The series of each window, (windows,) int32."""
    origins: Array
    """The row after the history of each window, (windows,) int64."""
    lengths: Array
    """The length of each history, (windows,) int32; takes no memory if all are the same."""
    longest: int
    """The steps of the longest history, to which the others are padded."""

    def before(self, entry: Columns) -> Array:
        """Return how many rows before the origin an entry begins in each window, (windows,)."""
        if entry.steps in (HISTORY, WINDOW):
            return self.lengths
        return np.broadcast_to(np.int32(entry.lag if entry.steps == HORIZON else 1), len(self))

    def __len__(self) -> int:
        return len(self.origins)


def places_of(table: Table, window: Window) -> Places:
    """Return the places of all windows, series by series; each stays within its series."""
    starts, rows = table.series_starts[:-1], np.diff(table.series_starts)
    if window.history is None:
        kept = np.flatnonzero(rows >= window.min_history).astype(np.int32)
        longest = int(rows[kept].max(initial=1))
        lengths = rows[kept].astype(np.int32)
        return Places(kept, table.series_starts[1:][kept], lengths, longest)
    counts = (rows - window.horizon - window.min_history) // window.stride + 1
    counts = np.maximum(counts, 0)
    series = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
    origins = np.arange(len(series))
    origins -= np.repeat(np.cumsum(counts) - counts, counts)
    origins *= window.stride
    origins += np.repeat(starts + window.min_history, counts)
    lengths = np.broadcast_to(np.int32(window.history), len(series))
    if window.min_history < window.history:
        lengths = np.minimum(origins - starts[series], window.history).astype(np.int32)
    return Places(series, origins, lengths, window.history)


def windowed(
    table: Table, data: DataDeclaration, needs: Needs, problems: Problems
) -> tuple[ExampleSource, Timeline]:
    """Return the examples of `table`, and their places in time."""
    window = data.window or ROWS
    places = places_of(table, window)
    _report_short_series(table, places, window, problems)
    fields = _Fields(table, data, places, problems)
    inputs = fields.inputs(needs)
    targets = {n: fields.of(entry, needs.targets[n].shape) for n, entry in data.targets.items()}
    weights = {name: fields.weight(entry) for name, entry in data.sample_weights.items()}
    labels = {
        name: table.labels[key_of(entry)]
        for name, entry in data.targets.items()
        if key_of(entry) in table.labels
    }
    weights |= {
        name: fields.counted(entry, weights.get(name, weights.get("")))
        for name, entry in data.targets.items()
        if key_of(entry) in table.masks
    }
    return example_source(needs, inputs, targets, weights, labels), _timeline(
        table, data, places, window.horizon
    )


def input_fields(
    table: Table, data: DataDeclaration, needs: Needs, places: Places, problems: Problems
) -> dict[str, Field]:
    """Return the inputs of windows at `places`, by name."""
    return _Fields(table, data, places, problems).inputs(needs)


def weight_fields(
    table: Table, data: DataDeclaration, places: Places, problems: Problems
) -> dict[str, Field]:
    """Return the sample weights of windows at `places`, by target; those of all as ``""``."""
    fields = _Fields(table, data, places, problems)
    return {name: fields.weight(entry) for name, entry in data.sample_weights.items()}


class _Fields:
    """Makes the tensors of all windows."""

    def __init__(
        self, table: Table, data: DataDeclaration, places: Places, problems: Problems
    ) -> None:
        self.table, self.data, self.places, self.problems = table, data, places, problems

    def inputs(self, needs: Needs) -> dict[str, Field]:
        """Return the tensors of all inputs, by name."""
        return {
            name: self.lengths(needs.inputs[name])
            if isinstance(entry, LengthOf)
            else self.of(entry, needs.inputs[name].shape)
            for name, entry in self.data.inputs.items()
        }

    def of(self, entry: Columns, wanted: tuple[Dim, ...] | None) -> Field:
        """Return the tensor of an entry, in the shape that the recipe declares."""
        texts = self.table.texts.get(key_of(entry))
        found = self._stored(entry, wanted)
        return found if texts is None else Coded(found, texts)

    def _stored(self, entry: Columns, wanted: tuple[Dim, ...] | None) -> Field:
        found = self._shape(entry, wanted)
        fitting = None if wanted is None else fitted(found, wanted)
        shape = found if fitting is None else _sizes(fitting)
        matrix = self.table.matrices[key_of(entry)]
        field = self._read(entry, matrix, found, shape)
        masked = self.table.masks.get(key_of(entry))
        if isinstance(field, PerSeries):
            known = None if masked is None else np.asarray(masked[self.table.series_starts[:-1]])
            return replace(field, masked=known)
        later = self.table.interpolated.get(key_of(entry))
        return replace(field, masked=masked, interpolated=later, lag=entry.lag)

    def _read(
        self, entry: Columns, matrix: Array, found: tuple[int, ...], shape: tuple[int, ...]
    ) -> PerSeries | Windows:
        """Return the values of an entry in one of its matrices."""
        if entry.steps == STATIC:
            values = np.asarray(matrix[self.table.series_starts[:-1]])
            return PerSeries(values, self.places.series, shape)
        steps = found[0] if len(found) > 1 else 1
        after = self._after(entry, steps)
        return Windows(matrix, self.places.origins, self.places.before(entry), steps, after, shape)

    def weight(self, entry: Columns) -> Field:
        """Return the sample weights: one number for each example, or one for each of its steps."""
        found = self._shape(entry, None)
        return self.of(entry, () if fitted(found, ()) is not None else found[:-1])

    def counted(self, entry: Columns, weight: Field | None) -> Field:
        """Return the weights of a target's steps, 0 where one of its values was missing."""
        found = self._shape(entry, None)
        missing = self._read(entry, self.table.masks[key_of(entry)], found, found)
        return Counted(missing, weight, () if fitted(found[:-1], ()) is not None else found[:-1])

    def lengths(self, need: Need) -> Field:
        """Return the lengths of the windows' histories as a tensor."""
        return Rows(self.places.lengths, (), storage_dtype(need.dtype))

    def _shape(self, entry: Columns, wanted: tuple[Dim, ...] | None) -> tuple[int, ...]:
        """Return (steps, columns) or (columns,); whole series are padded to the declared size."""
        shape = self.data.shape_of(entry)
        if len(shape) < 2 or shape[0] is not None:
            return _sizes(shape)
        longest = self.places.longest
        padded = wanted[0] if wanted and isinstance(wanted[0], int) else longest
        if padded < longest:
            at = int(np.argmax(self.places.lengths))
            name = self.table.series_names[int(self.places.series[at])]
            self.problems.add(
                "D203",
                f"series '{name}' has {longest} rows, but '{entry.name}' takes {padded}",
                f"declare the shape [time, {len(entry.columns)}], or remove long series",
            )
        return (max(padded, longest), len(entry.columns))

    def _after(self, entry: Columns, steps: int) -> int | None:
        """Return how many rows after its origin an entry ends; None if no window is padded."""
        if entry.steps not in (HISTORY, WINDOW):
            return None
        after = self.data.window.horizon if self.data.window and entry.steps == WINDOW else 0
        return None if bool((self.places.lengths == steps - after).all()) else after


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """Return a shape whose sizes are all known by now, without None in its type."""
    return tuple(size or 0 for size in shape)


def _timeline(table: Table, data: DataDeclaration, places: Places, horizon: int) -> Timeline:
    """Return the rows from first to last target, or of the whole window if targets have no time."""
    timed = [entry for entry in data.targets.values() if entry.steps != STATIC]
    whole = [entry for entry in timed if entry.steps in (HISTORY, WINDOW)]
    before = [places.before(entry) for entry in whole or timed] or [places.lengths]
    ahead = not timed or any(entry.steps in (HORIZON, WINDOW) for entry in timed)
    return Timeline(
        table.series_starts,
        places.series,
        places.origins,
        before=max(before, key=lambda rows: int(rows.max(initial=0))),
        after=horizon if ahead else 0,
        has_series=bool(data.series),
        times=table.times,
        time_unit=table.time_unit,
        series_keys=table.series_keys,
    )


def _report_short_series(table: Table, places: Places, window: Window, problems: Problems) -> None:
    """Warn of series that are shorter than a window; where all are, that is an error."""
    rows = np.diff(table.series_starts)
    short = np.setdiff1d(np.arange(len(rows)), places.series)
    if not len(short):
        return
    needed = f"shorter than a window of {window.min_history + window.horizon:,} steps"
    if len(short) == len(rows):
        longest = int(rows.argmax())
        name = table.series_names[longest]
        problems.add(
            "D403",
            f"there are no examples: every series is {needed}; the longest"
            f"{f', {name!r},' if name else ''} has {_rows(rows[longest])}",
            "make the window shorter, or allow a shorter history with `min_history:`",
        )
        return
    first = int(short[0])
    problems.warn(
        "D403",
        f"{len(short):,} of {len(rows):,} series are {needed} and give no examples; the first is "
        f"'{table.series_names[first]}', with {_rows(rows[first])}",
        "set `min_history:` under `window:` to allow shorter histories",
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
