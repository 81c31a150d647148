"""The graph's own operations, in ``keras.ops``: the saved model loads without this package."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

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
    """(batch, features) -> (batch, time, features). RepeatVector cannot: time may be unknown."""
    # Not `add` of zeros: Keras takes (1, 3, 1) added to (1, 1, 3) for a bias, and repeats nothing.
    steps = ops.ones_like(sequence[:, :, :1], dtype=static.dtype)
    return ops.multiply(ops.expand_dims(static, 1), steps)


def zeros_like_state(state: Tensor) -> Tensor:
    """Zeros for the state (batch, units) that the recipe leaves at zero beside a given one."""
    return ops.zeros_like(state)


def masked_copy(tensor: Tensor, name: str, dtype_policy: str) -> Tensor:
    """A new tensor of the same values that carries the same mask; ``ops.copy`` carries none."""
    return layers.Rescaling(1.0, name=name, dtype=dtype_policy)(tensor)
