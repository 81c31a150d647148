"""Examples as ``model.fit`` takes them: in batches, shuffled anew in each epoch."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np

from lstmgraph.data.buckets import cut

if TYPE_CHECKING:
    from collections.abc import Callable

    import tensorflow as tf

    from lstmgraph.data.buckets import PartBuckets

    Array = np.ndarray[Any, np.dtype[Any]]


class Examples(Protocol):
    """What a feed needs of the examples."""

    def __len__(self) -> int: ...

    def batch(self, positions: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """Return inputs, targets and sample weights of the examples at `positions`."""

    @property
    def time_major(self) -> frozenset[str]:
        """The inputs that have the batch as their second axis."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one example of each input."""


class Feed:
    """Examples in batches: ``model.fit(feed.dataset, callbacks=feed.callbacks, shuffle=False)``.

    The order of an epoch depends on its number, which Keras passes to the callback: a run that is
    resumed with ``initial_epoch`` sees the same batches as an uninterrupted one. Without the
    callback every epoch has the order of the first.

    With TensorFlow, `dataset` is a ``tf.data.Dataset``, which spends less time on each batch than
    Keras's own loop; with other backends it is a ``keras.utils.PyDataset``.
    """

    def __init__(  # noqa: PLR0913 - each says one thing
        self,
        examples: Examples,
        batch_size: int,
        *,
        order: Callable[[int], Array] | None,
        drop_last: bool,
        whole: bool,
        buckets: PartBuckets | None = None,
    ) -> None:
        self.examples, self.batch_size, self.drop_last = examples, batch_size, drop_last
        self.order, self.buckets = order, buckets
        self.epoch = 0
        self.error: Exception | None = None
        """The error of reading a batch, which TensorFlow replaces by one of its own."""
        count = len(examples)
        self.steps = count // batch_size if drop_last else -(-count // batch_size)
        """The number of batches in an epoch."""
        self._ordered: tuple[int, Array] | None = None
        self._shapes: tuple[Array, list[tuple[int, ...]]] | None = None
        self.callbacks: list[keras.callbacks.Callback] = [_EpochSetter(self)] if order else []
        self._tensors: Any = None
        if keras.backend.backend() == "tensorflow":
            self._tensors = _as_tensors(self) if whole else None
            self.dataset: Any = _tf_dataset(self)
        else:
            self.dataset = _Batches(self)

    @property
    def is_tensors(self) -> bool:
        """Whether all examples are TensorFlow's tensors, of which ``taken`` takes a batch."""
        return self._tensors is not None

    @cached_property
    def counted(self) -> Any:
        """What Keras counts the batches of an epoch with, where ``taken`` takes them; or they."""
        import tensorflow as tf  # noqa: PLC0415 - other backends run without it

        return tf.data.Dataset.range(self.steps) if self.is_tensors else self.dataset

    def taken(self, positions: tf.Tensor, index: tf.Tensor) -> Any:
        """Return a batch of the epoch whose `positions` are given, counted from 0."""
        import tensorflow as tf  # noqa: PLC0415 - other backends run without it

        start = self.batch_size * index
        batch = self.gathered(positions[start : start + self.batch_size])
        return tf.nest.map_structure(
            lambda tensor, spec: tf.ensure_shape(tensor, spec.shape),
            batch,
            self.dataset.element_spec,
        )

    def gathered(self, positions: tf.Tensor) -> Any:
        """Return the batch at `positions`, taken from the tensors of all examples."""
        import tensorflow as tf  # noqa: PLC0415 - other backends run without it

        axes = _batch_axes(self._tensors, self.examples.time_major)
        batch = tf.nest.map_structure(
            lambda tensor, axis: tf.gather(tensor, positions, axis=axis), self._tensors, axes
        )
        return batch if self.buckets is None else self.cut_tensors(batch, positions)

    def positions(self) -> Array:
        """Return the positions of all examples in the order of this epoch."""
        epoch = self.epoch
        if self._ordered is None or (self._ordered[0] != epoch and self.order is not None):
            order = np.arange(len(self.examples)) if self.order is None else self.order(epoch)
            if self.buckets is not None and self.order is not None:
                order = self.buckets.ordered(order, self.batch_size)
            self._ordered = epoch, order
        return self._ordered[1]

    def shapes(self) -> list[tuple[int, ...]]:
        """Return the rows of each batch of this epoch, and the sizes that it is cut to."""
        positions = self.positions()
        if self._shapes is None or self._shapes[0] is not positions:
            last = len(positions) - (self.steps - 1) * self.batch_size
            rows = [self.batch_size] * (self.steps - 1) + [min(last, self.batch_size)]
            cuts: list[tuple[int, ...]] = [()] * self.steps
            if self.buckets is not None:
                sizes = [tuple(each) for each in self.buckets.sizes.tolist()]
                cuts = [sizes[at] for at in self.buckets.buckets(positions, self.batch_size)]
            self._shapes = positions, [(n, *cut) for n, cut in zip(rows, cuts, strict=False)]
        return self._shapes[1]

    @property
    def shape_count(self) -> int:
        """The number of different shapes of batches in this epoch."""
        return len(set(self.shapes()))

    def read(self, positions: Any) -> Any:
        """Return the examples at `positions` as ``fit`` takes a batch."""
        x, y, weights = self._batch(positions)
        if self.buckets is not None:
            self._cut(x, y, weights, self.buckets.sizes[self._bucket(positions)])
        return _structure(x, y, weights)

    def whole(self) -> Any:
        """Return all examples as ``fit`` takes a batch, none of them cut."""
        return _structure(*self._batch(slice(None)))

    def _batch(self, positions: Any) -> Any:
        try:
            return self.examples.batch(positions)
        except Exception as error:
            self.error = error
            raise

    def cut_tensors(self, batch: Any, positions: tf.Tensor) -> Any:
        """Return a batch of TensorFlow's tensors, those at `positions`, cut to its bucket."""
        import tensorflow as tf  # noqa: PLC0415 - other backends run without it

        assert self.buckets is not None, "the caller has looked"
        own = tf.reduce_max(tf.gather(self.buckets.of_rows, positions))
        is_full = tf.size(positions) == self.batch_size
        bucket = tf.where(is_full, own, tf.constant(self.buckets.last, tf.int64))
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        self._cut(x, y or {}, weights, tf.gather(self.buckets.sizes, bucket))
        return _structure(x, y, weights)

    def _bucket(self, positions: Any) -> int:
        assert self.buckets is not None, "the caller has looked"
        rows = self.buckets.of_rows[positions]
        return int(rows.max()) if len(rows) == self.batch_size else self.buckets.last

    def _cut(self, x: Any, y: Any, weights: Any, sizes: Any) -> None:
        """Cut the steps of a batch, in place, to the sizes of its bucket, (axes,)."""
        assert self.buckets is not None, "the caller has looked"
        for name, place in self.buckets.inputs.items():
            x[name] = cut(x[name], 0 if name in self.examples.time_major else 1, sizes[place])
        for name, place in self.buckets.targets.items():
            y[name] = cut(y[name], 1, sizes[place])
            if weights and len(weights[name].shape) > 1:
                weights[name] = cut(weights[name], 1, sizes[place])

    def open_steps(self, structure: Any) -> Any:
        """Return for each tensor of a batch the axis that is cut; -1 where none is."""
        marks = keras.tree.map_structure(lambda _: -1, structure)
        if self.buckets is None:
            return marks
        x, *others = marks if isinstance(marks, tuple) else (marks,)
        time_major = self.examples.time_major
        x |= {name: 0 if name in time_major else 1 for name in self.buckets.inputs}
        for mapping in others:
            mapping.update(dict.fromkeys(self.buckets.targets, 1))
        return marks

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

    def __len__(self) -> int:
        return self.feed.steps

    def __getitem__(self, index: int) -> Any:
        feed = self.feed
        start = index * feed.batch_size
        return feed.read(feed.positions()[start : start + feed.batch_size])


def _tf_dataset(feed: Feed) -> tf.data.Dataset:
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    size, drop_last = feed.batch_size, feed.drop_last
    # Without a count, batches that are all full are like others: `evaluate` is traced once for the
    # validation and the test part.
    count = None if feed.order is None and not drop_last else len(feed.examples)

    def all_positions(_: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(feed.positions, [], tf.int64), [count])

    ordered = tf.data.Dataset.range(1).map(_unconverted(all_positions))
    batches = ordered.rebatch(size, drop_remainder=drop_last)
    if feed.is_tensors:  # no Python runs between batches
        batches = batches.map(_unconverted(feed.gathered), num_parallel_calls=tf.data.AUTOTUNE)
    else:
        batches = _read(feed, batches)
    return batches.prefetch(tf.data.AUTOTUNE).apply(
        tf.data.experimental.assert_cardinality(feed.steps)
    )


def _as_tensors(feed: Feed) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    with tf.device("CPU"):  # where the batches are formed
        return tf.nest.map_structure(tf.constant, feed.whole())


def _unconverted(function: Callable[[tf.Tensor], Any]) -> Any:
    """Return `function` marked not to be rewritten by TensorFlow, which would be slow."""
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    return tf.autograph.experimental.do_not_convert(function)


def _read(feed: Feed, batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches that are read from memory or mapped files when they are needed."""
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    rows = feed.batch_size if feed.drop_last else None  # None where the last batch may be smaller
    one = feed.read(np.arange(1))
    axes = tf.nest.flatten(_batch_axes(one, feed.examples.time_major))
    flat = tf.nest.flatten(one)
    cuts = tf.nest.flatten(feed.open_steps(one))
    shapes = [
        [
            rows if index == axis else None if index == open_axis else size
            for index, size in enumerate(array.shape)
        ]
        for array, axis, open_axis in zip(flat, axes, cuts, strict=True)
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
