"""Activations whose derivative follows from their output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Tensor = Any

SLOPES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y * (1 - y),
    "hard_sigmoid": lambda y: tf.where((y > 0) & (y < 1), tf.constant(1 / 6, y.dtype), 0),
    "relu": lambda y: tf.cast(y > 0, y.dtype),
    "linear": tf.ones_like,
}
"""The derivative at the input, from the output, by Keras's name of the activation."""


def is_known(activation: Any) -> bool:
    """Return whether `activation` is one of Keras's that are in `SLOPES`."""
    return any(activation is keras.activations.get(name) for name in SLOPES)
