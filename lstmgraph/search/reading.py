"""A search's folder read: while it runs, after it has ended, and after it was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.search.errors import SearchError
from lstmgraph.search.job_file import JOB, read_job
from lstmgraph.search.journal import JOURNAL, read_journal
from lstmgraph.search.lock import is_locked
from lstmgraph.search.ranking import best_trials, pareto_front
from lstmgraph.search.records import Records, trial_folder
from lstmgraph.search.results import RUNNING, DimensionRow, Objective, SearchResults
from lstmgraph.search.trial import CONCRETE_RECIPE

if TYPE_CHECKING:
    from pathlib import Path

FINISHED = "finished"
STOPPED = "stopped"


def read_results(folder: Path) -> SearchResults:
    """What the search in `folder` has found so far.

    Raises:
        SearchError: there is no search in `folder`, or its files are not those of one.
    """
    job = read_job(folder / JOB)
    if job is None:
        raise SearchError(f"{folder}: there is no search here; `lstmgraph tune` writes one")
    records = Records.of(read_journal(folder / JOURNAL))
    objectives = tuple(Objective(**objective) for objective in job["objectives"])
    ranked = records.ranked()
    front = pareto_front(ranked, objectives) if len(objectives) > 1 else ()
    order = front or best_trials(ranked, objectives)
    best = order[0] if order else None
    return SearchResults(
        recipe=job["name"],
        objectives=objectives,
        dimensions=tuple(_dimension(row) for row in job["dimensions"]),
        trials=tuple(records.row(number, folder) for number in sorted(records.started)),
        best=best,
        front=front,
        best_recipe=_concrete_recipe(folder, best),
        state=_state(records, folder),
        settings=_settings(job, records),
    )


def _state(records: Records, folder: Path) -> str:
    if records.closed is not None:
        return FINISHED
    return RUNNING if is_locked(folder) else STOPPED


def _settings(job: dict[str, Any], records: Records) -> dict[str, Any]:
    own = {name: job[name] for name in ("oracle", "seed", "executions_per_trial", "folds")}
    settings = {**own, "pruning": job["pruning"], **records.opened.get("options", {})}
    if records.closed is not None:
        settings["ended_because"] = records.closed["because"]
    return settings | {"search_seconds": records.seconds}


def _dimension(row: dict[str, Any]) -> DimensionRow:
    return DimensionRow(**{**row, "choices": tuple(row["choices"])})


def _concrete_recipe(folder: Path, number: int | None) -> str:
    if number is None:
        return ""
    try:
        return (trial_folder(folder, number) / CONCRETE_RECIPE).read_text("utf-8")
    except OSError:
        return ""
