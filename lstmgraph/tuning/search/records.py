"""The journal's events put together: which trials there are, and how far each has come."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.tuning.search.checked import mapping_of, number, parsed
from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.own_files import read_of_trial, trial_folder
from lstmgraph.tuning.search.results import RANKED, RUNNING, TrialRow
from lstmgraph.tuning.search.trial import EPOCHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lstmgraph.tuning.search.journal import Event

_EPOCH = mapping_of(number)


@dataclass
class Records:
    """All trials of a journal, from its events in order."""

    started: dict[int, Event] = field(default_factory=dict)
    ended: dict[int, Event] = field(default_factory=dict)
    opened: Event = field(default_factory=dict)
    """How the search was run last."""
    closed: Event | None = None
    seconds: float = 0.0
    """The seconds of search, over all its runs."""

    @classmethod
    def of(cls, events: Iterable[Event]) -> Records:
        """Return the records of all `events`."""
        records = cls()
        for event in events:
            records.add(event)
        return records

    def add(self, event: Event) -> None:
        """Take in one event."""
        self.seconds = event.get("at", self.seconds)
        self.closed = event if event["event"] == "closed" else None
        if event["event"] == "opened":
            self.opened = event
        elif event["event"] == "started":
            self.started[event["trial"]] = event
        elif event["event"] == "ended":
            self.ended[event["trial"]] = event

    @property
    def unfinished(self) -> list[int]:
        """Return the trials that were started and have not ended."""
        return [number for number in self.started if number not in self.ended]

    def ranked(self) -> dict[int, Mapping[str, float]]:
        """Return the metrics of the trials that have a result, those stopped early included."""
        return {n: event["metrics"] for n, event in self.ended.items() if event["status"] in RANKED}

    def failures(self) -> int:
        """Return how many trials have ended without a result."""
        return sum(event["status"] not in RANKED for event in self.ended.values())

    def row(self, number: int, folder: Path) -> TrialRow:
        """Return one trial; of a running one, the epochs that it has noted so far."""
        started = self.started[number]
        common: dict[str, Any] = {
            "number": number,
            "values": started["values"],
            "started": started["started"],
        }
        ended = self.ended.get(number)
        if ended is None:
            history = read_epochs(trial_folder(folder, number))
            epochs = max(map(len, history.values()), default=0)
            return TrialRow(**common, status=RUNNING, history=history, epochs=epochs)
        history = {name: tuple(values) for name, values in ended["history"].items()}
        kept = ("status", "reason", "metrics", "epochs", "seconds", "fit_seconds", "parameters")
        return TrialRow(
            **common,
            **{name: ended[name] for name in kept},
            history=history,
            peak_memory_mb=ended["peak_memory_mb"],
        )


def read_epochs(place: Path) -> dict[str, tuple[float, ...]]:
    """Return the history that the trial in `place` has noted, as far as it is whole.

    Raises:
        SearchError: its file is a link or no file, or cannot be read.
    """
    history: dict[str, list[float]] = defaultdict(list)
    try:
        whole = read_of_trial(place, EPOCHS).rpartition(b"\n")[0]
    except FileNotFoundError:
        return {}
    for line in whole.splitlines():
        try:
            epoch = parsed(line, EPOCHS)
        except SearchError:
            break
        if _EPOCH(epoch):
            break
        for name, value in epoch.items():
            if name != "epoch":
                history[name].append(value)
    return {name: tuple(values) for name, values in history.items()}
