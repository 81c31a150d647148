"""From what a recipe and a command say to a search: what ``tuning/run.py`` is made of."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from rich.live import Live

from lstmgraph.tuning.search.display import LineWatcher, LiveWatcher
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.results import Objective

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from lstmgraph.tuning.search.jobs import RunOptions, SearchJob
    from lstmgraph.tuning.search.results import SearchResults

PACKAGES = ("lstmgraph", "keras", "tensorflow", "keras-tuner", "scikit-learn", "numpy")


def job_settings(section: Mapping[str, Any]) -> dict[str, Any]:
    """``search:`` as plain data, defaults filled in -> the arguments of `SearchJob` that it says.

    ``max_trials`` is not among them: it is a matter of `RunOptions`, and may change when a search
    goes on.
    """
    pruning = {key: value for key, value in section["pruning"].items() if key != "type"}
    return {
        "oracle": section["oracle"],
        "objectives": tuple(Objective(**objective) for objective in section["objective"]),
        "seed": section["seed"],
        "executions_per_trial": section["executions_per_trial"],
        "folds": section["folds"],
        "pruning": None if section["pruning"]["type"] == "none" else pruning,
    }


def shown_search(
    job: SearchJob, options: RunOptions, folder: Path, *, console: Console, restart: bool = False
) -> SearchResults:
    """`run_search` with a live table where `console` is a terminal, and plain lines elsewhere.

    Raises:
        SearchError, KeyboardInterrupt: see `run_search`.
    """
    if not console.is_terminal:
        lines = LineWatcher(job.objectives, lambda line: console.out(line, highlight=False))
        return run_search(job, options, folder, watcher=lines, restart=restart)
    with Live(console=console, refresh_per_second=4) as live:
        table = LiveWatcher(job.objectives, folder, live)
        return run_search(job, options, folder, watcher=table, restart=restart)


def versions() -> dict[str, str]:
    """The versions of what a trial's numbers depend on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def duration(text: str) -> float:
    """``90``, ``90s``, ``15m`` or ``2h`` in seconds.

    Raises:
        ValueError: it is none of these.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise ValueError(f"'{text}' is no length of time; write one such as 90s, 15m or 2h")
    return seconds
