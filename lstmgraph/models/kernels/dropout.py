"""Dropout masks that have the same numbers with XLA and without it.

TensorFlow makes a random float from the low bits of a random integer, XLA from the high bits of the
same integer. Here the integers are made into floats as TensorFlow does
(``tensorflow/core/lib/random/random_distributions_utils.h``).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def dropout_mask(of: Tensor, rate: float, seed: Tensor) -> Tensor:
    """Return what Keras's dropout makes of ones, for a float32 or float64 tensor.

    Args:
        of: a tensor of the shape and dtype of the mask.
        rate: the share of zeros.
        seed: what Keras's seed generator gives for this call.
    """
    seed = tf.convert_to_tensor(seed)
    seed = tf.cast(seed % tf.constant(tf.int32.max - 1, seed.dtype), tf.int32)
    keeps = tf.cast(_uniform(tf.shape(of), seed, of.dtype) >= rate, of.dtype)
    return keeps * tf.constant(1 / (1 - rate), of.dtype)


def _uniform(shape: Tensor, seed: Tensor, dtype: Any) -> Tensor:
    """Return numbers of [0, 1), equal to those of ``tf.random.stateless_uniform``."""
    kind = tf.uint64 if dtype == tf.float64 else tf.uint32
    bits = tf.random.stateless_uniform(shape, seed, None, None, kind, alg="philox")
    if dtype == tf.float64:
        high = tf.bitwise.left_shift(bits & _of(0xFFFFF, kind), _of(32, kind))
        mantissa = high | tf.bitwise.right_shift(bits, _of(32, kind))
        return tf.bitcast(mantissa | _of(1023 << 52, kind), dtype) - 1
    return tf.bitcast((bits & _of(0x7FFFFF, kind)) | _of(127 << 23, kind), dtype) - 1


def _of(number: int, kind: Any) -> Tensor:
    return tf.constant(number, kind)
