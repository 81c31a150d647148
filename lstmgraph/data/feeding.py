"""Examples as ``model.fit`` takes them: in batches, shuffled anew in each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import tensorflow as tf

    Array = np.ndarray[Any, np.dtype[Any]]


class Examples(Protocol):
    """What a feed needs of the examples."""

    def __len__(self) -> int: ...

    def batch(self, positions: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """Return inputs, targets and sample weights of the examples at `positions`."""

    @property
    def time_major(self) -> frozenset[str]:
        """The inputs that have the batch as their second axis."""


class Feed:
    """Examples in batches: ``model.fit(feed.dataset, callbacks=feed.callbacks, shuffle=False)``.

    The order of an epoch depends on its number, which Keras passes to the callback: a run that is
    resumed with ``initial_epoch`` sees the same batches as an uninterrupted one. Without the
    callback every epoch has the order of the first.

    With TensorFlow, `dataset` is a ``tf.data.Dataset``, which spends less time on each batch than
    Keras's own loop; with other backends it is a ``keras.utils.PyDataset``.
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
        self.examples, self.batch_size, self.drop_last = examples, batch_size, drop_last
        self.order = order
        self.epoch = 0
        self.error: Exception | None = None
        """The error of reading a batch, which TensorFlow replaces by one of its own."""
        count = len(examples)
        self.steps = count // batch_size if drop_last else -(-count // batch_size)
        """The number of batches in an epoch."""
        self.callbacks: list[keras.callbacks.Callback] = [_EpochSetter(self)] if order else []
        if keras.backend.backend() == "tensorflow":
            self.dataset: Any = _tf_dataset(self, whole=whole)
        else:
            self.dataset = _Batches(self)

    def positions(self) -> Array:
        """Return the positions of all examples in the order of this epoch."""
        if self.order is None:
            return np.arange(len(self.examples))
        return self.order(self.epoch)

    def shapes(self) -> list[int]:
        """Return what tells the shapes of this epoch's batches apart: their numbers of rows."""
        last = len(self.examples) - (self.steps - 1) * self.batch_size
        return [self.batch_size] * (self.steps - 1) + [min(last, self.batch_size)]

    @property
    def shape_count(self) -> int:
        """The number of different shapes of batches."""
        return len(set(self.shapes()))

    def read(self, positions: Any) -> Any:
        """Return the examples at `positions` as ``fit`` takes a batch."""
        try:
            return _structure(*self.examples.batch(positions))
        except Exception as error:
            self.error = error
            raise

    def __len__(self) -> int:
        return self.steps


class _EpochSetter(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's
        self.feed.epoch = epoch


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches for backends other than TensorFlow, read by one worker, never before their epoch."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(workers=1)
        self.feed = feed
        self.epoch_positions: tuple[int, Array] | None = None

    def __len__(self) -> int:
        return self.feed.steps

    def __getitem__(self, index: int) -> Any:
        feed = self.feed
        if self.epoch_positions is None or self.epoch_positions[0] != feed.epoch:
            self.epoch_positions = (feed.epoch, feed.positions())
        start = index * feed.batch_size
        return feed.read(self.epoch_positions[1][start : start + feed.batch_size])


def _tf_dataset(feed: Feed, *, whole: bool) -> tf.data.Dataset:
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    count, size, drop_last = len(feed.examples), feed.batch_size, feed.drop_last

    def all_positions(_: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(feed.positions, [], tf.int64), [count])

    ordered = tf.data.Dataset.range(1).map(_unconverted(all_positions))
    batches = ordered.rebatch(size, drop_remainder=drop_last)
    batches = _gathered(feed, batches) if whole else _read(feed, batches)
    return batches.prefetch(tf.data.AUTOTUNE).apply(
        tf.data.experimental.assert_cardinality(feed.steps)
    )


def _gathered(feed: Feed, batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches taken from tensors that hold all examples; no Python runs between batches."""
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    with tf.device("CPU"):  # where the batches are formed
        tensors = tf.nest.map_structure(tf.constant, feed.read(slice(None)))
    axes = _batch_axes(tensors, feed.examples.time_major)

    def gathered(positions: tf.Tensor) -> Any:
        return tf.nest.map_structure(
            lambda tensor, axis: tf.gather(tensor, positions, axis=axis), tensors, axes
        )

    return batches.map(_unconverted(gathered), num_parallel_calls=tf.data.AUTOTUNE)


def _unconverted(function: Callable[[tf.Tensor], Any]) -> Any:
    """Return `function` marked not to be rewritten by TensorFlow, which would be slow."""
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    return tf.autograph.experimental.do_not_convert(function)


def _read(feed: Feed, batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches that are read from memory or mapped files when they are needed."""
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    rows = feed.batch_size if feed.drop_last else None  # None where the last batch may be smaller
    one = feed.read(slice(0, 1))
    axes = tf.nest.flatten(_batch_axes(one, feed.examples.time_major))
    flat = tf.nest.flatten(one)
    shapes = [
        [rows if index == axis else size for index, size in enumerate(array.shape)]
        for array, axis in zip(flat, axes, strict=True)
    ]

    def read(positions: Array) -> list[Array]:
        arrays: list[Array] = tf.nest.flatten(feed.read(positions))
        return arrays

    def batch(positions: tf.Tensor) -> Any:
        tensors = tf.numpy_function(read, [positions], [array.dtype for array in flat])
        for tensor, shape in zip(tensors, shapes, strict=True):
            tensor.set_shape(shape)
        return tf.nest.pack_sequence_as(one, tensors)

    return batches.map(_unconverted(batch))


def _structure(x: Any, y: Any, weights: Any) -> Any:
    """Return a batch as ``fit`` takes it, without targets and weights that are not there."""
    if not y:
        return x
    return (x, y) if weights is None else (x, y, weights)


def _batch_axes(structure: Any, time_major: frozenset[str]) -> Any:
    """Return the axis of the examples in each tensor: 0, or 1 for time-major inputs."""
    axes = keras.tree.map_structure(lambda _: 0, structure)
    inputs = axes[0] if isinstance(axes, tuple) else axes
    inputs.update(dict.fromkeys(time_major, 1))
    return axes
