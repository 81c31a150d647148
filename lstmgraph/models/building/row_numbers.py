"""Scaling by numbers that differ from row to row, in ``keras.ops``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from lstmgraph.language.declaration.row_numbers import NARROWEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tensor = Any


def change(values: Tensor, steps: Sequence[int]) -> Tensor:
    """Return each step less an earlier one, (batch, time, columns); 0 where there is none.

    Args:
        values: (batch, time, columns).
        steps: for each column how many steps earlier; 0 leaves it as it is.
    """
    found = values
    for count in sorted({*steps} - {0}):
        apart = ops.subtract(values[:, count:], values[:, :-count])
        apart = ops.concatenate([ops.zeros_like(values[:, :count]), apart], axis=1)
        own = np.array([each == count for each in steps])
        found = apart if own.all() else ops.where(own, apart, found)
    return found


def of_series(ids: Tensor, table: Sequence[Any], dtype: str) -> Tensor:
    """Return center and spread of each row, (batch, 2, columns).

    Args:
        ids: the ids of the rows' series, (batch,) or (batch, 1).
        table: centers and spreads by id, (ids, 2, columns).
        dtype: that of the numbers.
    """
    return ops.take(np.array(table, dtype), ops.reshape(ids, (-1,)), axis=0)


def of_window(
    history: Tensor, lengths: Sequence[Tensor], arguments: Mapping[str, Any], dtype: str
) -> Tensor:
    """Return center and spread of the steps of each history, (batch, 2, columns).

    The numbers are those of differences from the first step, which large values leave exact.
    A spread below 1e-6 counts as 1.

    Args:
        history: (batch, time, columns), padded on the right where there are lengths.
        lengths: the steps of each row that count, (batch,); empty if all do.
        arguments: those of the operation.
        dtype: that of the numbers.
    """
    if len(history.shape) == 2:  # one column, whose axis the recipe leaves out
        history = ops.expand_dims(history, -1)
    places = [place for place in arguments["places"] if place >= 0]
    values = ops.cast(ops.take(history, np.array(places), axis=2), dtype)
    first = values[:, :1]
    values = ops.subtract(values, first)
    counted = ops.ones_like(values[:, :, :1])
    if lengths:
        ends = ops.expand_dims(ops.cast(lengths[0], dtype), (1, 2))
        counted = ops.cast(ops.less_equal(ops.cumsum(counted, axis=1), ends), dtype)
        values = ops.where(counted > 0, values, ops.cast(0, dtype))
    count = ops.maximum(ops.sum(counted, axis=1, keepdims=True), 1)
    mean = ops.divide(ops.sum(values, axis=1, keepdims=True), count)
    square = ops.multiply(ops.square(ops.subtract(values, mean)), counted)
    deviation = ops.sqrt(ops.divide(ops.sum(square, axis=1, keepdims=True), count))
    # Steps that do not count are 0 here, as the first is, which counts.
    low, high = ops.min(values, axis=1, keepdims=True), ops.max(values, axis=1, keepdims=True)
    scales = [
        scale
        for scale, place in zip(arguments["scales"], arguments["places"], strict=True)
        if place >= 0
    ]
    is_range = np.array([scale == "min_max" for scale in scales]).reshape(1, 1, -1)
    center = ops.add(ops.where(is_range, low, mean), first)
    spread = ops.where(is_range, ops.subtract(high, low), deviation)
    spread = ops.where(ops.less(spread, NARROWEST), ops.cast(1, dtype), spread)
    found = ops.concatenate([center, spread], axis=1)
    if len(places) == len(arguments["places"]):
        return found
    found = ops.concatenate([found, ops.zeros_like(found[:, :, :1])], axis=2)
    own = iter(range(len(places)))
    order = [next(own) if place >= 0 else len(places) for place in arguments["places"]]
    fixed = np.array([[arguments["centers"], arguments["spreads"]]], dtype)
    return ops.add(ops.take(found, np.array(order), axis=2), fixed)


def by_row(
    values: Tensor,
    numbers: Tensor,
    *,
    invert: bool,
    moves: Sequence[bool | None] | None = None,
    behind: int = 0,
) -> Tensor:
    """Return values less the center of their row, divided by its spread; or the inverse.

    Args:
        values: (batch, ..., columns); one column may be without its axis.
        numbers: (batch, 2, columns).
        invert: whether values are unscaled instead.
        moves: for parameters of a distribution, (batch, ..., parameters): True for one that has the
            center and the spread, False for one that has the spread alone, None for others.
        behind: how many axes of `values` follow the one of columns.
    """
    center, spread = numbers[:, 0], numbers[:, 1]
    if moves is not None:
        dtype = numbers.dtype
        moved = np.array([[float(bool(each)) for each in moves]], dtype)
        sized = np.array([[float(each is not None) for each in moves]], dtype)
        center = ops.multiply(center, moved)
        spread = ops.add(ops.multiply(spread, sized), 1 - sized)
    shape = [-1] + [1] * (len(values.shape) - 1)
    if center.shape[-1] > 1:
        shape[-1 - behind] = center.shape[-1]
    center, spread = ops.reshape(center, shape), ops.reshape(spread, shape)
    if invert:
        return ops.add(ops.multiply(values, spread), center)
    return ops.divide(ops.subtract(values, center), spread)
