"""Losses of scaled numbers, for outputs and targets in the units of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from lstmgraph.keras_facts.targets import OF_DISTANCES
from lstmgraph.language.declaration.scaling import scalings_of

if TYPE_CHECKING:
    import keras

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


def scale_loss(loss: keras.losses.Loss, scaling: Scaling) -> None:
    """Have `loss` compare targets and forecasts as `scaling` scales them, (..., columns).

    So columns of large numbers, and outputs of them, do not outweigh others, and a learning rate
    means the same for every unit. The loss is saved as what it was.
    """
    own = type(loss)

    def call(self: Any, y_true: Any, y_pred: Any) -> Tensor:
        return own.call(
            self, scaled(y_true, scaling, self.dtype), scaled(y_pred, scaling, self.dtype)
        )

    loss.__class__ = type(own.__name__, (own,), {"call": call, "__module__": own.__module__})


def scaled(values: Any, scaling: Scaling, dtype: str) -> Tensor:
    """Return values in the units of the table, (..., columns), as the model sees them."""
    values = ops.cast(ops.convert_to_tensor(values), dtype)
    log, center, spread = (
        np.asarray(each[0] if len(each) == 1 else each)
        for each in (scaling.has_log, scaling.centers, scaling.spreads)
    )
    if log.any():
        values = ops.where(log, ops.log1p(ops.maximum(values, LOWEST)), values)
    return (values - center.astype(dtype)) / spread.astype(dtype)
