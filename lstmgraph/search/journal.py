"""The memory of a search: one line for each thing that happened, on the disk before it counts.

The oracle itself is never saved: keras-tuner's cannot be resumed exactly. A fresh one with the same
seed is told the same things in the same order, and then proposes what it would have proposed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from lstmgraph.search.errors import SearchError, cannot_write

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL = "search.jsonl"

Event = dict[str, Any]


def read_journal(path: Path) -> list[Event]:
    """All whole lines. A last line that was cut off, as by a full disk or a kill, is left out.

    Raises:
        SearchError: a line before the last is not one of a journal.
    """
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SearchError(f"{path}: {error.strerror or error}") from None
    return [_event(path, number, line) for number, line in enumerate(whole.splitlines(), 1)]


def _event(path: Path, number: int, line: bytes) -> Event:
    try:
        event = json.loads(line)
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            return event
    except ValueError:
        pass
    raise SearchError(
        f"{path}:{number}: this line was not written by a search; mend it, or begin anew with "
        "--restart, which keeps this folder under another name"
    )


class Journal:
    """Appends events, each synced to the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            self._drop_torn_line()
        except OSError as error:
            raise cannot_write(path, error) from None

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
            raise cannot_write(self.path, error) from None

    def _drop_torn_line(self) -> None:
        content = self.path.read_bytes()
        os.ftruncate(self._file, content.rfind(b"\n") + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def write_all(file: int, data: bytes) -> None:
    """``os.write`` may write less than it is given, such as on a disk that runs full."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
