"""A stopwatch for `fit`: callbacks and wrapped functions switch it from part to part."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.steps import Steps
from lstmgraph.models.waiting import Waiting
from lstmgraph.training.profile import (
    CALLBACKS,
    CHECKPOINT,
    COMPILE,
    INPUT,
    OTHER,
    PARTS,
    STEP,
    VALIDATION,
    EpochTimes,
    Profile,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstmgraph.models.steps import Compilation


class Profiler:
    """Measures where the time of each epoch goes.

    Time is never measured twice or left out: at every moment it belongs to one part, so that the
    parts of an epoch add up to its duration.

    Args:
        clock: Returns seconds, as ``time.perf_counter`` does.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.epochs: list[EpochTimes] = []
        self._part, self._since, self._began = OTHER, clock(), 0.0
        self._seconds: dict[str, float] = {}
        self._has_traced = False
        self._waiting: Waiting | None = None

    @property
    def profile(self) -> Profile | None:
        """The times of the epochs so far; None before one has ended."""
        return Profile(tuple(self.epochs)) if self.epochs else None

    def fit(
        self,
        model: keras.Model,
        compilation: Compilation,
        dataset: Any,
        callbacks: list[Any],
        **options: Any,
    ) -> None:
        """Call ``model.fit`` and measure it; callbacks with ``writing`` say when they write.

        Args:
            model: The model.
            compilation: That of the functions in place of Keras's, if there are any.
            dataset: The batches.
            callbacks: The callbacks in front of Keras's own.
            options: Further arguments of ``model.fit``.
        """
        compilation.during = lambda: self.during(COMPILE)
        for callback in callbacks:
            if hasattr(callback, "writing"):
                callback.writing = lambda: self.during(CHECKPOINT)
        self._waiting = waiting = Waiting(model, dataset)
        # Keras appends these two behind all callbacks, where their time would not be theirs.
        shown = [keras.callbacks.ProgbarLogger()] if options.get("verbose") else []
        measured = [_Before(self), *callbacks, keras.callbacks.History(), *shown, _Behind(self)]
        with self._wrapped(model, waiting):
            model.fit(waiting.dataset, callbacks=measured, **options)

    def switch(self, part: str) -> str:
        """Give `part` the time from now on, and return the part that had it until now."""
        now = self.clock()
        self._add(self._part, now - self._since)
        before, self._part, self._since = self._part, part, now
        return before

    @contextmanager
    def during(self, part: str) -> Iterator[None]:
        """Give `part` the time of the block."""
        before = self.switch(part)
        try:
            yield
        finally:
            self.switch(before)

    def begin_epoch(self) -> None:
        """Forget the time between epochs, in which Keras resets the metrics."""
        self._began = self._since = self.clock()
        self._part, self._seconds = CALLBACKS, dict.fromkeys(PARTS, 0.0)

    def end_epoch(self, epoch: int) -> None:
        """Store the times of an epoch, counted from 0."""
        self.switch(OTHER)
        self._move_waits(STEP)
        self.epochs.append(EpochTimes(epoch + 1, self._since - self._began, self._seconds))

    def _move_waits(self, part: str) -> None:
        """Give `input` what TensorFlow waited in calls that were counted as `part`."""
        if self._waiting is not None:
            waited = min(max(self._waiting.since_last(), 0.0), self._seconds.get(part, 0.0))
            self._add(part, -waited)
            self._add(INPUT, waited)

    def _add(self, part: str, seconds: float) -> None:
        self._seconds[part] = self._seconds.get(part, 0.0) + seconds

    @contextmanager
    def _wrapped(self, model: keras.Model, waiting: Waiting) -> Iterator[None]:
        """Measure the calls of the two functions that `fit` makes of the model, and undo it."""
        steps = ("train_step", "test_step") if _is_compiled(model) else ()
        for name in steps:  # Python runs a step only to trace it
            setattr(model, name, self._noticed(getattr(model, name)))
        model.make_train_function()
        model.make_test_function()
        plain = model.train_function, model.test_function
        if isinstance(model.train_function, Steps):
            model.train_function.source = waiting.dataset
        model.train_function = self._timed(model.train_function, STEP, waiting)
        model.test_function = self._timed(model.test_function, VALIDATION, None)
        try:
            yield
        finally:
            model.train_function, model.test_function = plain
            for name in steps:
                delattr(model, name)

    def _noticed(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(*arguments: Any) -> Any:
            self._has_traced = True
            return step(*arguments)

        return noticed

    def _timed(
        self, function: Callable[..., Any], part: str, waiting: Waiting | None
    ) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            before = self.switch(part)
            self._has_traced = False
            try:
                if waiting is None:
                    return function(*arguments)
                result = function(*waiting.measured(arguments, self.during))
                self._has_traced |= waiting.has_new_shape()
                return result
            finally:
                if self._has_traced:
                    self._part = COMPILE
                self.switch(before)
                if self._has_traced and waiting is not None:
                    self._move_waits(COMPILE)

        return timed


def _is_compiled(model: keras.Model) -> bool:
    """Return whether the steps of `fit` are traced once, not run by Python for each batch."""
    backend = keras.backend.backend()
    compiled = backend == "tensorflow" or (backend == "jax" and model.jit_compile)
    return compiled and not model.run_eagerly


class _Before(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """The first of all callbacks."""

    def __init__(self, profiler: Profiler) -> None:
        super().__init__()
        self.profiler = profiler

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.profiler.begin_epoch()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.profiler.switch(CALLBACKS)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.profiler.switch(CALLBACKS)

    def on_test_begin(self, logs: Any = None) -> None:
        self.profiler.switch(VALIDATION)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.profiler.switch(CALLBACKS)


class _Behind(_Before):
    """The last of all callbacks."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.profiler.switch(INPUT)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.profiler.switch(OTHER)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        is_last = batch + 1 >= (self.params.get("steps") or batch + 2)
        self.profiler.switch(OTHER if is_last else INPUT)

    def on_test_begin(self, logs: Any = None) -> None:
        """Nothing: evaluating goes on."""

    def on_test_end(self, logs: Any = None) -> None:
        self.profiler.switch(OTHER)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.profiler.end_epoch(epoch)
