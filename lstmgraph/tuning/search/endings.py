"""What became of a trial, as the journal has it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from lstmgraph.tuning.search.checked import OUTCOME_SHAPES, parsed, record_of
from lstmgraph.tuning.search.errors import RUN_AGAIN, SearchError, cannot_use, fault_of
from lstmgraph.tuning.search.own_files import read_of_trial, read_tail
from lstmgraph.tuning.search.ranking import missing_objective
from lstmgraph.tuning.search.records import read_epochs
from lstmgraph.tuning.search.results import FAILED, RANKED
from lstmgraph.tuning.search.trial import LOG, OUTCOME, SPEC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmgraph.tuning.search.journal import Event
    from lstmgraph.tuning.search.results import Objective
    from lstmgraph.tuning.search.workers import Ending

LAST_LINES = 3
LAST_WORDS = 1 << 16
"""Bytes of a trial's log that are looked at for its last lines."""
_NOTHING: dict[str, Any] = {
    "reason": "",
    "metrics": {},
    "history": {},
    "epochs": 0,
    "fit_seconds": 0.0,
    "parameters": None,
}
_OUTCOME = record_of(OUTCOME_SHAPES)


def ended_event(ending: Ending, folder: Path, objectives: Sequence[Objective]) -> Event:
    """Return the event of a trial whose process has ended.

    Raises:
        SearchError: the machine lacked something, such as space: it is not the trial's fault.
    """
    fault = None if ending.stopped else fault_of(ending.exit_code)
    if fault is not None:
        raise SearchError(f"{folder}: trial {ending.number} could not end: {fault}, {RUN_AGAIN}")
    outcome = _outcome(ending, folder)
    return _event(ending.number, outcome, objectives) | {
        "seconds": ending.seconds,
        "peak_memory_mb": ending.peak_memory_mb,
    }


def adopted_event(number: int, folder: Path, objectives: Sequence[Objective]) -> Event | None:
    """Return the event of a trial that ended with no search running; None where it did not end.

    Raises:
        SearchError: its files cannot be read.
    """
    outcome = _read_outcome(folder)
    if outcome is None:
        return None
    try:
        times = [(folder / name).lstat().st_mtime for name in (SPEC, OUTCOME)]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_use(folder, error) from None
    return _event(number, outcome, objectives) | {"seconds": times[1] - times[0]}


def failed_event(number: int, reason: str) -> Event:
    """Return the event of a trial that could not even start."""
    return _event(number, {"status": FAILED, "reason": reason}, ())


def _event(number: int, outcome: dict[str, Any], objectives: Sequence[Objective]) -> Event:
    missing = missing_objective(outcome.get("metrics", {}), objectives)
    if outcome["status"] in RANKED and missing:
        outcome = {**outcome, "status": FAILED, "reason": missing}
    unknown = {"seconds": 0.0, "peak_memory_mb": 0.0}
    return {"event": "ended", "trial": number, **unknown, **_NOTHING, **outcome}


def _outcome(ending: Ending, folder: Path) -> dict[str, Any]:
    found = None if ending.stopped else _read_outcome(folder)
    if found is not None:
        return found
    status, reason = ending.stopped or (FAILED, _crash(ending.exit_code, folder))
    history = read_epochs(folder)
    epochs = max(map(len, history.values()), default=0)
    return {"status": status, "reason": reason, "history": history, "epochs": epochs}


def _read_outcome(folder: Path) -> dict[str, Any] | None:
    """Return what the trial left; None where that is nothing that a trial writes."""
    try:
        content = read_of_trial(folder, OUTCOME)
    except FileNotFoundError:
        return None
    try:
        found = parsed(content, OUTCOME)
    except SearchError:
        return None
    if isinstance(found, dict) and "metrics" in found:
        found = {name: value for name, value in found.items() if name in OUTCOME_SHAPES}
        found = {**_NOTHING, **found}
    return None if _OUTCOME(found) else found


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time ones have no name
        return f"signal {number}"


def _crash(code: int, folder: Path) -> str:
    how = f"it was killed by {_signal(-code)}" if code < 0 else f"it exited with {code}"
    log = read_tail(folder / LOG, LAST_WORDS)
    before, fatal, trace = log.partition("Fatal Python error: ")
    lines = f"{before}{fatal}{trace.partition(chr(10))[0]}".split("\n")
    last = " | ".join([line.strip() for line in lines if line.strip()][-LAST_LINES:])
    return f"{how}; its last words: {last}" if last else how
