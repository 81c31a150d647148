"""Losses and metrics of sequences, computed over the steps that the mask counts.

Keras 3.15.1 (``keras/src/losses/loss.py``, ``keras/src/metrics``) applies the mask of an output as
a weight for each step. That holds where a loss or a metric is a mean of one number per step. What
it leaves out is done here, on Keras's own objects, which are saved as such:

- AUC, precision, recall, true and false positives and negatives, ``*_at_*``, IoU and RMSE count
  padded steps; F1, F-beta, R2 and AUC of several labels refuse sequences;
- Dice and Tversky count padded steps; CTC takes the mask for one of rows;
- NaN or infinity in a padded target or weight makes a loss NaN, as it is multiplied by 0; so does
  a padded step of a distribution, whose deviation is 0;
- weights of rows are taken for weights of steps.

TensorFlow's ``in_top_k`` refuses float64, without a mask too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from lstmgraph.keras_facts.targets import BATCH, LOSSES, ROW, STEP, VALUES, span
from lstmgraph.models.building.masks import over_features

if TYPE_CHECKING:
    from collections.abc import Callable

Tensor = Any

TOP_K = (keras.metrics.TopKCategoricalAccuracy, keras.metrics.SparseTopKCategoricalAccuracy)
HINGES = (keras.metrics.Hinge, keras.metrics.SquaredHinge)
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


def weigh_batches(model: keras.Model) -> None:
    """Have compiled `model` average the loss of each output over rows, as it does their sum.

    Keras weighs the batches by ``shape[0]`` of the output, which in a graph is None: a last batch
    of one row counts as much as any (``CompileLoss`` of ``keras/src/trainers/compile_utils.py``).
    """
    losses = model._compile_loss
    if losses is None:
        return
    call, build = losses.call, losses.build
    rows: list[Tensor] = []

    def called(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        rows[:] = [ops.shape(keras.tree.flatten(y_pred)[0])[0]]
        return call(y_true, y_pred, sample_weight)

    def built(y_true: Any, y_pred: Any) -> None:
        build(y_true, y_pred)
        for metric in losses.metrics:
            metric.update_state = weighed(metric.update_state)

    def weighed(update: Callable[..., Any]) -> Callable[..., Any]:
        return lambda value, sample_weight=None: update(value, sample_weight=rows[0])  # noqa: ARG005

    losses.call, losses.build = called, built


class _MaskReader(keras.Layer):  # type: ignore[misc]
    """Returns the mask of a tensor, which Keras gives to layers alone."""

    def __init__(self) -> None:
        super().__init__(name="mask_reader", autocast=False)
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return `inputs` and the mask that they carry; None where there is none."""
        return inputs, mask


def mask_of(tensor: Tensor) -> Tensor | None:
    """Return the mask that `tensor` carries: (batch, time), or (batch, segments, time)."""
    mask = _MaskReader()(tensor)[1]
    if mask is None or len(mask.shape) < 2:
        return None
    most = max(2, len(tensor.shape) - 1)
    return mask if len(mask.shape) <= most and len(tensor.shape) > 1 else None


def _update_by_steps(metric: keras.metrics.Metric, update: Callable[..., Any]) -> Any:
    """Return an `update_state` that takes every step as a row, weighed 0 where it is not counted.

    Predictions are of shape (batch, time, ...), targets of the same or of (batch, time), weights of
    (batch,) or (batch, time).
    """

    def update_state(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if isinstance(metric, TOP_K):
            y_pred = ops.cast(y_pred, "float32")
        mask = mask_of(y_pred)
        if len(y_pred.shape) > 2:
            y_true, y_pred, sample_weight = by_steps(y_true, y_pred, sample_weight, mask)
        if sample_weight is not None and getattr(metric, "sparse_y_pred", False):
            # IoU counts every number by itself.
            sample_weight = ops.repeat(sample_weight, math.prod(y_pred.shape[1:]))
        return update(y_true, y_pred, sample_weight=sample_weight)

    def by_steps(y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> tuple[Any, Any, Any]:
        weight = ops.ones_like(y_pred[..., 0], dtype=metric.dtype)
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, metric.dtype)
            weight *= over_features(sample_weight, len(y_pred.shape) - 1)
        y_true = ops.convert_to_tensor(y_true)
        if mask is not None:  # a weight of 0 times NaN would be NaN
            weight = _filled(weight, mask, 0)
            # Keras takes labels for 0 and 1 only if all of them are.
            y_true = _filled(y_true, mask, 1 if isinstance(metric, HINGES) else _harmless(y_true))
            y_pred = _filled(y_pred, mask, _harmless(y_pred))
        y_true = ops.reshape(y_true, (-1, *y_true.shape[len(y_pred.shape) - 1 :]))
        return y_true, ops.reshape(y_pred, (-1, y_pred.shape[-1])), ops.reshape(weight, (-1,))

    return update_state


def _harmless(values: Tensor) -> Tensor:
    """Return what makes every metric of a step finite: chances that all differ; of ids, 0."""
    units = values.shape[-1] if len(values.shape) > 2 else 0
    return ops.arange(1, units + 1, dtype="float32") * 2 / (units * (units + 1)) if units else 0


def _filled(values: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Return `values`, (batch, time, ...), with `value` in the steps where `mask` is False."""
    counted = over_features(mask, len(values.shape))
    return ops.where(counted, values, ops.cast(value, values.dtype))


def _counting(loss: type[keras.losses.Loss]) -> type[keras.losses.Loss]:
    """Return `loss` for masked sequences: a class that is saved, and loaded, as `loss`."""

    def __call__(  # noqa: N807 - of a class
        self: Any, y_true: Any, y_pred: Tensor, sample_weight: Any = None
    ) -> Tensor:
        mask, rank = mask_of(y_pred), len(y_pred.shape)
        part = span(loss.__name__, getattr(self, "axis", None), rank)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
            if part == BATCH or (part == ROW and len(sample_weight.shape) > 1):
                raise ValueError(_no_weights(loss.__name__, part))
            if part == STEP and rank > 2:
                steps = ops.ones_like(y_pred[..., 0], dtype=self.dtype)
                sample_weight = steps * over_features(sample_weight, rank - 1)
        if mask is not None:
            y_true = ops.convert_to_tensor(y_true)
            if part in (ROW, BATCH):
                weight = sample_weight
                y_true, y_pred, sample_weight = _counted(self, mask, y_true, y_pred, weight)
            else:  # Keras applies the mask; a weight of 0 times NaN would be NaN
                y_true = _filled(y_true, mask, 0)
                if sample_weight is not None:
                    sample_weight = _filled(sample_weight, mask, 0)
                if LOSSES[loss.__name__].targets == VALUES:
                    y_pred = _MaskReader()(_filled(y_pred, mask, 1), mask=mask)[0]
        return loss.__call__(self, y_true, y_pred, sample_weight)

    return type(loss.__name__, (loss,), {"__call__": __call__, "__module__": "keras.losses"})


def _counted(
    loss: keras.losses.Loss, mask: Tensor, y_true: Tensor, y_pred: Tensor, weight: Any
) -> tuple[Tensor, Tensor, Any]:
    """Return targets, predictions and weights of rows of which `loss` reads counted steps alone."""
    rows = ops.any(mask, axis=tuple(range(1, len(mask.shape))))
    if isinstance(loss, keras.losses.CTC):
        # Steps that are surely blank add nothing to the loss of a row that ends before them.
        blank = ops.where(ops.arange(y_pred.shape[-1]) == 0, 0.0, SURELY_NOT)
        y_true = ops.where(rows[:, None], y_true, ops.zeros_like(y_true))
        y_pred = _counted_first(_filled(y_pred, mask, blank), mask)
    else:
        y_true, y_pred = _filled(y_true, mask, 0), _filled(y_pred, mask, 0)
    if span(type(loss).__name__, getattr(loss, "axis", None), len(y_pred.shape)) == ROW:
        # A row without a counted step is none.
        counted = ops.cast(rows, loss.dtype)
        if loss.reduction in ("mean", "sum_over_batch_size"):
            counted /= ops.maximum(ops.mean(counted), ops.divide(1.0, ops.size(counted)))
        weight = counted if weight is None else counted * weight
    return y_true, y_pred, weight


def _counted_first(values: Tensor, mask: Tensor) -> Tensor:
    """Return the steps of `values`, (batch, time, units), those where `mask` is True first."""
    step = ops.cumsum(ops.ones_like(mask, dtype="int32"), axis=1)
    order = ops.argsort(ops.where(mask, step, step + ops.shape(mask)[1]), axis=1)
    return ops.take_along_axis(values, order[:, :, None], axis=1)


def _no_weights(loss: str, part: str) -> str:
    if part == BATCH:
        return (
            f"{loss} is one number for the whole batch, so that rows and steps have no weights: "
            "leave the weights out, or list the axes after the batch in `axis`"
        )
    return f"{loss} is one number a row: give one weight for each row"
