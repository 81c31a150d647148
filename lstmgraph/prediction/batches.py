"""The predictions of a model, batch by batch, with the keys of their examples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import data_needs
from lstmgraph.language.declaration.data import HISTORY, HORIZON, WINDOW
from lstmgraph.prediction.naming import layouts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.data.problems import DataProblem
    from lstmgraph.data.values import Array
    from lstmgraph.prediction.loading import Query
    from lstmgraph.prediction.models import OpenedModel
    from lstmgraph.prediction.naming import OutputLayout

BATCH_BYTES = 8 << 20
"""The bytes of the inputs of a batch, unless the model or the caller says how many rows it has."""
FEWEST, MOST = 32, 4_096
ORIGIN, STEP, ROW = "origin", "step", "row"
"""The names of keys, and of their columns."""


@dataclass(frozen=True)
class PredictionBatch:
    """The predictions for some examples."""

    keys: Mapping[str, Array]
    """What names the examples, as ``Predictions`` describes."""
    values: Mapping[str, Array]
    """By output, (batch, ...)."""
    targets: Mapping[str, Array] = field(default_factory=dict)
    """By output, (batch, ...), NaN where they are not known; of those that the data has."""
    positions: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    """The numbers of the examples, from 0, (batch,)."""

    def __len__(self) -> int:
        return len(self.positions)


class Batches:
    """Runs a model on the batches of a query; ``Predictions`` describes the keys."""

    def __init__(self, model: OpenedModel, query: Query, batch_size: int | None = None) -> None:
        self.model, self.query = model, query
        self.batch_size = self._batch_size(batch_size)
        """The number of examples that the model is given at a time."""

    def _batch_size(self, given: int | None) -> int:
        fixed = self.model.rows
        if fixed is not None:
            if given not in (None, fixed):
                raise ValueError(f"the model takes batches of {fixed} rows, not {given}")
            return fixed
        if given is not None:
            if given < 1:
                raise ValueError(f"the batch size must be at least 1, not {given}")
            return given
        rows = BATCH_BYTES // self.query.bytes_of_one
        return int(min(MOST, max(FEWEST, 1 << (max(1, rows).bit_length() - 1))))

    @property
    def warnings(self) -> tuple[DataProblem, ...]:
        """The problems of the data that prevent nothing."""
        return self.query.warnings

    def __len__(self) -> int:
        """Return the number of examples."""
        return self.query.count

    @property
    def series_columns(self) -> tuple[str, ...]:
        """The columns that tell series apart."""
        return self.query.series_columns

    @property
    def series_keys(self) -> tuple[tuple[Any, ...], ...]:
        """The values of `series_columns`, by the number of the series."""
        return self.query.series_keys

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """The names of the key columns of the table."""
        query, names = self.query, []
        if query.series_columns and query.series_keys:
            names += list(query.series_columns)
        if query.origins is not None and query.window is not None and query.window.history:
            names.append(ORIGIN)
        if query.clock is not None and query.time_column and self._has_times:
            names.append(query.time_column)
        if self._has_steps:
            names.append(STEP)
        if query.window is None:
            names.insert(0, ROW)
        return tuple(_unlike(names))

    @property
    def _has_times(self) -> bool:
        return self.query.window is None or self._has_steps

    @property
    def _has_steps(self) -> bool:
        return any(layout.steps for layout in self.layouts_without_names)

    @cached_property
    def layouts_without_names(self) -> tuple[OutputLayout, ...]:
        """The layouts of the outputs, before their columns are told apart from the keys."""
        return layouts_of(self.model, ())

    @cached_property
    def layouts(self) -> tuple[OutputLayout, ...]:
        """How each output becomes columns."""
        return layouts_of(self.model, self.key_columns)

    def __iter__(self) -> Iterator[PredictionBatch]:
        query, size = self.query, self.batch_size
        pads = self.model.rows is not None or query.count > size
        self.model.reset()
        for first in range(0, query.count, size):
            examples = np.arange(first, min(first + size, query.count))
            padded = examples
            if pads and len(examples) < size:  # one size, so that nothing is compiled twice
                padded = np.concatenate([examples, np.full(size - len(examples), examples[-1])])
            values = dict(self.model.run(query.batch(padded)))
            for layout in self.layouts_without_names:
                if layout.adds_steps:
                    values[layout.output] = values[layout.output][:, None]
            yield PredictionBatch(
                self._keys(examples),
                {name: _as_numbers(values[name][: len(examples)]) for name in self._outputs},
                {name: tensor.take(examples) for name, tensor in query.targets.items()},
                examples,
            )

    @property
    def _outputs(self) -> list[str]:
        return list(self.model.graph.outputs)

    def _keys(self, examples: Array) -> dict[str, Array]:
        query = self.query
        keys: dict[str, Array] = {ROW: query.rows[examples]}
        if query.series is None or query.origins is None or query.starts is None:
            return keys
        series = query.series[examples]
        if query.series_columns:
            keys["series"] = series
        origins = query.origins[examples]
        if query.window is None:
            if query.clock is not None:
                keys["time"] = query.clock.at(series, origins - 1)
            return keys
        if query.window.history is not None:
            keys[ORIGIN] = (
                origins - query.starts[series]
                if query.clock is None
                else query.clock.at(series, origins - 1)
            )
        if query.window.horizon:
            keys[STEP] = np.arange(1, query.window.horizon + 1)
            if query.clock is not None:
                keys["time"] = query.clock.at(series, origins[:, None] - 1 + keys[STEP])
        return keys

    @cached_property
    def lengths_inputs(self) -> Mapping[str, str]:
        """For outputs whose padded steps are masked by lengths, the input that holds these."""
        recipe = self.model.compiled.declaration
        needs = data_needs(replace(recipe, training=None, data=None), self.model.graph)
        return {name: key for name, key in needs.lengths.items() if name in self._outputs}

    def steps_of(self, layout: OutputLayout, batch: PredictionBatch) -> tuple[Array, Array]:
        """Return the number of the first step of an output, and how many count, (batch,) each.

        Steps are numbered from 1. Before a horizon, step 1 is the first of it, and 0 the last of
        the history.
        """
        query, size = self.query, batch.values[layout.output].shape[1]
        count = len(batch)
        first, lengths = np.ones(count, np.int64), np.full(count, size)
        of_history = layout.steps in (HISTORY, WINDOW)
        if of_history and query.lengths is not None:
            own = query.lengths[batch.positions].astype(np.int64)
            horizon = query.window.horizon if query.window else 0
            if horizon:
                first = 1 - own
            lengths = own + (horizon if layout.steps == WINDOW else 0)
        key = self.lengths_inputs.get(layout.output)
        if key is not None and layout.steps != HORIZON:
            given = query.inputs[key].take(batch.positions).reshape(count).astype(np.int64)
            lengths = np.minimum(lengths, given)
        return first, np.minimum(lengths, size)


def _unlike(names: list[str]) -> list[str]:
    """Return the names, with ``_`` behind those that occur before."""
    found: list[str] = []
    for name in names:
        while name in found:
            name += "_"  # noqa: PLW2901
        found.append(name)
    return found


def _as_numbers(values: Any) -> Array:
    """Return values as NumPy's own numbers: those of bfloat16 as float32."""
    array: Array = np.asarray(values)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array
