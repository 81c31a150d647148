"""A whole ``tune``: from a searched recipe and data to the best model, in one folder."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from lstmgraph.data.problems import as_lines
from lstmgraph.language.declaration.defaults import complete_search
from lstmgraph.tuning.checks import check_searchable, check_watched
from lstmgraph.tuning.data import fingerprint, read_parts, settled, with_folds
from lstmgraph.tuning.payload import FUNCTION, trial_payload
from lstmgraph.tuning.recipes import recipe_identity, recipe_payload
from lstmgraph.tuning.result import TuneResult, write_results, written_results
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.errors import SearchError, cannot_use, faults_end_search
from lstmgraph.tuning.search.job import job_settings, shown_search, versions
from lstmgraph.tuning.search.job_file import move_aside
from lstmgraph.tuning.search.jobs import SearchJob
from lstmgraph.tuning.search.lock import folder_lock
from lstmgraph.tuning.search.own_files import KEPT, check_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.tuning.search.jobs import RunOptions

PRELOAD = ("keras", "h5py", "lstmgraph.data.feeding", "lstmgraph.tuning.trial")
TEST = "test"


@dataclass(frozen=True)
class TuneRequest:
    """What is tuned, on what, where and how."""

    recipe: CompiledRecipe
    data: Mapping[str, Any]
    """``train``, and where they are given apart ``validation`` and ``test``: any source that
    ``Recipe.load_data`` takes, or a `Given`."""
    folder: Path
    options: RunOptions
    restart: bool = False
    console: Console | None = None
    """Where a live table, or lines, are shown."""
    callbacks: str = ""
    """The user's, as ``pickled`` writes them."""
    section: dict[str, Any] = field(init=False)
    """``search:`` with defaults filled in."""

    def __post_init__(self) -> None:
        section = self.recipe.completed.get("search") or complete_search({})
        object.__setattr__(self, "section", section)


def tune(request: TuneRequest) -> TuneResult:
    """Search, or go on searching, until the budget is spent; then score the best on test data.

    Raises:
        ValueError: the recipe has nothing to search, or the search would never end.
        RecipeError: what is watched needs validation data and there is none (L764).
        DataError: the data does not fit the recipe.
        SearchError: the folder holds another search, is in use, or cannot be written.
        KeyboardInterrupt: Ctrl-C; what was found so far is in the folder.
    """
    check_searchable(request.recipe)
    options = _options(request)
    with faults_end_search(request.folder):
        return _tuned(request, options)


def _tuned(request: TuneRequest, options: RunOptions) -> TuneResult:
    if request.restart:
        _begin_anew(request.folder)
    check_folders(request.folder)
    sources = _checked_data(request)
    try:
        _search(request, _job(request, sources), options)
    except KeyboardInterrupt:
        with suppress(SearchError):  # nothing had begun
            write_results(request.folder)
        raise
    files, results = written_results(request.folder)
    if results.unread:
        raise SearchError("\n".join(results.unread_said()))
    result = TuneResult(results, request.folder, files)
    if "model" not in files:
        return result
    from lstmgraph.tuning.scoring import test_score  # noqa: PLC0415 - starts TensorFlow

    with faults_end_search(Path(gettempdir())):  # where a model is loaded from
        return replace(result, test=test_score(files["model"], sources, request.folder / KEPT))


def _begin_anew(folder: Path) -> None:
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
        raise ValueError(
            "this search would go on for ever: say how many trials (--max-trials 50, or "
            "`max_trials:` under `search:`) or how long (--time 2h)"
        )
    return replace(options, max_trials=most)


def _folds(request: TuneRequest) -> int | None:
    data = request.recipe.declaration.data
    return request.section["folds"] or (data.split.folds if data else None)


def _checked_data(request: TuneRequest) -> dict[str, str]:
    """Where trials find the data, which fits the recipe and what is watched of it."""
    kept = request.folder.absolute() / KEPT
    recipe = with_folds(request.recipe, _folds(request))
    try:
        data = read_parts(recipe, request.data, kept)
        objectives = job_settings(request.section)["objectives"]
        check_watched(recipe, objectives, validates=bool(data.validation or data.folds))
        if request.console is not None:
            for line in as_lines(data.warnings):
                request.console.out(line, highlight=False)
        return {name: settled(recipe, source, kept) for name, source in request.data.items()}
    except OSError as error:
        raise cannot_use(kept, error) from None


def _job(request: TuneRequest, sources: dict[str, str]) -> SearchJob:
    recipe = request.recipe
    settings = {**job_settings(request.section), "folds": _folds(request)}
    trained_on = {name: path for name, path in sources.items() if name != TEST}
    payload = trial_payload(recipe_payload(recipe.written), trained_on, settings["objectives"])
    return SearchJob(
        recipe=recipe.declaration.name,
        space=recipe.collected.space,
        function=FUNCTION,
        payload={**payload, "callbacks": request.callbacks},
        identity={
            "recipe": recipe_identity(recipe.written),
            "data": {name: fingerprint(Path(path)) for name, path in trained_on.items()},
            "versions": versions(),
        },
        **settings,
    )


def _search(request: TuneRequest, job: SearchJob, options: RunOptions) -> None:
    if request.console is None:
        run_search(job, options, request.folder)
    else:
        shown_search(job, options, request.folder, console=request.console)
