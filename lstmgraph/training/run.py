"""A whole training: begun or gone on with, in one folder, to the final model."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.callback_checks import watching
from lstmgraph.diagnostics import Diagnostic, RecipeError
from lstmgraph.lowering import build_model
from lstmgraph.metric_names import VALIDATION, logged_names
from lstmgraph.model_files import load_as, save_model
from lstmgraph.resolved import resolved_yaml
from lstmgraph.training.batches import Batches, feed
from lstmgraph.training.callbacks import EpochStart, recipe_callbacks
from lstmgraph.training.files import (
    FolderError,
    TrainingFiles,
    columns,
    locked,
    write_environment,
    write_history,
    write_picture,
    write_text,
)
from lstmgraph.training.recorder import Recorder
from lstmgraph.training.results import TrainingResult
from lstmgraph.training.state import (
    Identity,
    TrainingState,
    read_checkpoint,
    restore_unsaved,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import keras

    from lstmgraph.compiler import CompiledRecipe
    from lstmgraph.recipe import Training
    from lstmgraph.training.examples import Examples

    OnEpoch = Callable[[int, dict[str, float]], bool | None]

LINES_OF_DIFFERENCE = 20


def train_recipe(  # noqa: PLR0913 - each says one thing
    recipe: CompiledRecipe,
    examples: Examples,
    validation: Examples | None,
    folder: Path,
    *,
    epochs: int | None = None,
    restart: bool = False,
    seed: int | None = None,
    on_epoch: OnEpoch | None = None,
    verbose: int = 0,
) -> TrainingResult:
    """See ``Recipe.train``."""
    training = _training(recipe, validation)
    files = TrainingFiles(folder, recipe.declaration.name)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if restart:
            files.remove()
        seed = recipe.declaration.runtime.seed if seed is None else seed
        state, arrays = _begin_or_go_on(files, recipe, examples, validation, seed)
        epochs = max(epochs or training.epochs, len(state.rows))
        session = _Session(recipe, training, files, state, epochs)
        return session.run(examples, validation, arrays, on_epoch=on_epoch, verbose=verbose)


@dataclass(frozen=True)
class _Session:
    """What one process does of a training."""

    recipe: CompiledRecipe
    training: Training
    files: TrainingFiles
    state: TrainingState
    epochs: int

    def run(
        self,
        examples: Examples,
        validation: Examples | None,
        arrays: dict[str, np.ndarray],
        *,
        on_epoch: OnEpoch | None,
        verbose: int,
    ) -> TrainingResult:
        files, state = self.files, self.state
        begin = len(state.rows)
        text = resolved_yaml(_with_epochs(self.recipe, self.epochs))
        write_text(files.resolved, text)
        model = self._model(arrays)
        write_environment(files.environment)
        callbacks = recipe_callbacks(self.training, list(model.output), files, text)
        recorder = Recorder(
            files, text, state, arrays, callbacks, epochs=self.epochs, on_epoch=on_epoch
        )
        batches = Batches(examples, self.recipe, model)
        held_out = None if validation is None else Batches(validation, self.recipe, model)
        start = EpochStart(batches, seed=state.identity.seed, shuffle=self.training.shuffle)
        with _errors_of(batches, held_out):
            model.fit(
                feed(batches),
                validation_data=None if held_out is None else feed(held_out),
                callbacks=[start, *callbacks.values(), recorder],
                shuffle=False,  # the order is that of `batches`
                initial_epoch=begin,
                epochs=begin if state.stopped else self.epochs,
                verbose=verbose,
            )
        write_history(files.history, state.rows)
        write_picture(files.picture, state.rows, files.name)
        save_model(model, text, files.model)
        return self._result(model, callbacks, begin)

    def _model(self, arrays: dict[str, np.ndarray]) -> keras.Model:
        if not self.state.rows:
            return build_model(self.recipe)
        model = load_as(self.recipe, self.files.checkpoint)
        restore_unsaved(model, arrays)
        return model

    def _result(self, model: keras.Model, callbacks: dict[str, Any], begin: int) -> TrainingResult:
        rows = self.state.rows
        return TrainingResult(
            history=columns(rows),
            best_epoch=_best_epoch(self.training, list(model.output), self.state, callbacks),
            epochs=len(rows),
            resumed_from=begin,
            stopped_early=self.state.stopped,
            seconds=round(sum(row["seconds"] for row in rows), 3),
            model=model,
            files=self.files.written(),
        )


@contextmanager
def _errors_of(*batches: Batches | None) -> Iterator[None]:
    """What the examples raise is raised as it is, not as TensorFlow wraps it."""
    try:
        yield
    except Exception:
        for each in batches:
            if each is not None and each.error is not None:
                raise each.error from None
        raise


def _training(recipe: CompiledRecipe, validation: Examples | None) -> Training:
    training = recipe.declaration.training
    if training is None:
        raise ValueError(f"the recipe '{recipe.declaration.name}' has no `training:` section")
    found = []
    for name, arguments in watching(training).items():
        if validation is None and arguments["monitor"].startswith(VALIDATION):
            path = ("training", "callbacks", name, "monitor")
            found.append(
                Diagnostic(
                    "L764",
                    f"`{name}` watches '{arguments['monitor']}', and there is no validation data",
                    path,
                    recipe.document.place(path),
                    "give validation data (--validation, --validation-split), or write "
                    f"`monitor: {arguments['monitor'].removeprefix(VALIDATION)}`",
                )
            )
    if found:
        raise RecipeError(found, recipe.document.sources)
    return training


def _begin_or_go_on(
    files: TrainingFiles,
    recipe: CompiledRecipe,
    examples: Examples,
    validation: Examples | None,
    seed: int | None,
) -> tuple[TrainingState, dict[str, np.ndarray]]:
    """The state in the folder, or that of a training that has not begun."""
    wanted = Identity(
        recipe=resolved_yaml(_with_epochs(recipe, None)),
        data=examples.fingerprint,
        validation="none" if validation is None else validation.fingerprint,
        seed=_drawn() if seed is None else seed,
    )
    if not files.checkpoint.exists():
        if files.model.exists():
            raise FolderError(
                f"{files.model} is there already, and no checkpoint of its training; choose "
                "another folder, or begin anew with --restart"
            )
        return TrainingState(wanted), {}
    state, arrays = read_checkpoint(files.checkpoint)
    if seed is None:  # the one that was drawn then
        wanted = replace(wanted, seed=state.identity.seed)
    _refuse_differences(files, state.identity, wanted)
    return state, arrays


def _drawn() -> int:
    """A fresh seed, kept in the checkpoint."""
    return int(np.random.SeedSequence().generate_state(1)[0])


def _refuse_differences(files: TrainingFiles, there: Identity, wanted: Identity) -> None:
    if there == wanted:
        return
    lines = [
        line
        for line in difflib.unified_diff(
            there.recipe.splitlines(), wanted.recipe.splitlines(), lineterm="", n=0
        )
        if not line.startswith(("---", "+++", "@@"))
    ]
    left_out = len(lines) - LINES_OF_DIFFERENCE
    if left_out > 0:
        lines = [*lines[:LINES_OF_DIFFERENCE], f"... and {left_out} lines more"]
    for what in ("data", "validation", "seed"):
        old, new = getattr(there, what), getattr(wanted, what)
        if old != new:
            lines += [f"-{what}: {old}", f"+{what}: {new}"]
    raise FolderError(
        f"{files.folder} holds another training (-), not this one (+):\n"
        + "\n".join(f"  {line}" for line in lines)
        + "\nchoose another folder, or begin anew with --restart"
    )


def _with_epochs(recipe: CompiledRecipe, epochs: int | None) -> dict[str, Any]:
    """The recipe's data with another number of epochs, or with none.

    A training may go on for longer than it was first asked to.
    """
    section = {k: v for k, v in recipe.completed["training"].items() if k != "epochs"}
    section |= {} if epochs is None else {"epochs": epochs}
    return {**recipe.completed, "training": section}


def _best_epoch(
    training: Training, outputs: list[str], state: TrainingState, callbacks: dict[str, Any]
) -> int | None:
    """Counted from 1. Early stopping and checkpoints know it by their own rules."""
    stopping = callbacks.get("early_stopping")
    if stopping is not None and stopping.restore_best_weights and stopping.best_weights:
        return int(stopping.best_epoch) + 1
    watched = watching(training)
    chosen = watched.get("early_stopping") or watched.get("checkpoint") or {}
    loss = f"{VALIDATION}loss"
    monitor = chosen.get("monitor", loss if loss in state.rows[0] else "loss")
    names = logged_names(training, outputs)
    mode = chosen.get("mode", "auto")
    direction = names[monitor.removeprefix(VALIDATION)] if mode == "auto" else mode
    values = np.array([row[monitor] for row in state.rows])
    if np.isnan(values).all():
        return None
    return int(np.nanargmin(values) if direction == "min" else np.nanargmax(values)) + 1
