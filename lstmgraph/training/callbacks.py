"""The callbacks of a recipe as Keras callbacks, and their state for checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.checks.metric_names import in_order, watchable
from lstmgraph.messages.errors import DivergedError
from lstmgraph.models.carried import read_states, reset_states
from lstmgraph.models.files import save_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from lstmgraph.language.declaration.recipe import Training
    from lstmgraph.training.files import TrainingFiles

STATES = {
    "early_stopping": ("wait", "stopped_epoch", "best", "best_epoch"),
    "reduce_lr_on_plateau": ("wait", "cooldown_counter", "best"),
    "checkpoint": ("best", "best_epoch"),
}
"""The attributes that change from epoch to epoch, apart from early stopping's best weights."""

WEIGHT = "best_weight_"

Writing = Callable[[], AbstractContextManager[None]]
"""Returns what is entered while a callback writes files."""


class EpochStart(keras.callbacks.Callback):  # type: ignore[misc]
    """Resets states that are carried between batches before each epoch and each evaluation."""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Reset the states, as an epoch does not continue the last rows of the one before."""
        self._begin_series()

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Reset the states, as validation rows do not continue those of training."""
        self._begin_series()

    def _begin_series(self) -> None:
        if read_states(self.model):
            reset_states(self.model)


class StopOnNaN(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises ``DivergedError`` for a loss that is NaN or infinite.

    Keras's ``TerminateOnNaN`` would still validate and save the broken weights.
    """

    epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Store the number of the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Check the mean loss of the epoch so far.

        Raises:
            DivergedError: It is NaN or infinite.
        """
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} after batch {batch + 1} of epoch {self.epoch + 1}; try a "
                "smaller learning rate, or `clipnorm` under `optimizer:`"
            )


class LearningRate(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds the learning rate at the end of an epoch to its metrics."""

    names: tuple[str, ...] = ()

    def __init__(self, training: Training, outputs: list[str]) -> None:
        super().__init__()
        self.training, self.outputs = training, outputs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add ``learning_rate`` to `logs` in place, as Keras's ``ReduceLROnPlateau`` does."""
        if logs is not None:
            rate = self.model.optimizer.learning_rate
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
            self.names = tuple(in_order(logs, self.training, self.outputs))

    def row(self, logs: Mapping[str, float] | None) -> dict[str, float]:
        """Return the numbers of the epoch, without what callbacks of the user's put beside them."""
        return {name: float((logs or {})[name]) for name in self.names}


class BestModel(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the model of the best epoch so far with its recipe, as a whole file or not at all."""

    def __init__(self, path: Path, recipe_text: str, monitor: str, mode: str) -> None:
        super().__init__()
        self.path, self.recipe_text, self.monitor, self.mode = path, recipe_text, monitor, mode
        self.best: float | None = None
        self.best_epoch = 0
        self.writing: Writing = nullcontext

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the model if the epoch is better than all before it."""
        value = (logs or {})[self.monitor]
        best = self.best
        if (
            best is None
            or math.isnan(best)
            or (value < best if self.mode == "min" else value > best)
        ):
            with self.writing():
                save_model(self.model, self.recipe_text, self.path)
            self.best, self.best_epoch = value, epoch


def own_callbacks(given: Any) -> list[Any]:
    """Return the user's callbacks, one or several, as a list.

    Raises:
        TypeError: something is no callback of Keras.
    """
    if given is None:
        return []
    several = list(given) if isinstance(given, list | tuple) else [given]
    for each in several:
        if not isinstance(each, keras.callbacks.Callback):
            kind = f"the class {each.__name__}" if isinstance(each, type) else type(each).__name__
            raise TypeError(f"callbacks are instances of keras.callbacks.Callback, not {kind}")
    return several


def recipe_callbacks(
    training: Training, outputs: list[str], files: TrainingFiles, recipe_text: str
) -> dict[str, Any]:
    """Return the Keras callbacks of a recipe, by the recipe's names."""
    names = watchable(training, outputs)
    callbacks: dict[str, Any] = {}
    if training.callbacks.get("terminate_on_nan", True):
        callbacks["terminate_on_nan"] = StopOnNaN()
    callbacks["learning_rate"] = LearningRate(training, outputs)
    for name, written in training.callbacks.items():
        if name == "terminate_on_nan":
            continue
        arguments = dict(written)
        if arguments.get("mode") == "auto":
            # Keras can tell the mode by itself only if the model has one output.
            arguments["mode"] = names[arguments["monitor"]]
        if name == "early_stopping":
            callbacks[name] = keras.callbacks.EarlyStopping(**arguments)
        elif name == "reduce_lr_on_plateau":
            callbacks[name] = keras.callbacks.ReduceLROnPlateau(**arguments)
        elif name == "checkpoint":
            callbacks[name] = BestModel(files.best, recipe_text, **arguments)
        else:
            callbacks[name] = keras.callbacks.TensorBoard(str(files.tensorboard), **arguments)
    return callbacks


def callback_states(
    callbacks: Mapping[str, Any],
) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """Return the state that `callbacks` need to go on: plain values by callback, and arrays."""
    values = {
        name: {key: getattr(callbacks[name], key) for key in keys}
        for name, keys in STATES.items()
        if name in callbacks
    }
    weights = getattr(callbacks.get("early_stopping"), "best_weights", None) or []
    return values, {f"{WEIGHT}{i}": weight for i, weight in enumerate(weights)}


def restore_callbacks(
    callbacks: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Any]],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Restore the state of `callbacks` that ``callback_states`` returned."""
    for name, attributes in values.items():
        for key, value in attributes.items():
            setattr(callbacks[name], key, value)
    count = sum(name.startswith(WEIGHT) for name in arrays)
    if count:
        callbacks["early_stopping"].best_weights = [arrays[f"{WEIGHT}{i}"] for i in range(count)]
