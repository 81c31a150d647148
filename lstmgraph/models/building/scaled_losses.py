"""Losses of scaled numbers, for outputs and targets in the units of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from lstmgraph.keras_facts.targets import OF_DISTANCES
from lstmgraph.language.declaration.row_numbers import ID
from lstmgraph.language.declaration.scaling import CLIPPED, scalings_of
from lstmgraph.models.building import row_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.language.declaration.scaling import Scaling

Tensor = Any

LOWEST = -1 + 1e-6
"""The lowest number whose logarithm of 1 + the number is taken; forecasts are above -1."""


def scale_losses(losses: object, data: DataDeclaration | None) -> None:
    """Scale the losses of distances of outputs whose target has scaled columns.

    Args:
        losses: Keras's losses by output; anything else, such as one loss for all, is left as it is.
        data: the recipe's section.
    """
    if data is None or not isinstance(losses, dict):
        return
    for name, scaling in scalings_of(data, "targets").items():
        if type(losses.get(name)).__name__ in OF_DISTANCES:
            scale_loss(losses[name], scaling)


def scale_by_rows(model: keras.Model, losses: object, data: DataDeclaration | None) -> None:
    """Have compiled `model` give the scaled losses the numbers of each row, which it reads of x.

    Keras gives a loss targets and forecasts alone; ``compute_loss`` has the inputs too.
    """
    if data is None or not isinstance(losses, dict):
        return
    own = {
        name: scaling
        for name, scaling in scalings_of(data, "targets").items()
        if scaling.rows is not None and isinstance(getattr(losses.get(name), "rows", None), list)
    }
    if not own:
        return
    compute = model.compute_loss
    inputs = scalings_of(data, "inputs")

    def compute_loss(x: Any = None, *args: Any, **kwargs: Any) -> Tensor:
        try:
            for name, scaling in own.items():
                loss = losses[name]
                loss.rows[:] = [numbers_of_rows(model, x, scaling, inputs, loss.dtype)]
            return compute(x, *args, **kwargs)
        finally:  # tensors of a graph are no numbers outside of it
            for name in own:
                losses[name].rows.clear()

    model.compute_loss = compute_loss


def numbers_of_rows(
    model: keras.Model, x: Any, scaling: Scaling, inputs: Mapping[str, Scaling], dtype: str
) -> Tensor:
    """Return center and spread of each row of a batch, (batch, 2, columns).

    Args:
        model: the model, which has the names of series.
        x: its inputs, by name or in the order of Keras.
        scaling: that of the target.
        inputs: the scaling of the inputs, by name.
        dtype: that of the numbers.

    Raises:
        ValueError: there are no inputs to take the numbers from.
    """
    if x is None:
        raise ValueError("the loss is of numbers scaled by row: give `compute_loss` the inputs, x")
    if not isinstance(x, dict):
        x = dict(zip(sorted(model.input), keras.tree.flatten(x), strict=True))
    rows = scaling.rows
    assert rows is not None
    found = None
    if rows.series is not None:
        ids = model.get_layer(_id_layer(model, rows.series))(x[rows.series])
        found = row_numbers.of_series(ids, rows.table, dtype)
    if rows.history is not None:
        history = ops.cast(ops.convert_to_tensor(x[rows.history]), dtype)
        if rows.history in inputs:
            history = _level(history, inputs[rows.history], dtype)
        lengths = [x[rows.lengths]] if rows.lengths else []
        of_window = row_numbers.of_window(history, lengths, rows.window, dtype)
        found = of_window if found is None else found + of_window
    return found


def _id_layer(model: keras.Model, series: str) -> str:
    """Return the name of the layer that looks names of series up, of those that read the input."""
    names: list[str] = [layer.name for layer in model.layers]
    return next(name for name in sorted(names) if name.rstrip("_") == f"{series}_{ID}")


def _level(history: Tensor, scaling: Scaling, dtype: str) -> Tensor:
    """Return a history as it is before it is scaled, (batch, time, columns)."""
    if CLIPPED in scaling.stages:
        low, high = (_of_columns(each, dtype) for each in scaling.limits)
        history = ops.minimum(ops.maximum(history, low), high)
    return _with_logarithms(history, scaling)


def _of_columns(numbers: Sequence[float], dtype: str) -> np.ndarray[Any, np.dtype[Any]]:
    return np.array(numbers[0] if len(numbers) == 1 else numbers, dtype)


def _with_logarithms(values: Tensor, scaling: Scaling, lowest: float = 0.0) -> Tensor:
    log = np.asarray(scaling.has_log[0] if len(scaling.has_log) == 1 else scaling.has_log)
    return ops.where(log, ops.log1p(ops.maximum(values, lowest)), values) if log.any() else values


def scale_loss(loss: keras.losses.Loss, scaling: Scaling) -> None:
    """Have `loss` compare targets and forecasts as `scaling` scales them, (..., columns).

    So columns of large numbers, and outputs of them, do not outweigh others, and a learning rate
    means the same for every unit. The loss is saved as what it was.
    """
    own = type(loss)
    loss.rows = []  # the numbers of the batch's rows, while it is computed

    def call(self: Any, y_true: Any, y_pred: Any) -> Tensor:
        numbers = self.rows[0] if self.rows else None
        # Behind several columns, quantiles have an axis of their own.
        has_quantiles = len(scaling.columns) > 1 and getattr(self, "quantiles", None) is not None
        if has_quantiles:
            y_pred = ops.swapaxes(y_pred, -1, -2)
        true, forecast = (scaled(each, scaling, self.dtype, numbers) for each in (y_true, y_pred))
        return own.call(self, true, ops.swapaxes(forecast, -1, -2) if has_quantiles else forecast)

    loss.__class__ = type(own.__name__, (own,), {"call": call, "__module__": own.__module__})


def scaled(values: Any, scaling: Scaling, dtype: str, numbers: Tensor | None = None) -> Tensor:
    """Return values in the units of the table, (..., columns), as the model sees them.

    `numbers` are the center and the spread of each row, (batch, 2, columns), where they differ.
    """
    values = ops.cast(ops.convert_to_tensor(values), dtype)
    values = _with_logarithms(values, scaling, LOWEST)
    if numbers is not None:
        return row_numbers.by_row(values, numbers, invert=False)
    center, spread = (_of_columns(each, dtype) for each in (scaling.centers, scaling.spreads))
    return (values - center) / spread
