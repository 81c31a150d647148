"""A loop over time steps whose gradient is not TensorFlow's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Tensor = Any


def scan(
    step: Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], list[Tensor]]],
    carried: Sequence[Tensor],
    read: Sequence[Tensor],
    kept: Sequence[int],
    *,
    backwards: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """Run `step` over the first axis of the tensors in `read`.

    Args:
        step: takes what is carried and the slices of a step; returns what is carried on, and
            what is kept of the step.
        carried: the tensors before the first step, each (batch, width).
        read: the tensors to read, each (time, batch, width). What `step` keeps first takes the
            place of the first of them, of the same width, so that it needs no memory of its own.
        kept: the widths of the other tensors that `step` keeps.
        backwards: run from the last step to the first.

    Returns:
        What is carried after the last step, and what was kept, each (time, batch, width), in the
        order of time.
    """
    steps = read[0].shape[0] or tf.shape(read[0])[0]
    arrays = [
        tf.TensorArray(
            each.dtype, steps, element_shape=each.shape[1:], clear_after_read=False
        ).unstack(each)
        for each in read
    ]
    made = [arrays[0]]
    for width in kept:
        shape = (carried[0].shape[0], width)
        made.append(tf.TensorArray(carried[0].dtype, steps, element_shape=shape))

    def body(count: Tensor, carried: list[Tensor], made: list[Tensor]) -> Any:
        time = steps - 1 - count if backwards else count
        slices = [array.read(time) for array in (made[0], *arrays[1:])]
        carried, values = step(carried, slices)
        made = [array.write(time, value) for array, value in zip(made, values, strict=True)]
        return count + 1, carried, made

    # XLA runs a loop faster if it knows how often, which it finds out from such a condition alone.
    # On a CPU it runs a body of at most eight operations in order; of a larger one, it queues them.
    _, last, made = tf.while_loop(lambda count, *_: count < steps, body, (0, list(carried), made))
    return last, [array.stack() for array in made]


def before(initial: Tensor, states: Tensor) -> Tensor:
    """Return the state before each step, from the initial one and those after each step."""
    return tf.concat([initial[None], states[:-1]], axis=0)


def after(states: Tensor, final: Tensor) -> Tensor:
    """Return the state after each later step: those of all steps but the first, and `final`."""
    return tf.concat([states[1:], final[None]], axis=0)


def late(tensors: Sequence[Tensor], gradient: Tensor) -> list[Tensor]:
    """Return `tensors`, from which XLA computes nothing before `gradient` is there.

    Else it would compute the factors of a gradient right after a loop, and keep them while other
    layers run. An optimization barrier changes nothing of that, so zero is added to them, of which
    XLA does not know that it is zero.
    """
    above = tf.reduce_any(gradient > tf.constant(math.inf, gradient.dtype))
    return [tensor + tf.cast(above, tensor.dtype) for tensor in tensors]
