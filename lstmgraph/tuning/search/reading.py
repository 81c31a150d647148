"""A search's folder read: while it runs, after it has ended, and after it was killed."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from lstmgraph.language.text.bytes import NotUtf8Error, decoded
from lstmgraph.language.text.nodes import MAX_BYTES
from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.job_file import JOB, read_job
from lstmgraph.tuning.search.journal import JOURNAL, journal_events
from lstmgraph.tuning.search.lock import is_locked
from lstmgraph.tuning.search.own_files import read_of_trial, trial_folder
from lstmgraph.tuning.search.ranking import best_trials, pareto_front
from lstmgraph.tuning.search.records import Records
from lstmgraph.tuning.search.results import (
    RUNNING,
    DimensionRow,
    Objective,
    SearchResults,
    TrialRow,
)
from lstmgraph.tuning.search.trial import CONCRETE_RECIPE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FINISHED = "finished"
STOPPED = "stopped"


def read_results(folder: Path) -> SearchResults:
    """Return what the search in `folder` has found so far, as far as its files can be read.

    What cannot be read is named in `unread`: files that were edited, damaged, or replaced by links.

    Raises:
        SearchError: there is no search in `folder`.
    """
    unread: list[str] = []
    job = read_job(folder / JOB, unread)
    if job is None:
        raise SearchError(f"{folder}: there is no search here; `lstmgraph tune` writes one")
    objectives = tuple(Objective(**objective) for objective in job["objectives"])
    records = Records()
    with _noted(unread):
        for event in journal_events(folder / JOURNAL, objectives, unread):
            records.add(event)
    ranked = records.ranked()
    front = pareto_front(ranked, objectives) if len(objectives) > 1 else ()
    order = front or best_trials(ranked, objectives)
    best = order[0] if order else None
    return SearchResults(
        recipe=job["name"],
        objectives=objectives,
        dimensions=tuple(_dimension(row) for row in job["dimensions"]),
        trials=tuple(_row(records, number, folder, unread) for number in sorted(records.started)),
        best=best,
        front=front,
        best_recipe=_concrete_recipe(folder, best, unread),
        state=_state(records, folder),
        settings=_settings(job, records),
        unread=tuple(unread),
    )


@contextmanager
def _noted(unread: list[str]) -> Iterator[None]:
    try:
        yield
    except SearchError as error:
        unread.append(str(error))


def _row(records: Records, number: int, folder: Path, unread: list[str]) -> TrialRow:
    with _noted(unread):
        return records.row(number, folder)
    started = records.started[number]
    return TrialRow(number, RUNNING, started["values"], started=started["started"])


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


def _concrete_recipe(folder: Path, number: int | None, unread: list[str]) -> str:
    if number is None:
        return ""
    place = trial_folder(folder, number)
    with _noted(unread), suppress(FileNotFoundError):
        content = read_of_trial(place, CONCRETE_RECIPE, MAX_BYTES)
        try:
            return decoded(content)
        except NotUtf8Error as error:
            unread.append(f"{place / CONCRETE_RECIPE}: {error}")
    return ""
