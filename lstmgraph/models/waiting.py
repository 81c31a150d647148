"""How long `fit` waits for batches, measured where it takes them: in TensorFlow's own pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import tensorflow as tf


class Waiting:
    """Measures the waits of one `fit`.

    TensorFlow takes batches inside of the function that it compiles; there the pipeline itself
    notes the time before and after each batch. With ``strategy: mirrored``, which hands batches to
    several devices ahead of time, nothing is measured: waiting counts as part of the step.

    Args:
        model: The model that is fitted.
        dataset: Its batches. `dataset` of this object replaces it, with the same batches.
    """

    def __init__(self, model: keras.Model, dataset: Any) -> None:
        self.dataset = dataset
        self._notes: _Notes | None = None
        strategy = getattr(model, "distribute_strategy", None)  # only TensorFlow's models have one
        is_alone = strategy is not None and strategy.num_replicas_in_sync == 1
        if keras.backend.backend() == "tensorflow" and is_alone:
            # Functions in place of Keras's own say by themselves what is compiled.
            is_by_shape = bool(model.jit_compile) and model.train_function is None
            self._notes = _Notes(is_by_shape=is_by_shape)
            self.dataset = self._notes.of(dataset)

    def measured(
        self, arguments: tuple[Any, ...], during: Callable[[str], AbstractContextManager[None]]
    ) -> tuple[Any, ...]:
        """Return the arguments of a training function, with `during` around each wait of JAX."""
        if keras.backend.backend() != "jax":
            return arguments
        state, batches = arguments
        return state, _waited(batches, during)

    def since_last(self) -> float:
        """Return the seconds waited in TensorFlow's pipeline since this was last asked."""
        return 0.0 if self._notes is None else self._notes.since_last()

    def has_new_shape(self) -> bool:
        """Return whether a batch since the last call had a new shape, and XLA compiled for it."""
        return self._notes is not None and self._notes.has_new_shape()


def _waited(
    batches: Iterator[Any], during: Callable[[str], AbstractContextManager[None]]
) -> Iterator[Any]:
    while True:
        with during("input"):
            try:
                batch = next(batches)
            except StopIteration:
                return
        yield batch


class _Notes:
    """What a ``tf.data`` pipeline notes of the batches that it hands out."""

    def __init__(self, *, is_by_shape: bool) -> None:
        import tensorflow  # noqa: PLC0415 - other backends run without it

        self.tf = tensorflow
        with self.tf.device("CPU"):
            self.seconds = self.tf.Variable(0.0, dtype="float64", trainable=False)
            self.shapes = None
            if is_by_shape:
                self.shapes = self.tf.lookup.experimental.MutableHashTable("string", "int64", 0)
        self.last, self.count = 0.0, 0

    def of(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return `dataset` with notes: ``zip`` takes the time, a batch and the time in turn."""
        tf = self.tf

        def note(begin: Any, batch: Any) -> Any:
            self.seconds.assign_add(tf.timestamp() - begin)
            if self.shapes is not None:
                sizes = [tf.shape(tensor) for tensor in tf.nest.flatten(batch)]
                shape = tf.strings.reduce_join(
                    tf.strings.as_string(tf.concat(sizes, 0)), separator=" "
                )
                self.shapes.insert(shape, tf.constant(1, "int64"))
            return batch

        unconverted = tf.autograph.experimental.do_not_convert
        begins = tf.data.Dataset.counter().map(unconverted(lambda _: tf.timestamp()))
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False  # would wait ahead of time
        zipped = tf.data.Dataset.zip(begins, dataset)
        noted = zipped.map(unconverted(note))
        return noted.with_options(options)

    def since_last(self) -> float:
        """See ``Waiting``."""
        before, self.last = self.last, float(self.seconds.numpy())
        return self.last - before

    def has_new_shape(self) -> bool:
        """See ``Waiting``."""
        before = self.count
        self.count = 0 if self.shapes is None else int(self.shapes.size().numpy())
        return self.count > before
