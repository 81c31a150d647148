"""The search itself: asks the oracle, starts trials, notes what became of them."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from lstmgraph.models.seeds import derived_seed
from lstmgraph.tuning.search.checked import NO_SEARCH
from lstmgraph.tuning.search.endings import adopted_event, ended_event, failed_event
from lstmgraph.tuning.search.errors import SearchError, cannot_use, faults_end_search
from lstmgraph.tuning.search.job_file import check_job
from lstmgraph.tuning.search.journal import JOURNAL, Journal, read_journal
from lstmgraph.tuning.search.lock import folder_lock
from lstmgraph.tuning.search.own_files import TRIALS, check_folders, trial_folder
from lstmgraph.tuning.search.pruning import thresholds
from lstmgraph.tuning.search.ranking import score
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.records import Records
from lstmgraph.tuning.search.results import COMPLETED, RANKED
from lstmgraph.tuning.search.spaces import hyperparameters, plain_values
from lstmgraph.tuning.search.trial import TrialSpec
from lstmgraph.tuning.search.weights import WeightKeeper
from lstmgraph.tuning.search.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.tuning.search.jobs import RunOptions, SearchJob
    from lstmgraph.tuning.search.journal import Event
    from lstmgraph.tuning.search.oracles import OracleDriver
    from lstmgraph.tuning.search.results import SearchResults, TrialRow

TICK = 0.5
"""Seconds between two looks of the watcher at running trials."""


class Watcher(Protocol):
    """Is notified of what happens, such as to show it."""

    def started(self, row: TrialRow) -> None:
        """Show that a trial starts."""

    def ended(self, row: TrialRow) -> None:
        """Show that a trial has ended."""

    def tick(self) -> None:
        """Show how far running trials have come: time has passed."""


def run_search(
    job: SearchJob,
    options: RunOptions,
    folder: Path,
    *,
    watcher: Watcher | None = None,
) -> SearchResults:
    """Search, or go on searching, in `folder`.

    Args:
        job: what is searched; it must be the one that `folder` holds already, if any.
        options: how; these may differ from those of earlier runs.
        folder: made where there is none.
        watcher: is notified of what happens.

    Raises:
        JobChangedError: `folder` holds another search; the message shows the difference.
        FolderInUseError: another process searches there.
        SearchError: the folder cannot be written, holds links or what no search has written, the
            machine lacks space, memory or descriptors, or trials cannot start.
        KeyboardInterrupt: Ctrl-C. All children are ended by then, and the search can go on.
    """
    folder = folder.absolute()
    with faults_end_search(folder):
        try:
            (folder / TRIALS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_use(folder, error) from None
        check_folders(folder)
        with ExitStack() as stack:
            lock = stack.enter_context(folder_lock(folder))
            check_job(folder, job.fingerprint())
            events = read_journal(folder / JOURNAL, job.objectives)
            journal = stack.enter_context(Journal(folder / JOURNAL))
            workers = Workers(folder, job.function, options, lock)
            search = Search(job, options, folder, journal, stack.enter_context(workers), watcher)
            search.run(events)
        return read_results(folder)


@dataclass
class Search:
    """One run of a search; `run` replays what earlier runs did."""

    job: SearchJob
    options: RunOptions
    folder: Path
    journal: Journal
    workers: Workers
    watcher: Watcher | None = None
    records: Records = field(default_factory=Records)
    waiting: bool = False
    """Whether the oracle waits for a trial to end."""
    exhausted: bool = False
    _before: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.weights = WeightKeeper(self.folder, self.job.objectives, self.options.keep)
        self.oracle = _oracle(self.job)

    def run(self, events: list[Event]) -> None:
        """Run trials until the budget is spent, or the oracle has nothing more to propose."""
        for line, event in enumerate(events, 1):
            try:
                self._replay(event)
            except SearchError as error:
                raise SearchError(f"{self.journal.path}:{line}: {error}; {NO_SEARCH}") from None
        self._before = self.records.seconds
        self._began = time.monotonic()
        self._note({"event": "opened", "time": _now(), "options": self.options.as_dict()})
        self._resume()
        while True:
            self._fill()
            if not self.workers.children:
                break
            for ending in self.workers.wait(TICK):
                place = trial_folder(self.folder, ending.number)
                self._end(ended_event(ending, place, self.job.objectives))
            if self.watcher is not None:
                self.watcher.tick()
        self._note({"event": "closed", "because": self._why_no_more() or "exhausted"})

    def _replay(self, event: Event) -> None:
        """Replay the trials of an earlier run to the oracle."""
        from lstmgraph.tuning.search.oracles import Exhausted, Idle  # noqa: PLC0415 - imports TensorFlow

        kind = event["event"]
        self.records.add(event)
        if kind == "started":
            try:
                self.oracle.ask(event["proposed"])
            except (Idle, Exhausted):
                raise SearchError("the oracle proposes nothing here") from None
            if plain_values(self.job.space, event["proposed"]) != event["values"]:
                raise SearchError("`values` are others than those proposed")
        elif kind == "ended":
            self._tell(event)
        elif kind in ("idle", "exhausted"):
            try:
                self.oracle.ask()
            except Idle:
                self.waiting = True
            except Exhausted:
                self.exhausted = True
            else:
                raise SearchError("the oracle goes on where it stopped before")

    def _resume(self) -> None:
        """Record trials that ended while no search ran, and run those again that did not end."""
        for number in self.records.unfinished:
            place = trial_folder(self.folder, number)
            event = adopted_event(number, place, self.job.objectives)
            if event is not None:
                self._end(event)
        self._clean()
        for number in self.records.unfinished:
            while not self.workers.free:  # fewer workers than there were
                for ending in self.workers.wait(TICK):
                    ended = trial_folder(self.folder, ending.number)
                    self._end(ended_event(ending, ended, self.job.objectives))
            self._launch(self.records.started[number])

    def _fill(self) -> None:
        """Start trials while there are free workers, budget and proposals."""
        from lstmgraph.tuning.search.oracles import Exhausted, Idle  # noqa: PLC0415 - imports TensorFlow

        while self.workers.free and not self._why_no_more():
            if self.exhausted or (self.waiting and self.workers.children):
                return
            try:
                proposed = self.oracle.ask()
            except Exhausted:
                self.exhausted = True
                self._note({"event": "exhausted"})
            except Idle:
                self.waiting = True
                self._note({"event": "idle"})
                self.exhausted = not self.workers.children
            else:
                self._start(proposed)

    def _why_no_more(self) -> str:
        """Return why no further trial may start; empty while one may."""
        options = self.options
        if options.max_trials is not None and len(self.records.started) >= options.max_trials:
            return "max_trials"
        if options.seconds is not None and self._elapsed() >= options.seconds:
            return "time"
        if options.max_failures is not None and self.records.failures() >= options.max_failures:
            return "max_failures"
        return ""

    def _start(self, proposed: dict[str, Any]) -> None:
        event = {
            "event": "started",
            "trial": len(self.records.started),
            "proposed": proposed,
            "values": plain_values(self.job.space, proposed),
            "thresholds": self._thresholds(),
            "started": _now(),
        }
        self._note(event)
        self._launch(event)

    def _launch(self, event: Event) -> None:
        number = event["trial"]
        if self.watcher is not None:
            self.watcher.started(self.records.row(number, self.folder))
        source = self.oracle.source(event["proposed"])
        if source is not None and self.records.ended[source]["status"] not in RANKED:
            self._end(failed_event(number, f"it goes on from trial {source}, which failed"))
            return
        place = trial_folder(self.folder, number)
        try:
            if place.exists():
                with os.scandir(place):  # raises where it is a pipe, on which `rmtree` waits
                    shutil.rmtree(place)
            place.mkdir()
        except OSError as error:
            raise cannot_use(place, error) from None
        self.workers.start(self._spec(event, place, source))

    def _spec(self, event: Event, place: Path, source: int | None) -> TrialSpec:
        job, proposed = self.job, event["proposed"]
        first = job.objectives[0]
        return TrialSpec(
            number=event["trial"],
            folder=str(place),
            values=event["values"],
            seed=derived_seed(job.seed, "trial", event["trial"]),
            job=job.payload,
            objective=first.metric,
            direction=first.direction,
            executions=job.executions_per_trial,
            folds=job.folds,
            initial_epoch=proposed.get("tuner/initial_epoch", 0),
            epochs=proposed.get("tuner/epochs"),
            continues=None if source is None else str(trial_folder(self.folder, source)),
            keep_last=self.oracle.is_hyperband,
            thresholds=tuple(event["thresholds"]),
            warmup_epochs=(job.pruning or {}).get("warmup_epochs", 0),
        )

    def _thresholds(self) -> list[float]:
        if self.job.pruning is None:
            return []
        metric = self.job.objectives[0].metric
        completed = [e for e in self.records.ended.values() if e["status"] == COMPLETED]
        histories = [event["history"].get(metric, ()) for event in completed]
        return list(thresholds(histories, min_trials=self.job.pruning["min_trials"]))

    def _end(self, event: Event) -> None:
        self._note(event)
        self._tell(event)
        self._clean()
        if self.watcher is not None:
            self.watcher.ended(self.records.row(event["trial"], self.folder))

    def _tell(self, event: Event) -> None:
        ranked = event["status"] in RANKED
        self.oracle.tell(
            event["trial"], score(event["metrics"], self.job.objectives) if ranked else None
        )
        self.waiting = False

    def _clean(self) -> None:
        running = [self.records.started[number]["proposed"] for number in self.records.unfinished]
        sources = [self.oracle.source(proposed) for proposed in running]
        needed = {source for source in sources if source is not None}
        self.weights.clean(self.records, self.oracle.promotable() | needed)

    def _note(self, event: Event) -> None:
        event["at"] = round(self._elapsed(), 3)
        self.journal.append(event)
        self.records.add(event)

    def _elapsed(self) -> float:
        return self._before + time.monotonic() - self._began


def _oracle(job: SearchJob) -> OracleDriver:
    from lstmgraph.tuning.search.oracles import OracleDriver  # noqa: PLC0415 - imports TensorFlow

    arguments = {name: value for name, value in job.oracle.items() if name != "type"}
    return OracleDriver(job.oracle["type"], arguments, hyperparameters(job.space), job.seed)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
