"""The last callback of an epoch: keeps the history, and the checkpoint to go on from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.training.callbacks import callback_states, restore_callbacks
from lstmgraph.training.files import other_numbers, write_history, write_picture
from lstmgraph.training.state import write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from lstmgraph.training.files import TrainingFiles
    from lstmgraph.training.state import TrainingState

LARGEST_SHARE = 0.05
"""Of the time, for checkpoints: a small model's epoch may take less than writing one."""


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Stands last in the list, so that it sees what the others made of the epoch.

    Args:
        state: where the training stands; changed at the end of every epoch.
        arrays: what a checkpoint kept of the callbacks.
        callbacks: those of the recipe, by its names.
        epochs: after that many a checkpoint is always written.
        on_epoch: called with the epoch, counted from 1, and its numbers; true ends the training.
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
        self.began = self.last_written = time.perf_counter()
        self.cost = 0.0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """The others have just forgotten what they knew."""
        restore_callbacks(self.callbacks, self.state.callbacks, self.arrays)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note the time."""
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """History first: the checkpoint is what decides, and the history is written again."""
        seconds = round(time.perf_counter() - self.began, 3)
        metrics = self.callbacks["learning_rate"].row(logs)
        row = {"epoch": epoch + 1, **metrics, "seconds": seconds}
        if any(row.keys() != before.keys() for before in self.state.rows[:1]):
            raise other_numbers(self.files)
        self.state.rows.append(row)
        self.state.stopped = bool(self.model.stop_training)
        if self.on_epoch is not None and self.on_epoch(epoch + 1, dict(metrics)):
            self.model.stop_training = True
        write_history(self.files.history, self.state.rows)
        is_last = self.model.stop_training or epoch + 1 == self.epochs
        if is_last or time.perf_counter() - self.last_written > self.cost / LARGEST_SHARE:
            self._write()

    def _write(self) -> None:
        began = time.perf_counter()
        self.state.callbacks, arrays = callback_states(self.callbacks)
        write_checkpoint(self.files.checkpoint, self.model, self.recipe_text, self.state, arrays)
        write_picture(self.files.picture, self.state.rows, self.files.name)
        self.last_written = time.perf_counter()
        self.cost = self.last_written - began
