"""The trial function: a recipe at one point of its space, trained in a process of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.search import MODEL_OBJECTIVES
from lstmgraph.compiler.fitted import without_offsets
from lstmgraph.files import atomic_path, write_text
from lstmgraph.models.building.vocabularies import fitted as fitted_to
from lstmgraph.models.files import save_model
from lstmgraph.training.intervals import calibrated
from lstmgraph.tuning.callbacks import TrialInfo, unpickled
from lstmgraph.tuning.data import read_parts, with_folds
from lstmgraph.tuning.fitting import RATE, EndedBeforeError, FitRequest, Fitted, fit
from lstmgraph.tuning.recipes import concrete_recipe, concrete_text, read_payload, with_seed
from lstmgraph.tuning.search.own_files import KEPT, read_of_trial
from lstmgraph.tuning.search.results import Objective
from lstmgraph.tuning.search.trial import (
    BEST_WEIGHTS,
    CONCRETE_RECIPE,
    LAST_WEIGHTS,
    OUTCOME,
    Trial,
    TrialOutcome,
    TrialSpec,
    earlier_specs,
)

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.loading import Data


def run_trial(trial: Trial) -> TrialOutcome:
    """Train at the point of ``trial.spec``, once for each execution and fold.

    Metrics are the means over all of them, each at its best epoch. History, weights and the
    concrete recipe are those of the first. ``spec.job`` is what ``trial_payload`` made.

    Raises:
        RecipeError: the recipe is wrong at this point.
        DataError: the data does not fit it.
        DivergedError: the loss is NaN or infinite.
    """
    try:
        return _Run(trial).outcome()
    except EndedBeforeError:
        return _as_before(trial)


def first_of_chain(spec: TrialSpec) -> TrialSpec:
    """Return the trial that began the chain of `spec`: its seed is that of all of them."""
    return [spec, *earlier_specs(spec)][-1]


class _Run:
    def __init__(self, trial: Trial) -> None:
        self.trial, self.spec, self.folder = trial, trial.spec, Path(trial.spec.folder)
        self.seeds = first_of_chain(self.spec)
        self.fitted: list[Fitted] = []
        document = read_payload(self.spec.job["recipe"])
        self.recipe = concrete_recipe(document, self.spec.values, epochs=self.spec.epochs)
        self.kept = self.recipe
        self.objectives = tuple(Objective(*each) for each in self.spec.job["objectives"])

    def outcome(self) -> TrialOutcome:
        data = self._data()
        spec = self.spec
        for execution, fold in product(range(spec.executions), range(spec.folds or 1)):
            train, validation = _parts(data, fold)
            scaled = fitted_to(without_offsets(self.recipe), train)
            fitted = fit(self._request(scaled, execution, fold), train, validation)
            if not self.fitted:  # the one whose weights are kept
                self.kept, model = scaled, fitted.model
                if validation is not None:
                    self.kept, model = calibrated(scaled, model, validation)
                fitted = replace(fitted, model=model)
            # The models of all but the first are wanted no more.
            self.fitted.append(replace(fitted, model=None) if self.fitted else fitted)
            if self.trial.pruned:
                break
        first = self.fitted[0]
        parameters = first.model.count_params()
        metrics = [_metrics(fitted) for fitted in self.fitted]
        self._write(metrics)
        if any(objective.metric in MODEL_OBJECTIVES for objective in self.objectives):
            metrics = [{**each, "parameters": float(parameters)} for each in metrics]
        return self.trial.outcome(
            metrics=_means(metrics),
            history=_columns(first),
            epochs=len(first.rows),
            fit_seconds=sum(fitted.seconds for fitted in self.fitted),
            parameters=parameters,
        )

    def _data(self) -> Data:
        cache = self.folder.parent.parent / KEPT
        return read_parts(with_folds(self.recipe, self.spec.folds), self.spec.job["data"], cache)

    def _request(self, scaled: CompiledRecipe, execution: int, fold: int) -> FitRequest:
        """Return what is fitted. Only the first training goes on from another trial's."""
        spec = self.spec
        is_first = not self.fitted
        source = Path(spec.continues) if is_first and spec.continues else None
        recipe = with_seed(scaled, self.seeds.seed_of(execution, fold))
        return FitRequest(
            recipe,
            concrete_text(recipe) if spec.keep_last else "",
            self.objectives,
            self.folder,
            counted_from=spec.initial_epoch,
            continues=source and source / LAST_WEIGHTS,
            last=self.folder / LAST_WEIGHTS if is_first and spec.keep_last else None,
            weights=spec.job.get("weights"),
            own_callbacks=unpickled(
                spec.job.get("callbacks", ""),
                TrialInfo(spec.number, spec.values, self.folder, execution, fold),
            ),
            on_epoch=self.trial.on_epoch if is_first else None,
        )

    def _write(self, metrics: list[dict[str, float]]) -> None:
        recipe = with_seed(self.kept, self.seeds.seed_of())
        text = concrete_text(recipe, self._remarks(metrics))
        save_model(self.fitted[0].model, text, self.folder / BEST_WEIGHTS)
        write_text(self.folder / CONCRETE_RECIPE, text)

    def _remarks(self, metrics: list[dict[str, float]]) -> tuple[str, ...]:
        name, number = self.spec.objective, self.spec.number
        if name not in metrics[0]:
            return ()
        epoch = self.fitted[0].best_epoch
        remarks = [f"Trial {number}: {name} {metrics[0][name]!r} after epoch {epoch}."]
        if epoch < self.spec.initial_epoch + len(self.fitted[0].rows):
            remarks.append(
                "best.keras has the weights of that epoch; `lstmgraph train` goes on after it, "
                f"without `--epochs {epoch}`."
            )
        if len(metrics) > 1:
            remarks.append(
                f"That is the first of its {len(metrics)} trainings; their mean is "
                f"{_means(metrics)[name]!r}."
            )
        return tuple(remarks)


def _parts(data: Data, fold: int) -> tuple[Examples, Examples | None]:
    if data.folds:
        return data.folds[fold].train, data.folds[fold].validation
    return data.train, data.validation


def _metrics(fitted: Fitted) -> dict[str, float]:
    """Return the metrics of the best epoch."""
    return {name: value for name, value in fitted.best_row.items() if name != RATE}


def _means(metrics: list[dict[str, float]]) -> dict[str, float]:
    return {name: fmean(each[name] for each in metrics) for name in metrics[0]}


def _columns(fitted: Fitted) -> dict[str, tuple[float, ...]]:
    return {name: tuple(row[name] for row in fitted.rows) for name in fitted.rows[0]}


def _as_before(trial: Trial) -> TrialOutcome:
    """Return the outcome of the earlier trial unchanged, as a callback had ended its training."""
    assert trial.spec.continues is not None
    source, folder = Path(trial.spec.continues), Path(trial.spec.folder)
    for name in (BEST_WEIGHTS, LAST_WEIGHTS, CONCRETE_RECIPE):
        if (source / name).exists():
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes((source / name).read_bytes())
    before = json.loads(read_of_trial(source, OUTCOME))
    return trial.outcome(metrics=before["metrics"], parameters=before["parameters"])
