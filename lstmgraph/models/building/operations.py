"""The graph's own operations in ``keras.ops``, so that a saved model loads without this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import layers, ops

from lstmgraph.compiler.graph import (
    ADD_SEASON,
    BY_ROW,
    BY_SERIES,
    BY_WINDOW,
    CHANGE,
    CLIP,
    CONSTANT_STATE,
    FOLD,
    FULL,
    INTERVALS,
    JOIN,
    LOG,
    OUTPUT,
    PARAMETERS,
    QUANTILES,
    REPEAT,
    ROW_IDS,
    STACK,
    UNFOLD,
)
from lstmgraph.keras_facts.distributions import ANY_NUMBER, LOWEST
from lstmgraph.keras_facts.distributions import PARAMETERS as DISTRIBUTIONS
from lstmgraph.keras_facts.dtypes import full_dtype, is_float
from lstmgraph.models.building import row_numbers
from lstmgraph.models.building.folds import fold, unfold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstmgraph.compiler.graph import Node

Tensor = Any

LIMITS = ("low", "high")


def join(inputs: list[Tensor]) -> Tensor:
    """Return the inputs concatenated along features, (batch, time, sum of features), unmasked.

    Inputs of shape (batch, features) are repeated along time.
    """
    sequence = next(tensor for tensor in inputs if len(tensor.shape) == 3)
    return ops.concatenate(
        [x if len(x.shape) == 3 else _repeated(x, sequence) for x in inputs], axis=-1
    )


def _repeated(static: Tensor, sequence: Tensor) -> Tensor:
    """Repeat (batch, features) to (batch, time, features), whose time may be unknown."""
    # Adding zeros would not repeat: Keras takes (1, 3, 1) plus (1, 1, 3) for a bias.
    steps = ops.ones_like(sequence[:, :, :1], dtype=static.dtype)
    return ops.multiply(ops.expand_dims(static, 1), steps)


def batch_major(sequence: Tensor) -> Tensor:
    """Return a time-major sequence as batch-major: (time, batch, ...) -> (batch, time, ...)."""
    return ops.swapaxes(sequence, 0, 1)


def constant_state(
    sequence: Tensor, units: int, value: float | tuple[float, ...], dtype: str
) -> Tensor:
    """Return a state (batch, units) with `value` in every row.

    Args:
        sequence: any tensor with the rows of the batch, (batch, time, features) or (batch,).
        units: the size of the state.
        value: one number for all units, or one for each.
        dtype: the dtype of the state, whatever that of `sequence`.
    """
    if len(sequence.shape) == 1:
        sequence = sequence[:, None, None]
    zeros = ops.repeat(ops.zeros_like(sequence[:, 0, :1], dtype=dtype), units, axis=-1)
    return ops.add(zeros, np.array(value, dtype) if isinstance(value, tuple) else value)


def row_ids(sequence: Tensor) -> Tensor:
    """Return zeros (batch,): for each row, the id of the only row of an embedding."""
    first = sequence if len(sequence.shape) == 1 else sequence[:, 0, 0]
    return ops.zeros_like(first, dtype="int32")


def zeros_like_state(state: Tensor, units: int) -> Tensor:
    """Return zeros (batch, units), for a state that has no source beside the given `state`."""
    if state.shape[-1] != units:  # the cells of a layer may have different sizes
        state = ops.repeat(state[:, :1], units, axis=-1)
    return ops.zeros_like(state)


def steps_of(sequence: Tensor, steps: int) -> list[Tensor]:
    """Return the steps of a sequence (batch, steps, ...), each (batch, 1, ...).

    The gradient of one split is one concatenation; that of `steps` slices is as many whole tensors.
    What has no gradient is sliced, as LiteRT splits neither ids of every dtype nor masks.
    """
    if not is_float(sequence.dtype):
        return [sequence[:, step : step + 1] for step in range(steps)]
    return [*ops.split(sequence, steps, axis=1)] if steps > 1 else [sequence]


def stacked(results: list[Tensor]) -> Tensor:
    """Return the results of the steps of a loop after each other along time, (batch, steps, ...).

    Sequences of one step, (batch, 1, ...), are concatenated; other tensors, (batch, ...), stacked.
    """
    shape = results[0].shape
    if len(shape) > 2 and shape[1] == 1:
        return ops.concatenate(results, axis=1)
    return ops.stack(results, axis=1)


def full(tensor: Tensor, shape: tuple[int, ...], value: float, dtype: str) -> Tensor:
    """Return a tensor (batch, *shape) of `value`, which has the rows of `tensor` alone.

    `tensor` may be of any shape, (batch, ...), also without any features.
    """
    rows = ops.ones_like(tensor, dtype="bool")
    if len(tensor.shape) > 1:
        rows = ops.all(rows, axis=tuple(range(1, len(tensor.shape))))
    ones = ops.expand_dims(ops.cast(rows, dtype), tuple(range(1, 1 + len(shape))))
    return ops.multiply(ones, np.full((1, *shape), value, dtype))


def masked_copy(tensor: Tensor, name: str, dtype_policy: str) -> Tensor:
    """Return a copy of `tensor` with its mask, which ``ops.copy`` would drop."""
    return layers.Rescaling(1.0, name=name, dtype=dtype_policy)(tensor)


def repeated_along(static: Tensor, sized: Tensor, axis: int) -> Tensor:
    """Repeat (batch, features) to (batch, steps, features), as many steps as `sized` has on `axis`.

    No number of `sized` is read, so that NaN in it stays there.
    """
    places = (slice(None), *(0 if each != axis else slice(None) for each in _axes(sized)))
    steps = ops.ones_like(sized[places][..., None], dtype=static.dtype)
    return ops.multiply(ops.expand_dims(static, 1), steps)


def _axes(tensor: Tensor) -> range:
    return range(1, len(tensor.shape))


def _repeat(node: Node, inputs: list[Tensor]) -> Tensor:
    static, sized = inputs
    if static.dtype != node.outputs[OUTPUT].dtype:
        static = ops.cast(static, node.outputs[OUTPUT].dtype)
    return repeated_along(static, sized, node.arguments["axis"])


def _constant(node: Node, inputs: list[Tensor]) -> Tensor:
    arguments, dtype = node.arguments, full_dtype(node.dtype_policy)
    return constant_state(inputs[0], arguments["units"], arguments["value"], dtype)


def _full(node: Node, inputs: list[Tensor]) -> Tensor:
    dtype = node.outputs[OUTPUT].dtype
    return full(inputs[0], tuple(node.arguments["shape"]), node.arguments["value"], dtype)


def _with_season(node: Node, inputs: list[Tensor]) -> Tensor:
    forecast, history, *lengths = inputs
    own = node.arguments
    dtype = node.outputs[OUTPUT].dtype
    values = season(history, lengths, own["columns"], own["period"], own["horizon"])
    forecast, values = ops.cast(forecast, dtype), ops.cast(values, dtype)
    count = own["parameters"]
    if count:
        values = ops.multiply(values, np.eye(1, count, dtype=dtype))  # (batch, horizon, parameters)
    elif len(forecast.shape) == 2:  # (batch, horizon) of one column
        return ops.add(forecast, values[:, :, 0])
    if len(forecast.shape) == 4:  # (batch, horizon, columns, quantiles)
        values = ops.expand_dims(values, -1)
    return ops.add(forecast, values)


def _clipped(node: Node, inputs: list[Tensor]) -> Tensor:
    """Return numbers moved onto the limits of their columns; one column may be without an axis."""
    own, dtype = node.arguments, inputs[0].dtype
    low, high = (np.array(own[key][0] if len(own[key]) == 1 else own[key], dtype) for key in LIMITS)
    return ops.minimum(ops.maximum(inputs[0], low), high)


def _changed(node: Node, inputs: list[Tensor]) -> Tensor:
    values = ops.cast(inputs[0], node.outputs[OUTPUT].dtype)
    return row_numbers.change(values, node.arguments["steps"])


def _numbers_of_series(node: Node, inputs: list[Tensor]) -> Tensor:
    return row_numbers.of_series(inputs[0], node.arguments["table"], node.outputs[OUTPUT].dtype)


def _numbers_of_window(node: Node, inputs: list[Tensor]) -> Tensor:
    history, *lengths = inputs
    return row_numbers.of_window(history, lengths, node.arguments, node.outputs[OUTPUT].dtype)


def _by_row(node: Node, inputs: list[Tensor]) -> Tensor:
    numbers, own, dtype = inputs[1], node.arguments, node.outputs[OUTPUT].dtype
    return row_numbers.by_row(
        ops.cast(inputs[0], dtype),
        numbers,
        invert=own["invert"],
        moves=own["moves"],
        behind=own["behind"],
    )


def quantiles(numbers: Tensor) -> Tensor:
    """Return numbers in order, (..., quantiles), which never cross whatever the weights are.

    What is added to all numbers before, such as the level of a series, is added to all quantiles.
    Source: Chernozhukov, Fernández-Val and Galichon, Quantile and Probability Curves Without
    Crossing, Econometrica 78, 2010: put in order, estimates are nearer to the true quantiles.
    """
    return ops.sort(numbers, axis=-1)


def _with_offsets(node: Node, inputs: list[Tensor]) -> Tensor:
    """Return quantiles with their offsets, in order; a history says how much a season changes."""
    numbers, own = inputs[0], node.arguments
    offsets = np.array(own["offsets"], node.outputs[OUTPUT].dtype)
    if len(offsets) > 1:
        offsets = offsets.reshape(numbers.shape[1:])
    if own["season"]:
        change = seasonal_change(inputs[1], own["columns"], own["season"])
        change = ops.maximum(ops.cast(change, numbers.dtype), own["smallest"])
        several = (len(own["columns"]),) if len(own["columns"]) > 1 else ()
        shape = (-1, *[1] * (len(numbers.shape) - 2 - len(several)), *several, 1)
        offsets = ops.multiply(ops.reshape(change, shape), offsets)
    return ops.sort(ops.add(numbers, offsets), axis=-1)


def seasonal_change(history: Tensor, columns: Sequence[int], season: int) -> Tensor:
    """Return the mean absolute change of some columns in a season, (batch, columns).

    That of a history, (batch, time, columns), is the scale of Hyndman and Koehler's MASE.
    """
    if len(history.shape) == 2:  # one column, whose axis the recipe leaves out
        history = ops.expand_dims(history, -1)
    history = ops.take(history, np.array(columns), axis=2)
    changes = ops.subtract(history[:, season:], history[:, :-season])
    return ops.mean(ops.absolute(changes), axis=1)


def parameters(numbers: Tensor, distribution: str) -> Tensor:
    """Return parameters of a distribution, (..., parameters): softplus where they are positive."""
    kinds = DISTRIBUTIONS[distribution].values()
    found = [
        numbers[..., at : at + 1] if kind == ANY_NUMBER else ops.softplus(numbers[..., at : at + 1])
        for at, kind in enumerate(kinds)
    ]
    lowest = np.array([LOWEST[kind] for kind in kinds], "float32")
    return ops.add(ops.concatenate(found, axis=-1), ops.cast(lowest, numbers.dtype))


def season(
    history: Tensor, lengths: list[Tensor], columns: Sequence[int], period: int, horizon: int
) -> Tensor:
    """Return the last `period` steps of some columns, over and over: (batch, horizon, columns).

    Args:
        history: (batch, time, columns), padded on the right where there are lengths.
        lengths: the steps of each row that count, (batch,); empty if all do.
        columns: which columns are returned.
        period: the number of steps; every row has at least as many.
        horizon: the number of steps to return.
    """
    if len(history.shape) == 2:  # one column, whose axis the recipe leaves out
        history = ops.expand_dims(history, -1)
    history = ops.take(history, np.array(columns), axis=2)
    places = np.arange(horizon) % period
    if not lengths:
        return ops.take(history[:, -period:], places, axis=1)
    # Zeros of the history have its rows and columns.
    zeros = ops.zeros_like(history[:, :1], dtype="int32")
    ends = ops.expand_dims(ops.cast(lengths[0], "int32"), (1, 2))
    rows = ops.add(ops.add(ends, zeros), (places - period).reshape(1, -1, 1).astype("int32"))
    return ops.take_along_axis(history, rows, axis=1)


OPERATIONS: Mapping[str, Callable[[Node, list[Tensor]], Tensor]] = {
    JOIN: lambda _node, inputs: join(inputs),
    CONSTANT_STATE: _constant,
    REPEAT: _repeat,
    ROW_IDS: lambda _node, inputs: row_ids(inputs[0]),
    STACK: lambda _node, inputs: stacked(inputs),
    FULL: _full,
    CLIP: _clipped,
    LOG: lambda _node, inputs: ops.log1p(inputs[0]),
    CHANGE: _changed,
    BY_SERIES: _numbers_of_series,
    BY_WINDOW: _numbers_of_window,
    BY_ROW: _by_row,
    ADD_SEASON: _with_season,
    QUANTILES: lambda _node, inputs: quantiles(inputs[0]),
    INTERVALS: _with_offsets,
    PARAMETERS: lambda node, inputs: parameters(inputs[0], node.arguments["distribution"]),
    FOLD: lambda node, inputs: fold(inputs[0], node.arguments["axes"]),
    UNFOLD: lambda node, inputs: unfold(inputs[0], inputs[1], node.arguments["axes"]),
}
"""The graph's own operations."""
