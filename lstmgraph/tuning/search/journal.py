"""The memory of a search: one line for each thing that happened, on the disk before it counts.

The oracle itself is never saved: keras-tuner's cannot be resumed exactly. A fresh one with the same
seed gets the same results in the same order, and then proposes what it would have proposed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from lstmgraph.tuning.search.checked import EVENTS, NO_SEARCH, parsed
from lstmgraph.tuning.search.errors import SearchError, cannot_use
from lstmgraph.tuning.search.own_files import open_own, read_own
from lstmgraph.tuning.search.ranking import missing_objective
from lstmgraph.tuning.search.results import RANKED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lstmgraph.tuning.search.results import Objective

JOURNAL = "search.jsonl"

Event = dict[str, Any]


def read_journal(path: Path, objectives: Sequence[Objective]) -> list[Event]:
    """Return all whole lines. A last one that was cut off, as by a kill, is left out.

    Raises:
        SearchError: a line before the last is none that a search writes there; it is named.
    """
    problems: list[str] = []
    events = list(journal_events(path, objectives, problems))
    if problems:
        raise SearchError(problems[0])
    return events


def journal_events(
    path: Path, objectives: Sequence[Objective], problems: list[str]
) -> Iterator[Event]:
    """Yield the events that can be read; of the other lines, add what is wrong to `problems`.

    Raises:
        SearchError: the file cannot be read.
    """
    try:
        whole, _, _ = read_own(path).rpartition(b"\n")
    except FileNotFoundError:
        return
    started: set[int] = set()
    ended: set[int] = set()
    for number, line in enumerate(whole.splitlines(), 1):
        place = f"{path}:{number}"
        try:
            event = parsed(line, place)
            wrong = _wrong(event) or _out_of_order(event, started, ended, gaps=bool(problems))
        except SearchError as error:
            problems.append(str(error))
            continue
        if not wrong and event.get("status") in RANKED:
            wrong = missing_objective(event["metrics"], objectives)
        if wrong:
            problems.append(f"{place}: {wrong}; {NO_SEARCH}")
            continue
        if event["event"] in ("started", "ended"):
            (started if event["event"] == "started" else ended).add(event["trial"])
        yield event


def _wrong(event: Any) -> str:
    kind = event.get("event") if isinstance(event, dict) else None
    if not isinstance(kind, str) or kind not in EVENTS:
        return f"an event must be a mapping whose `event` is one of {', '.join(EVENTS)}"
    return EVENTS[kind](event)


def _out_of_order(event: Event, started: set[int], ended: set[int], *, gaps: bool) -> str:
    """Return why `event` cannot come here; with `gaps`, earlier lines could not be read."""
    if event["event"] not in ("started", "ended"):
        return ""
    trial = event["trial"]
    if event["event"] == "started":
        following = len(started) if not gaps else max(started, default=-1) + 1
        if trial != following and not (gaps and trial > following):
            return f"trial {trial} starts where trial {following} would"
    elif trial not in started or trial in ended:
        return f"trial {trial} ends and does not run"
    return ""


class Journal:
    """Appends events, each synced to the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open_own(path, os.O_RDWR | os.O_CREAT)
            self._drop_torn_line()
        except OSError as error:
            raise cannot_use(path, error) from None

    def append(self, event: Event) -> None:
        """Write one event, wholly or not at all.

        Raises:
            SearchError: the disk is full, or the file cannot be written.
        """
        end = os.lseek(self._file, 0, os.SEEK_END)
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        try:
            write_all(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):  # a torn line is dropped when the journal is opened, too
                os.ftruncate(self._file, end)
            raise cannot_use(self.path, error) from None

    def _drop_torn_line(self) -> None:
        whole = read_own(self.path).rfind(b"\n") + 1
        if whole != os.fstat(self._file).st_size:
            os.ftruncate(self._file, whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def write_all(file: int, data: bytes) -> None:
    """Write all of `data`: ``os.write`` may write less, such as on a disk that runs full."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
