"""The steps of `fit` and `evaluate` on TensorFlow: several at once, compiled with XLA where chosen.

Keras's own function (``keras/src/backend/tensorflow/trainer.py``) returns to Python after every
batch, and one that XLA cannot compile ends the training.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    import keras

    from lstmgraph.data.feeding import Feed


@dataclass
class Compilation:
    """What XLA compiled for `fit` and `evaluate`."""

    shapes: int = 0
    """How many shapes of a batch were compiled, those of `fit` and `evaluate` counted apart."""
    seconds: float = 0.0
    """What tracing and compiling took, with the one step that each first batch of a shape does."""
    refused: str = ""
    """Why XLA could not compile the steps, which then ran without; "" if it could."""

    def __post_init__(self) -> None:
        """Let nothing be entered while a step is traced or compiled; a profile changes that."""
        self.during: Callable[[], AbstractContextManager[None]] = nullcontext


class Function:
    """A step as TensorFlow functions for batches of one structure, their shapes partly open."""

    def __init__(  # noqa: PLR0913 - each says one thing
        self,
        step: Callable[[Any], Any],
        spec: Any,
        compilation: Compilation,
        *,
        xla: bool,
        must: bool = False,
        while_finite: bool = False,
    ) -> None:
        """Take ``model.train_step`` or ``model.test_step``, and the spec of a dataset's elements.

        Args:
            step: The step.
            spec: The structure of the batches.
            compilation: What is counted.
            xla: Whether XLA compiles the step, once for each shape of a batch.
            must: Whether what XLA cannot compile is an error; else it runs without XLA.
            while_finite: Whether a loss that is NaN or infinite ends a run of steps.
        """
        self.step, self.spec, self.compilation = step, spec, compilation
        self.xla, self.must, self.while_finite = xla, must, while_finite
        self.seen: set[Any] = set()
        """The shapes that have run."""
        self._trace()

    def _trace(self) -> None:
        def one_step(batch: Any) -> Any:
            return self.step(batch)

        self.one = _function(one_step, input_signature=[self.spec], jit_compile=self.xla)

        def of_iterator(batches: Any, count: Any) -> Any:
            return self.loop(lambda _: batches.get_next(), count)

        self.of_iterator = _function(of_iterator, reduce_retracing=True)

    def loop(self, take: Callable[[Any], Any], count: Any) -> Any:
        """Return the graph of `count` steps: how many ran, and the logs of the last.

        Args:
            take: Returns the batch of a step, counted from 0.
            count: How many.
        """
        import tensorflow as tf  # noqa: PLC0415 - other backends run without it

        def goes_on(index: Any, logs: Any) -> Any:
            is_next = index < count
            return is_next & tf.math.is_finite(logs["loss"]) if self.while_finite else is_next

        # One call: XLA would compile another one again.
        specs = self.one.get_concrete_function().structured_outputs
        nothing = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), specs)
        return tf.while_loop(
            goes_on,
            lambda index, _: (index + 1, self.one(take(index))),
            (tf.constant(0), nothing),
        )

    def first(self, run: Callable[[], Any]) -> Any:
        """Return what `run` does: a step on the first batch of a shape, which is compiled.

        Raises:
            NotCompiledError: XLA cannot compile the step, which is now one without XLA. A batch of
                an iterator is lost, but nothing was computed.
        """
        import tensorflow as tf  # noqa: PLC0415 - other backends run without it

        start = time.perf_counter()
        is_traced = self.xla or not self.seen
        try:
            with self.compilation.during() if is_traced else nullcontext():
                ran, logs = run()
                int(ran)  # waits for the step
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not self.xla or self.must or self.seen:
                raise
            self.xla, self.compilation.refused = False, _line(error)
            self._trace()
            raise NotCompiledError from None
        if self.xla:
            self.compilation.shapes += 1
            self.compilation.seconds += time.perf_counter() - start
        return ran, logs


class NotCompiledError(Exception):
    """XLA cannot compile a step."""


class Steps:
    """Takes the place of Keras's ``train_function`` or ``test_function`` for one feed.

    The first batch of each shape runs alone, so that the time of compiling is known. Batches of
    examples that are tensors are taken from them, within the graph: to make an iterator takes
    longer than a few steps, and Keras makes two for each epoch.
    """

    def __init__(
        self, function: Function, feed: Feed, at_once: int, of_others: Callable[[Any], Any]
    ) -> None:
        """Take what runs other batches, such as those that a callback gives to ``evaluate``."""
        self.function, self.feed, self.at_once = function, feed, at_once
        self.of_others = of_others
        self.source = feed.counted
        """The dataset of which Keras makes an iterator for each epoch."""
        self.done = 0
        """The steps of this epoch that have run."""
        self.batches: Any = None
        """Keras's iterator of this epoch."""
        self.again: Any = None
        """An iterator in the place of the one of Keras, in an epoch that lost its first batch."""
        self._one: Any = None
        """The step in `_from_tensors`."""
        self._from_tensors: Any = None

    def __call__(self, batches: Any) -> Any:
        """Run the next steps on an iterator of batches, and return the logs of the last."""
        if getattr(batches, "_dataset", None) is not self.source:
            return self.of_others(batches)
        if batches is not self.batches:
            self.batches, self.done, self.again = batches, 0, None
        ahead = self.feed.shapes()[self.done :][: self.at_once]
        logs = None
        while ahead:
            seen, source = self.function.seen, self.again or batches
            run = next((i for i, shape in enumerate(ahead) if shape not in seen), len(ahead))
            if run:
                ran, logs = self._several(source, run)
            else:
                try:
                    ran, logs = self.function.first(partial(self._several, source, 1))
                except NotCompiledError:
                    self.again = iter(self.feed.counted)
                    continue
                seen.add(ahead[0])
                run = 1
            run = int(ran) if self.function.while_finite else run
            self.done += run
            if self.function.while_finite and not math.isfinite(logs["loss"]):
                break
            ahead = ahead[run:]
        return logs

    def _several(self, batches: Any, count: int) -> Any:
        """Run `count` steps, and return how many ran and the logs of the last."""
        import tensorflow as tf  # noqa: PLC0415 - other backends run without it

        if not self.feed.is_tensors:
            return self.function.of_iterator(batches, tf.constant(count))
        if self._one is not self.function.one:
            self._one = self.function.one
            self._from_tensors = _function(
                self._traced,
                input_signature=[tf.TensorSpec([None], "int64"), *[tf.TensorSpec([], "int32")] * 2],
            )
        return self._from_tensors(self.feed.positions(), self.done, count)

    def _traced(self, positions: Any, start: Any, count: Any) -> Any:
        return self.function.loop(lambda index: self.feed.taken(positions, start + index), count)


def _function(python: Callable[..., Any], **options: Any) -> Any:
    """Return a ``tf.function``, which TensorFlow does not find traced too often.

    It counts by the line of the source, and so all trainings of a process together.
    """
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    function = tf.function(tf.autograph.experimental.do_not_convert(python), **options)
    function._omit_frequent_tracing_warning = True
    return function


@contextmanager
def steps_at_once(model: keras.Model, at_once: int) -> Iterator[None]:
    """Have `fit` and `evaluate` of `model` take so many batches from each call of a `Steps`.

    A callback's ``predict`` gives so many batches, too, to a function that was made for one.
    """
    before, predict = model.steps_per_execution, model.predict_function
    model.steps_per_execution = at_once
    if predict is not None:
        model.predict_function = partial(_one_by_one, predict)
    try:
        yield
    finally:
        model.steps_per_execution, model.predict_function = before, predict
        model.train_function = model.test_function = None


def _one_by_one(predict: Callable[[list[Any]], Any], batches: Iterable[Any]) -> Any:
    """Return the outputs of `predict`, which takes a list of one batch, for all `batches`."""
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    outputs = [predict([batch]) for batch in batches]
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *outputs)


def _line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")[:200]
