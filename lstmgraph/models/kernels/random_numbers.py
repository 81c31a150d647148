"""Random numbers that XLA draws as TensorFlow does without it.

TensorFlow makes a random float from the low bits of a random integer, XLA from the high bits of the
same integer. Here the integers are made into floats as TensorFlow does
(``tensorflow/core/lib/random/random_distributions.h`` and ``random_distributions_utils.h``).
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

Tensor = Any

SMALLEST = 1e-7
"""The smallest number whose logarithm a normal number is made from."""
FRACTION_BITS = {tf.float16: 10, tf.bfloat16: 7, tf.float32: 23}
"""The bits of a number's fraction, by the dtypes that are made from one integer of 32 bits."""
BIASES = {tf.float16: 15, tf.bfloat16: 127, tf.float32: 127}
"""What is added to the exponent, so that 0 stands for numbers of [1, 2)."""


def of_generator(seed: Tensor) -> Tensor:
    """Return the seed of TensorFlow's functions, from what Keras's seed generator gives."""
    seed = tf.convert_to_tensor(seed)
    return tf.cast(seed % tf.constant(tf.int32.max - 1, seed.dtype), tf.int32)


def uniform(shape: Tensor, seed: Tensor, dtype: Any) -> Tensor:
    """Return numbers of [0, 1), equal to those of ``tf.random.stateless_uniform``."""
    dtype = tf.as_dtype(dtype)
    kind = tf.uint64 if dtype == tf.float64 else tf.uint32
    bits = tf.random.stateless_uniform(shape, seed, None, None, kind, alg="philox")
    if dtype == tf.float64:
        high = tf.bitwise.left_shift(bits & _of(0xFFFFF, kind), _of(32, kind))
        mantissa = high | tf.bitwise.right_shift(bits, _of(32, kind))
        return tf.bitcast(mantissa | _of(1023 << 52, kind), dtype) - 1
    width = FRACTION_BITS[dtype]
    number = (bits & _of((1 << width) - 1, kind)) | _of(BIASES[dtype] << width, kind)
    return tf.bitcast(number if dtype == tf.float32 else tf.cast(number, tf.uint16), dtype) - 1


def normal(shape: Tensor, seed: Tensor, dtype: Any) -> Tensor:
    """Return normal numbers, equal to those of ``tf.random.stateless_normal`` up to rounding.

    Two uniform numbers give two normal ones: Box and Muller, A Note on the Generation of Random
    Normal Deviates, Annals of Mathematical Statistics 29 (1958). Those of 16 bits are rounded from
    float32.
    """
    dtype = tf.as_dtype(dtype)
    exact = tf.float64 if dtype == tf.float64 else tf.float32
    count = tf.reduce_prod(shape)
    pairs = (count + 1) // 2
    radius, angle = tf.unstack(uniform([pairs, 2], seed, exact), axis=1)
    radius = tf.sqrt(-2 * tf.math.log(tf.maximum(radius, tf.constant(SMALLEST, exact))))
    angle = 2 * math.pi * angle
    both = tf.stack([radius * tf.sin(angle), radius * tf.cos(angle)], axis=1)
    return tf.cast(tf.reshape(tf.reshape(both, [-1])[:count], shape), dtype)


def _of(number: int, kind: Any) -> Tensor:
    return tf.constant(number, kind)
