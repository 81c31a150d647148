"""What became of a trial, as the journal has it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

from lstmgraph.search.errors import SearchError
from lstmgraph.search.ranking import missing_objective
from lstmgraph.search.records import RANKED, read_epochs
from lstmgraph.search.results import FAILED
from lstmgraph.search.trial import LOG, OUTCOME, SPEC
from lstmgraph.search.trial_server import DISK_FULL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmgraph.search.journal import Event
    from lstmgraph.search.results import Objective
    from lstmgraph.search.workers import Ending

LAST_LINES = 3


def ended_event(ending: Ending, folder: Path, objectives: Sequence[Objective]) -> Event:
    """The event of a trial whose process has ended.

    Raises:
        SearchError: it could not write, because the disk is full: it is not the trial's fault.
    """
    if ending.exit_code == DISK_FULL:
        raise SearchError(
            f"{folder}: trial {ending.number} could not write, for the disk is full; free some "
            "space and run the same command again, which goes on with it"
        )
    outcome = _outcome(ending, folder)
    return _event(ending.number, outcome, objectives) | {
        "seconds": ending.seconds,
        "peak_memory_mb": ending.peak_memory_mb,
    }


def adopted_event(number: int, folder: Path, objectives: Sequence[Objective]) -> Event | None:
    """The event of a trial that ended when nobody was there to note it; None where it did not."""
    outcome = _read_outcome(folder)
    if outcome is None:
        return None
    times = [(folder / name).stat().st_mtime for name in (SPEC, OUTCOME)]
    return _event(number, outcome, objectives) | {"seconds": times[1] - times[0]}


def failed_event(number: int, reason: str) -> Event:
    """The event of a trial that could not even start."""
    return _event(number, {"status": FAILED, "reason": reason}, ())


def _event(number: int, outcome: dict[str, Any], objectives: Sequence[Objective]) -> Event:
    missing = missing_objective(outcome.get("metrics", {}), objectives)
    if outcome["status"] in RANKED and missing:
        outcome = {**outcome, "status": FAILED, "reason": missing}
    defaults = {
        "reason": "",
        "metrics": {},
        "history": {},
        "epochs": 0,
        "seconds": 0.0,
        "fit_seconds": 0.0,
        "peak_memory_mb": 0.0,
        "parameters": None,
    }
    return {"event": "ended", "trial": number, **defaults, **outcome}


def _outcome(ending: Ending, folder: Path) -> dict[str, Any]:
    found = None if ending.stopped else _read_outcome(folder)
    if found is not None:
        return found
    status, reason = ending.stopped or (FAILED, _crash(ending.exit_code, folder))
    history = read_epochs(folder)
    epochs = max(map(len, history.values()), default=0)
    return {"status": status, "reason": reason, "history": history, "epochs": epochs}


def _read_outcome(folder: Path) -> dict[str, Any] | None:
    try:
        outcome: dict[str, Any] = json.loads((folder / OUTCOME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return outcome


def _crash(code: int, folder: Path) -> str:
    how = f"it was killed by {signal.Signals(-code).name}" if code < 0 else f"it exited with {code}"
    try:
        log = (folder / LOG).read_text("utf-8", errors="replace")
    except OSError:
        log = ""
    said_before, fatal, trace = log.partition("Fatal Python error: ")
    lines = f"{said_before}{fatal}{trace.partition(chr(10))[0]}".split("\n")
    said = " | ".join([line.strip() for line in lines if line.strip()][-LAST_LINES:])
    return f"{how}; its last words: {said}" if said else how
