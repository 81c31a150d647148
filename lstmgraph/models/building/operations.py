"""The graph's own operations in ``keras.ops``, so that a saved model loads without this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import layers, ops

from lstmgraph.compiler.graph import CONSTANT_STATE, FOLD, JOIN, ROW_IDS, UNFOLD
from lstmgraph.keras_facts.dtypes import full_dtype
from lstmgraph.models.building.folds import fold, unfold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.compiler.graph import Node

Tensor = Any


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


def masked_copy(tensor: Tensor, name: str, dtype_policy: str) -> Tensor:
    """Return a copy of `tensor` with its mask, which ``ops.copy`` would drop."""
    return layers.Rescaling(1.0, name=name, dtype=dtype_policy)(tensor)


def _constant(node: Node, inputs: list[Tensor]) -> Tensor:
    arguments, dtype = node.arguments, full_dtype(node.dtype_policy)
    return constant_state(inputs[0], arguments["units"], arguments["value"], dtype)


OPERATIONS: Mapping[str, Callable[[Node, list[Tensor]], Tensor]] = {
    JOIN: lambda _node, inputs: join(inputs),
    CONSTANT_STATE: _constant,
    ROW_IDS: lambda _node, inputs: row_ids(inputs[0]),
    FOLD: lambda node, inputs: fold(inputs[0], node.arguments["axes"]),
    UNFOLD: lambda node, inputs: unfold(inputs[0], inputs[1], node.arguments["axes"]),
}
"""The graph's own operations."""
