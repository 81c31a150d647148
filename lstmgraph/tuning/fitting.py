"""One training of a trial: in memory, with the recipe's callbacks, the best weights kept."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.models.building import build_model
from lstmgraph.models.run_errors import run_errors
from lstmgraph.models.runtime import build_optimizer
from lstmgraph.training.callbacks import (
    EpochStart,
    callback_states,
    recipe_callbacks,
    restore_callbacks,
)
from lstmgraph.training.files import TrainingFiles
from lstmgraph.training.speed import speed_of
from lstmgraph.training.state import (
    Identity,
    TrainingState,
    read_checkpoint,
    resumed_model,
    write_checkpoint,
)
from lstmgraph.tuning.search.ranking import missing_objective, score
from lstmgraph.tuning.weights import begin_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.examples import Examples
    from lstmgraph.tuning.search.results import Objective

    OnEpoch = Callable[[int, dict[str, float]], bool]

RATE = "learning_rate"
"""In the history of a trial, and no metric of it."""


@dataclass(frozen=True)
class FitRequest:
    """What is trained, and how far."""

    recipe: CompiledRecipe
    """Concrete; its seed is that of the weights, of dropout and of the order of the examples."""
    text: str
    """The same as YAML, which goes into `last`; not read without it."""
    objectives: tuple[Objective, ...]
    folder: Path
    """The trial's, for TensorBoard's logs."""
    counted_from: int = 0
    """Epochs before this one, counted from 0, are not among those that the best is chosen from."""
    continues: Path | None = None
    """The last.keras of the training that is gone on with."""
    last: Path | None = None
    """Where all that is needed to go on is written after the last epoch."""
    weights: Mapping[str, Any] | None = None
    """What it begins with, as ``TrialWeights.as_dict`` gives it; None for fresh weights."""
    own_callbacks: tuple[keras.callbacks.Callback, ...] = ()
    """The user's, beside those of the recipe."""
    on_epoch: OnEpoch | None = None
    """Told of each epoch, counted from 0; true ends the training."""


@dataclass(frozen=True)
class Fitted:
    """What came of it. `model` has the weights of the best epoch."""

    model: keras.Model
    rows: tuple[dict[str, float], ...]
    """What Keras logged, by epoch."""
    best_epoch: int
    """Counted from 1, of the whole training; the first of equals."""
    best_row: dict[str, float]
    """What Keras logged of it."""
    seconds: float


class EndedBeforeError(Exception):
    """What was to go on had been ended by a callback: there is nothing more to train."""


def fit(request: FitRequest, train: Examples, validation: Examples | None) -> Fitted:
    """Train as ``lstmgraph train`` does, with the same numbers, and without its files.

    Raises:
        EndedBeforeError: see there.
        DivergedError: the loss is NaN or infinite.
        RecipeError: this machine or process cannot run the recipe, or not on this data (L902).
    """
    recipe = request.recipe
    training = recipe.declaration.training
    assert training is not None
    model, state, arrays = _begin(request)
    fixed = recipe.declaration.runtime.batch_size is not None
    order = state.identity.seed if training.shuffle else None
    feed = train.as_keras(training.batch_size, seed=order, drop_last=fixed)
    held_out = None
    if validation is not None:
        held_out = validation.as_keras(training.batch_size, drop_last=fixed)
    # best.keras is the best epoch's by the search's objective.
    kept = {name: each for name, each in training.callbacks.items() if name != "checkpoint"}
    files = TrainingFiles(request.folder, recipe.declaration.name)
    callbacks = recipe_callbacks(
        replace(training, callbacks=kept), list(model.output), files, request.text
    )
    watcher = _Watcher(request, state, arrays, callbacks, training.epochs)
    following = [*callbacks.values(), *request.own_callbacks]
    chosen = bool(state.compiled) if state.rows else None
    began = time.perf_counter()
    with (
        run_errors(recipe, feeds=[each for each in (feed, held_out) if each]),
        speed_of(
            model, recipe, feed, held_out, following, epochs=training.epochs, chosen=chosen
        ) as speed,
    ):
        state.compiled = speed.xla
        model.fit(
            speed.batches(feed),
            validation_data=held_out and speed.batches(held_out),
            callbacks=[EpochStart(), *feed.callbacks, *following, watcher],
            shuffle=False,  # the order is that of the feed
            initial_epoch=len(state.rows),
            epochs=training.epochs,
            verbose=0,
        )
    seconds = time.perf_counter() - began
    watcher.restore_best()
    best = watcher.best
    return Fitted(model, tuple(watcher.rows), best.epoch + 1, best.row, seconds)


def _begin(request: FitRequest) -> tuple[keras.Model, TrainingState, dict[str, np.ndarray]]:
    seed = request.recipe.declaration.runtime.seed
    assert seed is not None
    if request.continues is None:
        identity = Identity(request.text, data="", validation="", seed=seed)
        model = build_model(request.recipe)
        if request.weights:
            begin_trial(model, request.weights)
        return model, TrainingState(identity), {}
    state, arrays = read_checkpoint(request.continues)
    if state.stopped:
        raise EndedBeforeError
    return resumed_model(request.recipe, request.continues, arrays), state, arrays


@dataclass
class _Best:
    """The weights of the best epoch so far, and the optimizer that belongs to them."""

    cost: float = math.inf
    epoch: int = 0
    row: dict[str, float] = field(default_factory=dict)
    arrays: list[np.ndarray] = field(default_factory=list)


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Stands last, so that it sees what the others made of the epoch."""

    def __init__(
        self,
        request: FitRequest,
        state: TrainingState,
        arrays: Mapping[str, np.ndarray],
        callbacks: Mapping[str, Any],
        epochs: int,
    ) -> None:
        super().__init__()
        self.request, self.state, self.arrays = request, state, arrays
        self.callbacks, self.epochs = callbacks, epochs
        self.rows: list[dict[str, float]] = []
        self.best = _Best()

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore what the other callbacks knew: they have just forgotten it."""
        build_optimizer(self.model)
        restore_callbacks(self.callbacks, self.state.callbacks, self.arrays)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = self.callbacks["learning_rate"].row(logs)
        self.rows.append(row)
        self.state.rows.append({"epoch": epoch + 1, **row, "seconds": 0.0})
        self.state.stopped = bool(self.model.stop_training)
        self._keep_if_best(epoch, row)
        if self.request.on_epoch is not None and self.request.on_epoch(epoch, row):
            self.model.stop_training = True
        if self.request.last is not None and (self.model.stop_training or epoch + 1 == self.epochs):
            self.state.callbacks, arrays = callback_states(self.callbacks)
            text = self.request.text
            write_checkpoint(self.request.last, self.model, text, self.state, arrays)

    def _keep_if_best(self, epoch: int, row: dict[str, float]) -> None:
        cost = _cost({**row, "parameters": 0.0}, self.request.objectives)
        counts = epoch >= self.request.counted_from
        if counts and (not self.best.arrays or cost < self.best.cost):
            arrays = [keras.ops.convert_to_numpy(variable) for variable in self._variables()]
            self.best = _Best(cost, epoch, row, arrays)

    def restore_best(self) -> None:
        """Put the best epoch's weights, and its optimizer, into the model."""
        for variable, array in zip(self._variables(), self.best.arrays, strict=True):
            variable.assign(array)

    def _variables(self) -> list[Any]:
        return [*self.model.weights, *self.model.optimizer.variables]


def _cost(metrics: Mapping[str, float], objectives: Sequence[Objective]) -> float:
    """Return the score; infinite where an objective is missing or no finite number."""
    return math.inf if missing_objective(metrics, objectives) else score(metrics, objectives)
