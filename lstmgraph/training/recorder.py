"""The callback that writes the history and the checkpoint at the end of an epoch."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.runtime import build_optimizer
from lstmgraph.training.callbacks import Writing, callback_states, restore_callbacks
from lstmgraph.training.files import other_numbers, write_history, write_picture
from lstmgraph.training.state import write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from lstmgraph.training.files import TrainingFiles
    from lstmgraph.training.state import TrainingState

LARGEST_SHARE = 0.05
"""The share of time for checkpoints, as an epoch can be shorter than writing one."""


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes history and checkpoint; last of all callbacks, so that it sees the others' changes.

    Args:
        files: The files of the training.
        recipe_text: The recipe that the checkpoint holds.
        state: The state of the training, updated at the end of every epoch.
        arrays: The arrays of the callbacks from a checkpoint.
        callbacks: The callbacks of the recipe, by its names.
        epochs: The number of the last epoch, after which a checkpoint is always written.
        on_epoch: Called with the epoch, counted from 1, its metrics and its ``seconds``; returning
            true ends the training.
    """

    def __init__(  # noqa: PLR0913 - what an epoch's end touches
        self,
        files: TrainingFiles,
        recipe_text: str,
        state: TrainingState,
        arrays: Mapping[str, np.ndarray],
        callbacks: Mapping[str, Any],
        *,
        epochs: int,
        on_epoch: Callable[[int, dict[str, float]], bool | None] | None,
    ) -> None:
        super().__init__()
        self.files, self.recipe_text, self.state = files, recipe_text, state
        self.arrays, self.callbacks = arrays, callbacks
        self.epochs, self.on_epoch = epochs, on_epoch
        self.start = self.last_written = time.perf_counter()
        self.writing: Writing = nullcontext
        self.cost = 0.0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore the other callbacks, which Keras has just reset."""
        build_optimizer(self.model)
        restore_callbacks(self.callbacks, self.state.callbacks, self.arrays)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Store the time at which the epoch begins."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the history, then the checkpoint if it is due.

        If the process is killed in between, the checkpoint decides: the resumed training writes
        the history again.

        Raises:
            FolderError: The checkpoint that was resumed has other metrics.
        """
        seconds = round(time.perf_counter() - self.start, 3)
        metrics = self.callbacks["learning_rate"].row(logs)
        row = {"epoch": epoch + 1, **metrics, "seconds": seconds}
        if any(row.keys() != before.keys() for before in self.state.rows[:1]):
            raise other_numbers(self.files)
        self.state.rows.append(row)
        self.state.stopped = bool(self.model.stop_training)
        if self.on_epoch is not None and self.on_epoch(epoch + 1, {**metrics, "seconds": seconds}):
            self.model.stop_training = True
        with self.writing():
            write_history(self.files.history, self.state.rows)
            is_last = self.model.stop_training or epoch + 1 == self.epochs
            if is_last or time.perf_counter() - self.last_written > self.cost / LARGEST_SHARE:
                self._write()

    def _write(self) -> None:
        start = time.perf_counter()
        self.state.callbacks, arrays = callback_states(self.callbacks)
        write_checkpoint(self.files.checkpoint, self.model, self.recipe_text, self.state, arrays)
        write_picture(self.files.picture, self.state.rows, self.files.name)
        self.last_written = time.perf_counter()
        self.cost = self.last_written - start
