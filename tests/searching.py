"""Searches run in processes of their own, to be killed."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

from forked_servers import start_forked

from lstmgraph.tuning.search import workers
from lstmgraph.tuning.search.jobs import RunOptions
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.trial import TrialSpec
from lstmgraph.tuning.search.workers import Ending, Workers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lstmgraph.tuning.search.results import TrialRow

TRIALS = {"random": 12, "grid": 12, "hyperband": 12, "bayesian": 8}
ORACLES: dict[str, dict[str, Any]] = {
    "random": {"type": "random"},
    "grid": {"type": "grid"},
    "hyperband": {"type": "hyperband", "max_epochs": 4, "factor": 2},
    "bayesian": {"type": "bayesian", "num_initial_points": 5},
}
PATIENCE = 120.0
"""Seconds after which a search that does not end is a failure."""


class Searcher:
    """Starts searches by forking, so that TensorFlow is imported once for all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        preload = (
            "keras_tuner",
            "lstmgraph.tuning.search.oracles",
            "lstmgraph.tuning.search.engine",
        )
        with patch.object(workers, "_start_server", start_forked):
            self.workers = Workers(folder, "search_trials:a_search", RunOptions(preload=preload))
        self.numbers = count()

    def run(
        self, folder: Path, oracle: str, *, kill_after: float | None = None, **job: Any
    ) -> Ending:
        """Search in `folder`; ``kill -9`` once `kill_after` seconds have passed."""
        number = self.start(folder, oracle, **job)
        if kill_after is not None:
            ended = self._kill(number, kill_after)
            if ended is not None:
                return ended
        (ending,) = self.workers.wait(PATIENCE)
        return ending

    def start(self, folder: Path, oracle: str, **job: Any) -> int:
        """Start a search; return its number among those of this object."""
        number = next(self.numbers)
        place = self.folder / f"{number:04d}"
        place.mkdir()
        options = {"max_trials": TRIALS[oracle], **job.pop("options", {})}
        wanted = {"folder": str(folder), "oracle": ORACLES[oracle], "options": options}
        wanted["job"] = {"function": "search_trials:arithmetic", "seed": 3, **job}
        spec = TrialSpec(number, str(place), values={}, seed=0, job=wanted)
        self.workers.start(spec)
        return number

    def _kill(self, number: int, seconds: float) -> Ending | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or self.workers.children[number].pid is None:
            for ending in self.workers.wait(max(0.01, deadline - time.monotonic())):
                return ending
        pid = self.workers.children[number].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.workers.__exit__()


def findings(folder: Path) -> list[dict[str, Any]]:
    """What a search has found, without what differs from run to run: times and memory."""
    return [_timeless(row) for row in read_results(folder).trials]


def _timeless(row: TrialRow) -> dict[str, Any]:
    changing = ("seconds", "fit_seconds", "started", "peak_memory_mb")
    return {name: value for name, value in asdict(row).items() if name not in changing}


def weights(folder: Path) -> set[str]:
    """The weights on the disk."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*.keras")}


def run_with_kills(
    searcher: Searcher, folder: Path, oracle: str, moments: Iterable[float], **job: Any
) -> int:
    """Search, killed after each of `moments` in seconds, and then to the end.

    Returns:
        How many of them met a living search.
    """
    met = 0
    for moment in moments:
        ending = searcher.run(folder, oracle, kill_after=moment, **job)
        met += ending.exit_code == -signal.SIGKILL
    last = searcher.run(folder, oracle, **job)
    assert last.exit_code == 0, last
    return met
