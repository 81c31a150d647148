"""A whole ``tune``: from a searched recipe and data to the best model, in one folder."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from rich.live import Live

from lstmgraph.compiler.checks.callbacks import require_validation
from lstmgraph.compiler.checks.embeddings import tables
from lstmgraph.compiler.checks.metric_names import VALIDATION
from lstmgraph.compiler.checks.search import directed_objectives
from lstmgraph.data.problems import as_lines
from lstmgraph.language.declaration.defaults import complete_search
from lstmgraph.tuning.data import fingerprints, kept_path, read_parts, with_folds
from lstmgraph.tuning.recipes import recipe_identity, trial_payload
from lstmgraph.tuning.result import TuneResult, write_results, write_test_score, written_results
from lstmgraph.tuning.search.display import LineWatcher, LiveWatcher
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.errors import SearchError, cannot_use, faults_end_search
from lstmgraph.tuning.search.job_file import move_aside
from lstmgraph.tuning.search.jobs import SearchJob, job_settings, search_versions
from lstmgraph.tuning.search.lock import folder_lock
from lstmgraph.tuning.search.own_files import KEPT, check_folders, open_of_trial, trial_folder
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.results import Objective
from lstmgraph.tuning.search.trial import BEST_WEIGHTS
from lstmgraph.tuning.weights import begun_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.tuning.search.jobs import RunOptions
    from lstmgraph.tuning.search.results import SearchResults
    from lstmgraph.tuning.weights import TrialWeights

PRELOAD = ("keras", "h5py", "lstmgraph.data.feeding", "lstmgraph.tuning.trial")
TEST = "test"
FUNCTION = "lstmgraph.tuning.trial:run_trial"
"""The trial function, as a search names it."""


@dataclass(frozen=True)
class TuneRequest:
    """What is tuned, on what, where and how."""

    recipe: CompiledRecipe
    data: Mapping[str, Any]
    """The data by ``train`` and, if given, ``validation`` and ``test``: any source that
    ``Recipe.load_data`` takes, or a `Given`."""
    folder: Path
    options: RunOptions
    restart: bool = False
    console: Console | None = None
    """The console for a live table, or for lines."""
    callbacks: str = ""
    """The user's callbacks, as ``pickled`` writes them."""
    weights: Path | None = None
    """The file whose weights every trial begins with."""
    section: dict[str, Any] = field(init=False)
    """``search:`` with defaults filled in."""

    def __post_init__(self) -> None:
        section = self.recipe.completed.get("search") or complete_search({})
        object.__setattr__(self, "section", section)


def tune(request: TuneRequest) -> TuneResult:
    """Search, or go on searching, until the budget is spent; then score the best on test data.

    Raises:
        RecipeError: what is watched needs validation data and there is none (L764), or the given
            weights fit a layer in some trials only (L775).
        WeightsFileError: the file of weights cannot be read, or none of its layers fits.
        DataError: the data does not fit the recipe.
        SearchError: the recipe has nothing to search, the search would never end, or the folder
            holds another search, is in use, or cannot be written.
        KeyboardInterrupt: Ctrl-C; what was found so far is in the folder.
    """
    _check_searchable(request.recipe)
    options = _options(request)
    weights = begun_with(request.recipe, request.weights) if request.weights else None
    if weights is not None and request.console is not None:
        request.console.out(str(weights.given), highlight=False)
    with faults_end_search(request.folder):
        return _tuned(request, options, weights)


def _tuned(request: TuneRequest, options: RunOptions, weights: TrialWeights | None) -> TuneResult:
    if request.restart:
        begin_anew(request.folder)
    check_folders(request.folder)
    sources, identity = _checked_data(request)
    try:
        job = _job(request, sources, identity, weights)
        shown_search(job, options, request.folder, request.console)
    except KeyboardInterrupt:
        with suppress(SearchError):  # nothing had begun
            write_results(request.folder)
        raise
    results, score = read_results(request.folder), {}
    try:
        if not results.unread:
            score = _test_score(request.folder, results, sources)
    finally:
        files, results = written_results(request.folder)
    if results.unread:
        raise SearchError("\n".join(results.unread_lines()))
    return TuneResult(results, request.folder, files, score)


def _test_score(
    folder: Path, results: SearchResults, sources: Mapping[str, str]
) -> dict[str, float]:
    """Write and return the score of the best model on the test data, the objectives first.

    Empty where there is no such model or no such data.
    """
    if results.best is None:
        return {}
    place = trial_folder(folder, results.best)
    try:
        os.close(open_of_trial(place, BEST_WEIGHTS))
    except (FileNotFoundError, SearchError):  # it kept no weights, or `written_results` says why
        return {}
    from lstmgraph.tuning.scoring import test_score  # noqa: PLC0415 - starts TensorFlow

    with faults_end_search(Path(gettempdir())):  # where a model is loaded from
        found = test_score(place / BEST_WEIGHTS, sources, folder / KEPT)
    searched = [objective.metric.removeprefix(VALIDATION) for objective in results.objectives]
    score = {name: found[name] for name in searched if name in found} | found
    if score:
        with faults_end_search(folder):
            write_test_score(folder, results.best, score)
    return score


def _check_searchable(recipe: CompiledRecipe) -> None:
    """Refuse recipes without training, and those that leave nothing open.

    Raises:
        SearchError: the recipe is one of these.
    """
    name = recipe.declaration.name
    if recipe.declaration.training is None:
        raise SearchError(
            f"the recipe '{name}' has no `training:` section, so nothing can be tried"
        )
    if not recipe.collected.space.dimensions:
        raise SearchError(
            f"the recipe '{name}' leaves nothing open: write, for example, `units: {{$search: "
            "{int: [16, 64]}}` in place of `units: 64`, or train it with `lstmgraph train`"
        )


def begin_anew(folder: Path) -> None:
    """Keep an earlier search of `folder` beside it, as ``folder.1``.

    Raises:
        SearchError: the folder is in use, or cannot be moved.
    """
    try:
        if folder.exists():
            with folder_lock(folder):
                move_aside(folder)
    except OSError as error:
        raise cannot_use(folder, error) from None


def _options(request: TuneRequest) -> RunOptions:
    options = request.options
    most = options.max_trials or request.section["max_trials"]
    endless = request.section["oracle"]["type"] in ("random", "bayesian")
    if endless and most is None and options.seconds is None:
        raise SearchError(
            "this search has no limit: set a number of trials (--max-trials 50, or "
            "`max_trials:` under `search:`) or a time (--max-time 2h)"
        )
    return replace(options, max_trials=most)


def _folds(request: TuneRequest) -> int | None:
    data = request.recipe.declaration.data
    return request.section["folds"] or (data.split.folds if data else None)


def _checked_data(request: TuneRequest) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return where trials find the data, which fits the recipe, and what tells it from other data.

    Raises:
        RecipeError: what is watched needs validation data and there is none (L764).
        DataError: the data does not fit the recipe.
        SearchError: the folder cannot be used.
    """
    kept = request.folder.absolute() / KEPT
    recipe = with_folds(request.recipe, _folds(request))
    try:
        data = read_parts(recipe, request.data, kept)
        if not data.validation and not data.folds:
            objectives = [each["metric"] for each in request.section["objective"]]
            require_validation(recipe.declaration.training, recipe.document, objectives)
        if request.console is not None:
            for line in as_lines(data.warnings):
                request.console.out(line, highlight=False)
        sources = {name: kept_path(recipe, each, kept) for name, each in request.data.items()}
        return sources, fingerprints(recipe, data, request.data, kept)
    except OSError as error:
        raise cannot_use(kept, error) from None


def _job(
    request: TuneRequest,
    sources: dict[str, str],
    identity: dict[str, list[str]],
    weights: TrialWeights | None,
) -> SearchJob:
    recipe = request.recipe
    objectives = directed_objectives(recipe.declaration, recipe.graph)
    settings = {
        **job_settings(request.section),
        "objectives": tuple(Objective(**each) for each in objectives),
        "folds": _folds(request),
    }
    trained_on = {name: path for name, path in sources.items() if name != TEST}
    payload = trial_payload(recipe.written, trained_on, settings["objectives"])
    return SearchJob(
        recipe=recipe.declaration.name,
        space=recipe.collected.space,
        function=FUNCTION,
        payload={
            **payload,
            "callbacks": request.callbacks,
            "weights": weights and weights.as_dict(),
        },
        identity={
            "recipe": recipe_identity(recipe.written),
            "data": identity,
            "versions": search_versions(),
            **({"weights": weights.given.fingerprint} if weights else {}),
            **({"embeddings": digests} if (digests := _table_digests(recipe)) else {}),
        },
        **settings,
    )


def _table_digests(recipe: CompiledRecipe) -> dict[str, str]:
    if not any(tables(recipe.graph)):
        return {}
    from lstmgraph.models.building.embeddings import table_digests  # noqa: PLC0415 - imports Keras

    return table_digests(recipe)


def shown_search(
    job: SearchJob, options: RunOptions, folder: Path, console: Console | None
) -> SearchResults:
    """Search as ``run_search`` does, and show it on `console`, if any.

    A terminal shows a live table, anything else plain lines.

    Raises:
        SearchError, KeyboardInterrupt: see ``run_search``.
    """
    if console is None:
        return run_search(job, options, folder)
    if not console.is_terminal:
        lines = LineWatcher(job.objectives, lambda line: console.out(line, highlight=False))
        return run_search(job, options, folder, watcher=lines)
    with Live(console=console, refresh_per_second=4) as live:
        return run_search(job, options, folder, watcher=LiveWatcher(job.objectives, folder, live))
