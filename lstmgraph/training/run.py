"""A whole training, started or resumed in a folder, up to the final model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.compiler.checks.callbacks import require_validation, watching
from lstmgraph.compiler.checks.metric_names import VALIDATION, in_order, watchable
from lstmgraph.compiler.fitted import without_offsets
from lstmgraph.compiler.resolved import resolved_recipe
from lstmgraph.files import write_text
from lstmgraph.messages.errors import FolderError
from lstmgraph.models.building import build_model
from lstmgraph.models.building.vocabularies import fitted
from lstmgraph.models.files import load_numbers, save_model
from lstmgraph.models.given_weights import given_weights, load_fitting, warned_of
from lstmgraph.models.run_errors import run_errors
from lstmgraph.training.callbacks import EpochStart, own_callbacks, recipe_callbacks
from lstmgraph.training.files import (
    TrainingFiles,
    columns,
    locked,
    other_numbers,
    write_environment,
    write_history,
    write_picture,
    write_profile,
    write_results,
)
from lstmgraph.training.folder import begin_or_go_on
from lstmgraph.training.intervals import calibrated, require_enough
from lstmgraph.training.profiler import Profiler
from lstmgraph.training.recorder import Recorder
from lstmgraph.training.results import BestModelResult, TrainingResult
from lstmgraph.training.speed import speed_of
from lstmgraph.training.state import refuse_other_callbacks, resumed_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.feeding import Feed
    from lstmgraph.data.loading import Data
    from lstmgraph.language.declaration.recipe import Training
    from lstmgraph.models.given_weights import GivenWeights
    from lstmgraph.training.speed import Speed
    from lstmgraph.training.state import TrainingState

    OnEpoch = Callable[[int, dict[str, float]], bool | None]

TRAIN, VALIDATING, TEST = "train", "validation", "test"


def train_recipe(  # noqa: PLR0913 - each says one thing
    recipe: CompiledRecipe,
    data: Data,
    folder: Path,
    *,
    epochs: int | None = None,
    restart: bool = False,
    seed: int | None = None,
    weights: Path | None = None,
    on_epoch: OnEpoch | None = None,
    callbacks: Any = None,
    verbose: int = 0,
    profile: bool = False,
) -> TrainingResult:
    """See ``Recipe.train``; `weights` is a file, None for fresh ones."""
    own = own_callbacks(callbacks)
    training = recipe.declaration.training
    assert training is not None, "`Recipe.train` has looked"
    if data.validation is None:
        require_validation(training, recipe.document)
    given = None if weights is None else given_weights(recipe, weights)
    files = TrainingFiles(folder, recipe.declaration.name)
    folder.mkdir(parents=True, exist_ok=True)
    files.refuse_others()
    with locked(folder):
        if restart:
            _refuse_removal(files, weights)
            files.remove()
        recipe = fitted(without_offsets(recipe), data.train)
        if data.validation is not None:
            require_enough(recipe, data.validation)
        seed = recipe.declaration.runtime.seed if seed is None else seed
        state, arrays = begin_or_go_on(files, recipe, data, seed, given)
        asked = epochs or training.epochs
        epochs = max(asked, len(state.rows))
        profiler = Profiler() if profile else None
        session = _Session(recipe, training, files, state, epochs, asked, given, profiler)
        return session.run(data, arrays, own, on_epoch=on_epoch, verbose=verbose)


def _refuse_removal(files: TrainingFiles, weights: Path | None) -> None:
    if weights is not None and weights.resolve() in {each.resolve() for each in files.removed()}:
        raise FolderError(
            f"to begin anew would remove {weights}, whose weights the training begins with; choose "
            "another folder, or copy the file"
        )


@dataclass(frozen=True)
class _Session:
    """The part of a training that one process does."""

    recipe: CompiledRecipe
    training: Training
    files: TrainingFiles
    state: TrainingState
    epochs: int
    asked: int
    weights: GivenWeights | None = None
    profiler: Profiler | None = None

    def run(
        self,
        data: Data,
        arrays: dict[str, np.ndarray],
        own: list[keras.callbacks.Callback],
        *,
        on_epoch: OnEpoch | None,
        verbose: int,
    ) -> TrainingResult:
        files, state = self.files, self.state
        begin = len(state.rows)
        text = self._text(self.recipe)
        model = self._model(arrays)
        callbacks = recipe_callbacks(self.training, list(model.output), files, text)
        if begin:
            refuse_other_callbacks(files.checkpoint, state, arrays, callbacks)
        write_text(files.resolved, text)
        write_environment(files.environment)
        recorder = Recorder(
            files, text, state, arrays, callbacks, epochs=self.epochs, on_epoch=on_epoch
        )
        feeds = self._feeds(data)
        train, start = feeds[TRAIN], EpochStart()
        held_out = feeds.get(VALIDATING)
        following = [*callbacks.values(), *own]
        with (
            run_errors(self.recipe, feeds=feeds.values()),
            speed_of(
                model,
                self.recipe,
                train,
                held_out,
                following,
                epochs=self.epochs,
                chosen=bool(state.compiled) if begin else None,
            ) as speed,
        ):
            state.compiled = speed.xla
            recorder.compilation = speed.compilation
            fit = model.fit
            if self.profiler is not None:
                fit = partial(self.profiler.fit, model, speed.compilation)
            fit(
                speed.batches(train),
                validation_data=held_out and speed.batches(held_out),
                callbacks=[start, *train.callbacks, *following, recorder],
                shuffle=False,  # the order is that of the feed
                initial_epoch=begin,
                epochs=begin if state.stopped else self.epochs,
                verbose=verbose,
            )
            trained = model
            if data.validation is not None:
                recipe, model = calibrated(self.recipe, model, data.validation)
                text = self._text(recipe)
                write_text(files.resolved, text)
            metrics = self._evaluated(model, feeds, start, speed)
            result = self._result(model, callbacks, begin, metrics)
            best = self._best_model(result, trained, text, data, feeds, callbacks, start, speed)
        write_history(files.history, state.rows)
        write_picture(files.picture, state.rows, files.name)
        save_model(model, text, files.model)
        profile = None if self.profiler is None else self.profiler.profile
        write_profile(files.profile, profile, files.name)
        result = replace(result, best_model=best, profile=profile, compilation=speed.compilation)
        write_results(files.results, result)
        return replace(result, files=files.written(), warnings=(*result.warnings, *data.warnings))

    def _text(self, recipe: CompiledRecipe) -> str:
        section = {**recipe.completed["training"], "epochs": self.epochs}
        return resolved_recipe(recipe.with_sections(training=section))

    def _feeds(self, data: Data) -> dict[str, Feed]:
        """Return the feed of each part; only the training examples are shuffled."""
        seed = self.state.identity.seed if self.training.shuffle else None
        fixed = self.recipe.declaration.runtime.batch_size is not None
        size = self.training.batch_size
        parts = {TRAIN: data.train, VALIDATING: data.validation, TEST: data.test}
        return {
            name: part.as_keras(size, seed=seed if name == TRAIN else None, drop_last=fixed)
            for name, part in parts.items()
            if part is not None
        }

    def _model(self, arrays: dict[str, np.ndarray]) -> keras.Model:
        if not self.state.rows:
            model = build_model(self.recipe)
            if self.weights is not None:
                load_fitting(model, self.weights.path, self.weights.fingerprint)
            return model
        return resumed_model(self.recipe, self.files.checkpoint, arrays)

    def _result(
        self,
        model: keras.Model,
        callbacks: dict[str, Any],
        begin: int,
        metrics: dict[str, dict[str, float]],
    ) -> TrainingResult:
        rows = self.state.rows
        monitor, best = _best_epoch(
            self.training, list(model.output), self.files, self.state, callbacks
        )
        restored = _restores(callbacks.get("early_stopping"))
        averaged = bool(self.training.optimizer.get("use_ema")) and not restored
        return TrainingResult(
            history=columns(rows),
            best_epoch=best,
            monitor=monitor,
            model_epoch=None if averaged else best if restored else len(rows),
            asked=self.asked,
            epochs=len(rows),
            resumed_from=begin,
            stopped_early=self.state.stopped,
            seconds=round(sum(row["seconds"] for row in rows), 3),
            metrics=metrics,
            model=model,
            files={},
            weights=self.weights,
            warnings=warned_of(self.recipe, self.weights),
        )

    def _evaluated(
        self, model: keras.Model, feeds: Mapping[str, Feed], start: EpochStart, speed: Speed
    ) -> dict[str, dict[str, float]]:
        """Return the metrics of `model` on the validation and test data."""
        found = {}
        for name, feed in feeds.items():
            if name != TRAIN:
                batches = speed.evaluating_on(feed, model)
                found[name] = model.evaluate(
                    batches, callbacks=[start], return_dict=True, verbose=0
                )
        outputs = list(model.output)
        return {part: in_order(each, self.training, outputs) for part, each in found.items()}

    def _best_model(  # noqa: PLR0913, PLR0917 - what a model is evaluated with
        self,
        result: TrainingResult,
        trained: keras.Model,
        text: str,
        data: Data,
        feeds: Mapping[str, Feed],
        callbacks: dict[str, Any],
        start: EpochStart,
        speed: Speed,
    ) -> BestModelResult | None:
        """Return what `checkpoint` kept, evaluated like the final model; None without it.

        It is calibrated like the final model too. `trained` has its own numbers again afterwards.
        """
        checkpoint, path = callbacks.get("checkpoint"), self.files.best
        if checkpoint is None or not path.exists():
            return None
        epoch, metrics = checkpoint.best_epoch + 1, result.metrics
        model, is_calibrated = result.model, result.model is not trained
        if epoch != result.model_epoch and metrics:
            variables = [*trained.variables, *trained.optimizer.variables]
            final = [keras.ops.convert_to_numpy(variable) for variable in variables]
            load_numbers(trained, path)
            model = trained
            if is_calibrated and data.validation is not None:
                recipe, model = calibrated(self.recipe, trained, data.validation)
                text = self._text(recipe)
            metrics = self._evaluated(model, feeds, start, speed)
            for variable, value in zip(variables, final, strict=True):
                variable.assign(value)
        if is_calibrated:
            save_model(model, text, path)
        return BestModelResult(epoch, checkpoint.monitor, metrics)


def _restores(stopping: Any) -> bool:
    """Return whether early stopping has put the best epoch's weights into the model."""
    return bool(stopping and stopping.restore_best_weights and stopping.best_weights)


def _best_epoch(
    training: Training,
    outputs: list[str],
    files: TrainingFiles,
    state: TrainingState,
    callbacks: dict[str, Any],
) -> tuple[str, int | None]:
    """Return the number that early stopping or checkpoints watch, and its best epoch, from 1."""
    stopping = callbacks.get("early_stopping")
    if stopping is not None and _restores(stopping):
        return stopping.monitor, int(stopping.best_epoch) + 1
    watched = watching(training)
    chosen = watched.get("early_stopping") or watched.get("checkpoint") or {}
    loss = f"{VALIDATION}loss"
    monitor = chosen.get("monitor", loss if loss in state.rows[0] else "loss")
    mode = chosen.get("mode", "auto")
    direction = watchable(training, outputs)[monitor] if mode == "auto" else mode
    if monitor not in state.rows[0]:
        raise other_numbers(files)
    values = np.array([row[monitor] for row in state.rows])
    if np.isnan(values).all():
        return monitor, None
    best = np.nanargmin(values) if direction == "min" else np.nanargmax(values)
    return monitor, int(best) + 1
