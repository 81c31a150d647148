"""Calendar columns of the steps ahead, which need no rows: their times are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.calendar import calendar_column
from lstmgraph.data.zones import wall
from lstmgraph.language.declaration.data import HORIZON, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.data.fields import Field
    from lstmgraph.data.values import Array
    from lstmgraph.data.windows import Places
    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.prediction.clock import Clock


@dataclass(frozen=True)
class CalendarAhead:
    """Columns made from the times of the steps ahead, (examples, *shape)."""

    columns: tuple[str, ...]
    clock: Clock
    places: Places
    horizon: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The times and the places of the windows."""
        return self.clock.times, self.places.origins

    def take(self, examples: Array) -> Array:
        """Return the values of these examples, (len(examples), *shape)."""
        steps = self.places.origins[examples][:, None] + np.arange(self.horizon)
        times = self.clock.at(self.places.series[examples], steps)
        walls = wall(times.astype(np.int64).ravel(), self.clock.unit, self.clock.zone)
        made = [calendar_column(name, walls, self.clock.unit) for name in self.columns]
        values = np.stack(made, axis=-1).astype(self.dtype)
        return values.reshape(len(examples), *self.shape)


def without_calendar_ahead(data: DataDeclaration) -> DataDeclaration:
    """Return the section without inputs of the horizon that are made from the times alone."""
    inputs = {name: entry for name, entry in data.inputs.items() if not _is_made(entry, data)}
    return replace(data, inputs=inputs)


def with_calendar_ahead(
    fields: Mapping[str, Field], data: DataDeclaration, clock: Clock, places: Places
) -> dict[str, Field]:
    """Return the inputs, those of the horizon made from the times of the steps."""
    horizon = data.window.horizon if data.window else 0
    return {
        name: CalendarAhead(entry.columns, clock, places, horizon, tensor.shape, tensor.dtype)
        if isinstance(entry := data.inputs[name], Columns) and _is_made(entry, data)
        else tensor
        for name, tensor in fields.items()
    }


def _is_made(entry: object, data: DataDeclaration) -> bool:
    return (
        isinstance(entry, Columns)
        and entry.steps == HORIZON
        and not entry.lag
        and set(entry.columns) <= set(data.calendar)
    )
