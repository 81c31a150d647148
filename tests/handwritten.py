"""Recipes beside the same model written by hand: what a case is, and what the cases share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from building import Arrays
from keras import ops

Tensors = dict[str, keras.KerasTensor]
ByHand = Callable[[Tensors], Tensors]
InNumpy = Callable[[dict[str, list[np.ndarray]], Arrays], Arrays]

SLOTS = ("forward_h", "forward_c", "backward_h", "backward_c")


class Case(NamedTuple):
    """A recipe, the function that makes its outputs by hand, and one that computes them."""

    recipe: str
    by_hand: ByHand
    in_numpy: InNumpy | None = None


def first_steps(lengths: keras.KerasTensor) -> keras.KerasTensor:
    return ops.less(ops.arange(6)[None], lengths[:, None])


def unpadded(x: keras.KerasTensor) -> keras.KerasTensor:
    return ops.any(ops.not_equal(x, 0.0), axis=-1)


def average(x: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """Of the steps that count, (batch, features); 0 where none does: Keras's layer gives 0/0."""
    total = ops.sum(ops.where(mask[..., None], x, 0), axis=1)
    return total / ops.maximum(ops.sum(ops.cast(mask, x.dtype), axis=1, keepdims=True), 1)


def repeated(static: keras.KerasTensor, steps: int) -> keras.KerasTensor:
    return ops.repeat(static[:, None], steps, axis=1)
