"""Keras callbacks for ``callbacks:``, and the states that a checkpoint keeps of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.checks.metric_names import VALIDATION, logged_names
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
"""Attributes that change from epoch to epoch. Early stopping's best weights are arrays."""

WEIGHT = "best_weight_"


class EpochStart(keras.callbacks.Callback):  # type: ignore[misc]
    """Begins each epoch, and each evaluation, with fresh states where states are carried."""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """The first rows of an epoch do not follow on from the last ones of the one before."""
        self._begin_series()

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Validation rows do not follow on from those of training."""
        self._begin_series()

    def _begin_series(self) -> None:
        if read_states(self.model):
            reset_states(self.model)


class StopOnNaN(keras.callbacks.Callback):  # type: ignore[misc]
    """Keras's ``TerminateOnNaN`` goes on to validate, and to save the broken weights."""

    epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Remember which epoch it is."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Look at the loss, which is that of the epoch so far."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} after batch {batch + 1} of epoch {self.epoch + 1}; a smaller "
                "learning rate or `clipnorm` under `optimizer:` may help"
            )


class LearningRate(keras.callbacks.Callback):  # type: ignore[misc]
    """Puts the learning rate that the epoch ended with beside its metrics."""

    names: tuple[str, ...] = ()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Changes `logs`, as Keras's ``ReduceLROnPlateau`` does."""
        if logs is not None:
            rate = self.model.optimizer.learning_rate
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
            self.names = tuple(logs)

    def row(self, logs: Mapping[str, float] | None) -> dict[str, float]:
        """Return the numbers of the epoch, without what callbacks of the user's put beside them."""
        return {name: float((logs or {})[name]) for name in self.names}


class BestModel(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the model of the best epoch so far, with its recipe, whole or not at all."""

    def __init__(self, path: Path, recipe_text: str, monitor: str, mode: str) -> None:
        super().__init__()
        self.path, self.recipe_text, self.monitor, self.mode = path, recipe_text, monitor, mode
        self.best: float | None = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """The first of equal epochs is kept."""
        value = (logs or {})[self.monitor]
        if self.best is None or (value < self.best if self.mode == "min" else value > self.best):
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
    """Keras's callbacks by the recipe's names."""
    names = logged_names(training, outputs)
    made: dict[str, Any] = {}
    if training.callbacks.get("terminate_on_nan", True):
        made["terminate_on_nan"] = StopOnNaN()
    made["learning_rate"] = LearningRate()
    for name, written in training.callbacks.items():
        if name == "terminate_on_nan":
            continue
        arguments = dict(written)
        if arguments.get("mode") == "auto":
            # By itself Keras knows it only where the model has one output.
            arguments["mode"] = names[arguments["monitor"].removeprefix(VALIDATION)]
        if name == "early_stopping":
            made[name] = keras.callbacks.EarlyStopping(**arguments)
        elif name == "reduce_lr_on_plateau":
            made[name] = keras.callbacks.ReduceLROnPlateau(**arguments)
        elif name == "checkpoint":
            made[name] = BestModel(files.best, recipe_text, **arguments)
        else:
            made[name] = keras.callbacks.TensorBoard(str(files.tensorboard), **arguments)
    return made


def callback_states(
    callbacks: Mapping[str, Any],
) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """Return the states of `callbacks` that resuming needs: plain values, and arrays."""
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
    """Give `callbacks` what ``callback_states`` found."""
    for name, attributes in values.items():
        for key, value in attributes.items():
            setattr(callbacks[name], key, value)
    count = sum(name.startswith(WEIGHT) for name in arrays)
    if count:
        callbacks["early_stopping"].best_weights = [arrays[f"{WEIGHT}{i}"] for i in range(count)]
