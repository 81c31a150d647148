"""Losses and metrics of sequences, computed over the steps that the mask counts.

Keras 3.15.1 (``keras/src/losses/loss.py``, ``keras/src/metrics``) applies the mask of an output as
a weight for each step. That holds where a loss or a metric is a mean of one number per step. What
it leaves out is done here, on Keras's own objects, which are saved as such:

- AUC, precision, recall, true and false positives and negatives, ``*_at_*``, IoU and RMSE count
  padded steps; F1, F-beta and R2 refuse sequences;
- Dice and Tversky count padded steps; CTC takes the mask for one of rows;
- NaN or infinity in a padded target makes a loss NaN, as it is multiplied by 0;
- weights of rows are taken for weights of steps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from lstmgraph.models.building.masks import one_feature, over_features

if TYPE_CHECKING:
    from collections.abc import Callable

Tensor = Any

METRICS_OF_ROWS = (keras.metrics.FBetaScore, keras.metrics.R2Score)
"""Metrics that take (rows, units) alone; an ``F1Score`` is an ``FBetaScore``."""
LOSSES_OF_SEQUENCES = (keras.losses.CTC, keras.losses.Dice, keras.losses.Tversky)
"""Losses that are not one number per step."""
SURELY_NOT = -1e9
"""The logit of a class that is never chosen."""


def count_steps(compiled: object) -> None:
    """Have losses and metrics, nested as ``compile`` takes them, leave out uncounted steps.

    Those given by name are left alone: of metrics that is ``accuracy``, which Keras chooses by the
    shape of the targets, and which averages one number per step.
    """
    if isinstance(compiled, dict):
        compiled = list(compiled.values())
    if isinstance(compiled, list | tuple):
        for each in compiled:
            count_steps(each)
    elif isinstance(compiled, keras.metrics.Metric):
        compiled.update_state = _update_by_steps(compiled, compiled.update_state)
    elif isinstance(compiled, keras.losses.Loss):
        compiled.__class__ = _counting(type(compiled))


class _MaskReader(keras.Layer):  # type: ignore[misc]
    """Returns the mask of a tensor, which Keras gives to layers alone."""

    def __init__(self) -> None:
        super().__init__(name="mask_reader", autocast=False)
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return `inputs` and the mask that they carry; None where there is none."""
        return inputs, mask


def mask_of(tensor: Tensor) -> Tensor | None:
    """Return the mask that `tensor`, (batch, time, ...), carries, of shape (batch, time)."""
    mask = _MaskReader()(tensor)[1]
    return mask if mask is not None and len(mask.shape) == 2 <= len(tensor.shape) else None


def _update_by_steps(metric: keras.metrics.Metric, update: Callable[..., Any]) -> Any:
    """Return an `update_state` that takes every step as a row, weighted 0 where it is not counted.

    Predictions are of shape (batch, time, ...), targets of the same or of (batch, time), weights of
    (batch,) or (batch, time).
    """

    def update_state(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        mask = mask_of(y_pred)
        is_weighed = sample_weight is not None or isinstance(metric, METRICS_OF_ROWS)
        if mask is None and not (is_weighed and len(y_pred.shape) > 2):
            if sample_weight is not None and getattr(metric, "sparse_y_pred", False):
                sample_weight = ops.repeat(sample_weight, math.prod(y_pred.shape[1:]))
            return update(y_true, y_pred, sample_weight=sample_weight)
        counted = ops.ones_like(one_feature(y_pred)) if mask is None else mask
        weight = ops.cast(counted, metric.dtype)
        if sample_weight is not None:
            weight *= _of_steps(ops.cast(sample_weight, metric.dtype))
        weight = ops.reshape(weight, (-1,))
        if getattr(metric, "sparse_y_pred", False):  # IoU counts every number by itself
            weight = ops.repeat(weight, math.prod(y_pred.shape[2:]))
        y_true = ops.convert_to_tensor(y_true)
        if mask is not None:  # a weight of 0 times NaN would be NaN
            y_true = _filled(y_true, mask, _harmless(y_true))
            y_pred = _filled(y_pred, mask, _harmless(y_pred))
        return update(_rows(y_true), _rows(y_pred), sample_weight=weight)

    return update_state


def _of_steps(weight: Tensor) -> Tensor:
    """Return weights of rows, (batch,), as those of all their steps, (batch, 1)."""
    return weight[:, None] if len(weight.shape) == 1 else weight


def _harmless(values: Tensor) -> Tensor:
    """Return what makes every metric of a step finite: chances that all differ; of ids, 0."""
    units = values.shape[-1] if len(values.shape) > 2 else 0
    return ops.arange(1, units + 1, dtype="float32") * 2 / (units * (units + 1)) if units else 0


def _rows(values: Tensor) -> Tensor:
    """Return the steps of `values`, (batch, time, ...), as rows, (batch * time, ...)."""
    return ops.reshape(values, (-1, *values.shape[2:]))


def _filled(values: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Return `values`, (batch, time, ...), with `value` in the steps where `mask` is False."""
    counted = over_features(mask, len(values.shape))
    return ops.where(counted, values, ops.cast(value, values.dtype))


def _counting(loss: type[keras.losses.Loss]) -> type[keras.losses.Loss]:
    """Return `loss` for masked sequences: a class that is saved, and loaded, as `loss`."""

    def __call__(  # noqa: N807 - of a class
        self: Any, y_true: Any, y_pred: Tensor, sample_weight: Any = None
    ) -> Tensor:
        mask = mask_of(y_pred)
        if issubclass(loss, keras.losses.CTC):
            if mask is not None:
                # Steps that are surely blank add nothing to the loss of a row that ends before.
                blank = ops.where(ops.arange(y_pred.shape[-1]) == 0, 0.0, SURELY_NOT)
                y_pred = _filled(y_pred, mask, blank)
            return loss.__call__(self, y_true, y_pred, sample_weight)
        if mask is not None:
            y_true = _filled(ops.convert_to_tensor(y_true), mask, 0)
        if issubclass(loss, LOSSES_OF_SEQUENCES):
            y_pred = y_pred if mask is None else _filled(y_pred, mask, 0)
        elif sample_weight is not None and len(y_pred.shape) > 2:
            sample_weight = _of_steps(ops.convert_to_tensor(sample_weight))
        return loss.__call__(self, y_true, y_pred, sample_weight)

    return type(loss.__name__, (loss,), {"__call__": __call__, "__module__": "keras.losses"})
