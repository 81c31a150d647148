"""Examples as ``model.fit`` takes them: a ``tf.data.Dataset``, its order that of the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]


class Examples(Protocol):
    """What is read of the examples."""

    def __len__(self) -> int: ...

    def batch(self, positions: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """Inputs, targets and sample weights of the examples at `positions`."""

    @property
    def time_major(self) -> frozenset[str]:
        """Inputs that have the batch as their second axis."""


class Feed:
    """Examples in batches: ``model.fit(feed.dataset, callbacks=feed.callbacks, shuffle=False)``.

    The order of each epoch follows from its number, which Keras tells the callback: a run that is
    resumed with ``initial_epoch`` sees the batches that it would have seen uninterrupted. Without
    the callback every epoch has the order of the first.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        order: Callable[[int], Array] | None,
        drop_last: bool,
        whole: bool,
    ) -> None:
        self.epoch = 0
        self.steps = len(examples) // batch_size if drop_last else -(-len(examples) // batch_size)
        """Batches in an epoch."""
        self.callbacks: list[keras.callbacks.Callback] = [_TellsEpoch(self)] if order else []
        count = len(examples)

        def positions() -> Array:
            return np.arange(count) if order is None else order(self.epoch)

        ordered = tf.data.Dataset.range(1).map(
            lambda _: tf.ensure_shape(tf.numpy_function(positions, [], tf.int64), [count])
        )
        batches = ordered.rebatch(batch_size, drop_remainder=drop_last)
        rows = batch_size if drop_last else None
        batches = _gathered(examples, batches) if whole else _read(examples, batches, rows)
        self.dataset = batches.prefetch(tf.data.AUTOTUNE).apply(
            tf.data.experimental.assert_cardinality(self.steps)
        )

    def __len__(self) -> int:
        return self.steps


class _TellsEpoch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's
        self.feed.epoch = epoch


def _gathered(examples: Examples, batches: tf.data.Dataset) -> tf.data.Dataset:
    """Batches of tensors that hold all examples: no Python runs between them."""
    tensors = tf.nest.map_structure(tf.constant, _structure(*examples.batch(slice(None))))
    axes = _batch_axes(tensors, examples.time_major)
    return batches.map(
        lambda positions: tf.nest.map_structure(
            lambda tensor, axis: tf.gather(tensor, positions, axis=axis), tensors, axes
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _read(examples: Examples, batches: tf.data.Dataset, rows: int | None) -> tf.data.Dataset:
    """Batches that are read, from memory or from mapped files, when they are needed.

    `rows` is the size of every batch, where all have the same.
    """
    one = _structure(*examples.batch(slice(0, 1)))
    axes = tf.nest.flatten(_batch_axes(one, examples.time_major))
    flat = tf.nest.flatten(one)
    shapes = [
        [rows if index == axis else size for index, size in enumerate(array.shape)]
        for array, axis in zip(flat, axes, strict=True)
    ]

    def read(positions: Array) -> list[Array]:
        arrays: list[Array] = tf.nest.flatten(_structure(*examples.batch(positions)))
        return arrays

    def batch(positions: tf.Tensor) -> Any:
        tensors = tf.numpy_function(read, [positions], [array.dtype for array in flat])
        for tensor, shape in zip(tensors, shapes, strict=True):
            tensor.set_shape(shape)
        return tf.nest.pack_sequence_as(one, tensors)

    return batches.map(batch)


def _structure(x: Any, y: Any, weights: Any) -> Any:
    """As ``fit`` takes a batch: what is not there is left out."""
    if not y:
        return x
    return (x, y) if weights is None else (x, y, weights)


def _batch_axes(structure: Any, time_major: frozenset[str]) -> Any:
    """For each tensor the axis along which examples stand: 0, or 1 of time-major inputs."""
    axes = tf.nest.map_structure(lambda _: 0, structure)
    inputs = axes[0] if isinstance(axes, tuple) else axes
    inputs.update(dict.fromkeys(time_major, 1))
    return axes
