"""Batches whose mask cuDNN cannot take run in Keras's loop.

cuDNN computes rows that are padded on the right and count at least one step. Inside a graph, as in
`fit` and `predict`, Keras 3.15 only asserts that: on an H200, a batch with an empty row, a hole or
padding on the left ended in an InvalidArgumentError (``keras/src/backend/tensorflow/rnn.py``,
``_assert_valid_mask``). Outside of graphs Keras itself goes on with its loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.runtime import visible_gpus

if TYPE_CHECKING:
    from collections.abc import Callable

Loop = tuple[Any, Any, list[Any]]
"""What an inner loop returns: the last output, all outputs, the states."""


def allow_any_mask(layer: keras.Layer) -> None:
    """Let each batch of `layer` choose cuDNN or Keras's loop by its mask, where there is a GPU.

    Replaces the ``inner_loop`` of this one object, so that nothing of it is in a saved file.

    Args:
        layer: an LSTM or GRU with ``use_cudnn="auto"``, or two in a ``Bidirectional``.
    """
    if isinstance(layer, keras.layers.Bidirectional):
        allow_any_mask(layer.forward_layer)
        allow_any_mask(layer.backward_layer)
    elif keras.backend.backend() == "tensorflow" and visible_gpus():
        layer.inner_loop = _by_mask(layer.inner_loop, super(type(layer), layer).inner_loop)


def _by_mask(by_cudnn: Callable[..., Loop], by_loop: Callable[..., Loop]) -> Callable[..., Loop]:
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Loop:
        mask = mask[0] if isinstance(mask, list) else mask
        if mask is None:
            return by_cudnn(sequences, initial_state, mask, training)

        def on(loop: Callable[..., Loop]) -> Callable[[], Loop]:
            def run() -> Loop:
                last, outputs, states = loop(sequences, initial_state, mask, training)
                return last, outputs, list(states)

            return run

        chosen: Loop = tf.cond(_is_for_cudnn(mask), on(by_cudnn), on(by_loop))
        return chosen

    return inner_loop


def _is_for_cudnn(mask: Any) -> Any:
    """Return whether all rows of `mask`, ``(batch, time)``, begin with a step and end padded."""
    ops = keras.ops
    counted = ops.cast(mask, "int32")
    follows = counted[:, 1:] <= counted[:, :-1]  # no step counts after one that does not
    return ops.logical_and(ops.all(counted[:, 0] > 0), ops.all(follows))
