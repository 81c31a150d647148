"""Dropout that has the same numbers with XLA and without it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lstmgraph.models.kernels.random_numbers import of_generator, uniform

Tensor = Any


def dropout_mask(of: Tensor, rate: float, seed: Tensor) -> Tensor:
    """Return what Keras's dropout makes of ones.

    Args:
        of: a tensor of the shape and dtype of the mask.
        rate: the share of zeros.
        seed: what Keras's seed generator gives for this call.
    """
    return dropped(tf.ones_like(of), rate, seed)


def dropped(inputs: Tensor, rate: float, seed: Tensor, shape: Any = None) -> Tensor:
    """Return what Keras's dropout makes of `inputs`.

    Args:
        inputs: a tensor of floats.
        rate: the share of zeros, less than 1.
        seed: what Keras's seed generator gives for this call.
        shape: the shape of the random numbers, which broadcasts to that of `inputs`; by default
            the same.
    """
    shape = tf.shape(inputs) if shape is None else shape
    keeps = uniform(shape, of_generator(seed), inputs.dtype) >= tf.constant(rate, inputs.dtype)
    return tf.where(keeps, inputs * tf.constant(1 / (1 - rate), inputs.dtype), 0)
