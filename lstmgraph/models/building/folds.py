"""Folding of axes into the batch and back, in ``keras.ops``, where sizes may be unknown.

A reshape finds out one unknown size. Where there are more, the tensor is indexed by the numbers of
its rows: these are counted in tensors that have the unknown sizes.
"""

from __future__ import annotations

from math import prod
from typing import Any

from keras import layers, ops

Tensor = Any
Shape = tuple[int | None, ...]


def fold(tensor: Tensor, axes: int) -> Tensor:
    """Return `tensor` with `axes` axes folded into the batch.

    (batch, segments, steps, ...) -> (batch * segments, steps, ...) for one.
    """
    shape: Shape = tuple(tensor.shape)
    rows, rest = shape[: axes + 1], shape[axes + 1 :]
    count = None if None in rows else prod(rows)  # type: ignore[arg-type]
    if (count, *rest).count(None) < 2:
        return ops.reshape(tensor, _with_one_unknown((count, *rest)))
    # The axes up to the last unknown one are counted together, and taken by their number.
    end = axes + 2 + max(index for index, size in enumerate(rest) if size is None)
    flat = ops.reshape(tensor, (-1, *shape[end:]))
    number = ops.cumsum(ops.reshape(_ones(tensor, axes + 1), (-1,))) - 1
    for axis in range(axes + 1, end):
        sizes = ops.sum(_ones(tensor, axis + 1), axis=tuple(range(axis)))  # (size of axis,)
        places = ops.cumsum(ops.ones_like(sizes)) - 1
        size = ops.sum(ops.ones_like(sizes))
        number = ops.expand_dims(number, -1) * size + places
    return ops.take(flat, number, axis=0)


def unfold(tensor: Tensor, like: Tensor, axes: int) -> Tensor:
    """Return `tensor`, (batch * segments, ...), with the axes that `like` has before folding.

    The result is (batch, segments, ...) for one of `axes`.
    """
    shape = (*tuple(like.shape)[: axes + 1], *tuple(tensor.shape)[1:])
    if shape.count(None) < 2:
        return ops.reshape(tensor, _with_one_unknown(shape))
    ones = _ones(like, axes + 1)
    number = ops.zeros_like(ones)
    for axis in range(axes + 1):
        size = ops.sum(ops.max(ones, axis=tuple(a for a in range(axes + 1) if a != axis)))
        number = number * size + ops.cumsum(ones, axis=axis) - 1
    return ops.take(tensor, number, axis=0)


def has_open_steps(layer: Tensor, tensor: Tensor) -> bool:
    """Return whether a layer is a TimeDistributed over steps whose number Keras does not know.

    The steps are axis 1, and one more for each TimeDistributed inside. In a graph of TensorFlow,
    Keras 3.15 then computes as many steps as there are rows.
    """
    return None in tuple(tensor.shape)[1 : _depth(layer) + 1]


def call_on_steps(layer: Tensor, tensor: Tensor, mask: Tensor | None = None) -> Tensor:
    """Call a TimeDistributed on (batch, steps, ...) with any number of steps, also unknown.

    It gets the steps as rows of one step each, (batch * steps, 1, ...), so that Keras knows their
    number. The result carries no mask.

    Args:
        layer: TimeDistributed, of a layer or of another TimeDistributed.
        tensor: its input.
        mask: the mask for the layer inside, (batch, steps, inner steps, ...); one of the steps
            themselves is of no use to it.
    """
    depth = _depth(layer)
    places = tuple(range(1, depth + 1))

    def one_step(steps: Tensor) -> Tensor:
        return ops.expand_dims(fold(steps, depth), places)

    inner = mask is not None and len(mask.shape) > depth + 1
    result = layer(one_step(tensor), mask=one_step(mask) if inner else None)
    return unfold(ops.squeeze(result, places), tensor, depth)


def _depth(layer: Tensor) -> int:
    """Return how many TimeDistributed there are around the layer that is inside."""
    return 1 + _depth(layer.layer) if isinstance(layer, layers.TimeDistributed) else 0


def _ones(tensor: Tensor, rank: int) -> Tensor:
    """Return ones with the first `rank` axes of `tensor`, of int32."""
    first = tensor[(slice(None),) * rank + (0,) * (len(tensor.shape) - rank)]
    return ops.ones_like(first, dtype="int32")


def _with_one_unknown(shape: Shape) -> tuple[int, ...]:
    return tuple(-1 if size is None else size for size in shape)
