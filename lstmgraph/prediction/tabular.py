"""Batches of predictions as tables of pyarrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lstmgraph.prediction.batches import ORIGIN, ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.data.values import Array
    from lstmgraph.prediction.batches import Batches, PredictionBatch
    from lstmgraph.prediction.naming import OutputLayout


def tables_of(predictions: Batches) -> Iterator[Any]:
    """Yield the predictions as tables, batch by batch."""
    tabulator = Tabulator(predictions)
    for batch in predictions:
        yield tabulator.table(batch)


class Tabulator:
    """Makes tables of batches: a row for each step, or for each example without steps."""

    def __init__(self, predictions: Batches) -> None:
        self.predictions, self.query = predictions, predictions.query
        columns = zip(*self.query.series_keys, strict=True) if self.query.series_keys else ()
        self.series = [pa.array(list(values)) for values in columns]
        self.is_dates = self._is_dates()

    def _is_dates(self) -> bool:
        clock = self.query.clock
        return bool(clock and clock.unit == "D")

    def table(self, batch: PredictionBatch) -> Any:
        """Return the rows of a batch."""
        layouts = self.predictions.layouts
        places = {
            layout.output: self.predictions.steps_of(layout, batch)
            for layout in layouts
            if layout.steps
        }
        grid = _Grid(batch, places) if places else None
        examples = np.arange(len(batch)) if grid is None else grid.examples
        steps = None if grid is None else grid.steps
        arrays = self._keys(batch, examples, steps)
        names = list(self.predictions.key_columns)
        for layout in layouts:
            names += self._names(layout, batch)
            arrays += self._cells(layout, batch, grid)
        return pa.Table.from_arrays(arrays, names)

    def _keys(self, batch: PredictionBatch, examples: Array, steps: Array | None) -> list[Any]:
        query, keys = self.query, batch.keys
        arrays: list[Any] = []
        if query.window is None:
            arrays.append(pa.array(keys[ROW][examples]))
        if self.series and query.series is not None:
            numbers = pa.array(query.series[batch.positions][examples])
            arrays += [values.take(numbers) for values in self.series]
        if ORIGIN in keys:
            arrays.append(self._times(keys[ORIGIN][examples]))
        if query.clock is not None and query.time_column and query.series is not None:
            if steps is not None:
                rows = self._rows(batch)[examples] + steps
                series = query.series[batch.positions][examples]
                arrays.append(self._times(query.clock.at(series, rows)))
            elif query.window is None:
                arrays.append(self._times(keys["time"][examples]))
        if steps is not None:
            arrays.append(pa.array(steps))
        return arrays

    def _rows(self, batch: PredictionBatch) -> Array:
        """Return the row before step 1 of each example, (batch,)."""
        query = self.query
        assert query.origins is not None
        rows = query.origins[batch.positions] - 1
        if query.window is not None and not query.window.horizon and query.lengths is not None:
            rows = rows - query.lengths[batch.positions]
        return np.asarray(rows)

    def _times(self, times: Array) -> Any:
        if times.dtype.kind != "M":
            return pa.array(times)
        if self.is_dates:
            return pa.array(times.astype("datetime64[D]"))
        zone = self.query.clock.zone if self.query.clock else ""
        found = pa.array(times)
        return found.cast(pa.timestamp(found.type.unit, zone)) if zone else found

    def _names(self, layout: OutputLayout, batch: PredictionBatch) -> list[str]:
        if layout.columns:
            return list(layout.columns)
        values = batch.values[layout.output]
        count = int(np.prod(values.shape[2 if layout.steps else 1 :]))
        return [f"{layout.output}_{number}" for number in range(count)]

    def _cells(self, layout: OutputLayout, batch: PredictionBatch, grid: _Grid | None) -> list[Any]:
        values = batch.values[layout.output]
        if grid is None:
            return [_array(column) for column in layout.cells(values)]
        if not layout.steps:
            return [_array(column[grid.examples]) for column in layout.cells(values)]
        chosen, present = grid.of(layout.output, values.shape[1])
        cells = layout.cells(values.reshape(-1, *values.shape[2:])[chosen])
        return [_array(column, None if present.all() else ~present) for column in cells]


class _Grid:
    """The rows of a batch whose outputs have steps: an example and a step each."""

    def __init__(self, batch: PredictionBatch, places: dict[str, tuple[Array, Array]]) -> None:
        self.places = places
        firsts = np.stack([first for first, _ in places.values()])
        ends = np.stack([first + length for first, length in places.values()])
        self.low = int(firsts.min(initial=1))
        steps = np.arange(self.low, int(ends.max(initial=self.low)))
        counted = np.zeros((len(batch), len(steps)), bool)
        for first, length in places.values():
            counted |= (steps >= first[:, None]) & (steps < (first + length)[:, None])
        self.examples, columns = np.nonzero(counted)
        self.steps = steps[columns]

    def of(self, output: str, size: int) -> tuple[Array, Array]:
        """Return where the values of an output stand for each row, and whether it has any.

        The places are those in (batch * size) values.
        """
        first, length = self.places[output]
        step = self.steps - first[self.examples]
        present = (step >= 0) & (step < length[self.examples])
        return self.examples * size + np.where(present, step, 0), present


def _array(column: Array, missing: Array | None = None) -> Any:
    return pa.array(column, mask=missing)
