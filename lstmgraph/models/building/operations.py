"""The graph's own operations, in ``keras.ops``: the saved model loads without this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import layers, ops

from lstmgraph.compiler.graph import CONSTANT_STATE, JOIN, ROW_IDS
from lstmgraph.keras_facts.dtypes import full_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.compiler.graph import Node

Tensor = Any


def join(inputs: list[Tensor]) -> Tensor:
    """Concatenate on features; tensors of shape (batch, features) are repeated along time.

    Returns a tensor of shape (batch, time, sum of features), without a mask.
    """
    sequence = next(tensor for tensor in inputs if len(tensor.shape) == 3)
    return ops.concatenate(
        [x if len(x.shape) == 3 else _repeated(x, sequence) for x in inputs], axis=-1
    )


def _repeated(static: Tensor, sequence: Tensor) -> Tensor:
    """Repeat (batch, features) along a time that may be unknown: (batch, time, features)."""
    # Not `add` of zeros: Keras takes (1, 3, 1) added to (1, 1, 3) for a bias, and repeats nothing.
    steps = ops.ones_like(sequence[:, :, :1], dtype=static.dtype)
    return ops.multiply(ops.expand_dims(static, 1), steps)


def batch_major(sequence: Tensor) -> Tensor:
    """Transpose (time, batch, ...) to (batch, time, ...)."""
    return ops.swapaxes(sequence, 0, 1)


def constant_state(
    sequence: Tensor, units: int, value: float | tuple[float, ...], dtype: str
) -> Tensor:
    """(batch, units) of the same numbers in every row: zeros like the batch, and the numbers.

    In `dtype`, whatever the sequence's is: the numbers are the recipe's. In place of a sequence, a
    number a row does.
    """
    if len(sequence.shape) == 1:
        sequence = sequence[:, None, None]
    zeros = ops.repeat(ops.zeros_like(sequence[:, 0, :1], dtype=dtype), units, axis=-1)
    return ops.add(zeros, np.array(value, dtype) if isinstance(value, tuple) else value)


def row_ids(sequence: Tensor) -> Tensor:
    """Return zeros (batch,): for each row, the id of an embedding's only row."""
    first = sequence if len(sequence.shape) == 1 else sequence[:, 0, 0]
    return ops.zeros_like(first, dtype="int32")


def zeros_like_state(state: Tensor, units: int) -> Tensor:
    """Return zeros (batch, units) for a state with no source, beside the given `state`."""
    if state.shape[-1] != units:  # of cells of different sizes in one layer
        state = ops.repeat(state[:, :1], units, axis=-1)
    return ops.zeros_like(state)


def masked_copy(tensor: Tensor, name: str, dtype_policy: str) -> Tensor:
    """Return a copy of `tensor` that carries its mask, as ``ops.copy`` does not."""
    return layers.Rescaling(1.0, name=name, dtype=dtype_policy)(tensor)


def _constant(node: Node, inputs: list[Tensor]) -> Tensor:
    arguments, dtype = node.arguments, full_dtype(node.dtype_policy)
    return constant_state(inputs[0], arguments["units"], arguments["value"], dtype)


OPERATIONS: Mapping[str, Callable[[Node, list[Tensor]], Tensor]] = {
    JOIN: lambda _node, inputs: join(inputs),
    CONSTANT_STATE: _constant,
    ROW_IDS: lambda _node, inputs: row_ids(inputs[0]),
}
"""The graph's own operations."""
