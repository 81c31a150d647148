"""One process to a folder: a lock on a file in it, which ends with the last process that holds it.

Where the system has no ``flock``, as Windows, nothing is locked.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lstmgraph.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 15.0
"""Seconds that children of a process that was killed are given to notice and end."""
GLANCE = 0.2
"""Seconds after which a lock is not held by `is_locked`, which takes it for a moment."""


class LockedError(Exception):
    """Another process holds the lock; its number, as far as it is known, is the message."""


@contextmanager
def file_lock(path: Path) -> Iterator[int | None]:
    """Hold the lock on the file at `path`, which is made where there is none.

    Yields:
        The file's descriptor: children that inherit it hold the lock while they live. None where
        the system has no locks.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be written, or is a link or no file.
    """
    if not _has_locks():
        yield None
        return
    file = open_file(path, os.O_RDWR | os.O_CREAT, follow_links=False)
    try:
        _acquire(file)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        try:
            yield file
        finally:
            with suppress(OSError):  # what stands in it counts while it is held
                os.ftruncate(file, 0)
    finally:
        os.close(file)


def is_locked(file: int) -> bool:
    """Return whether a process holds the lock on an open file."""
    return _has_locks() and not _take(file, shared=True)


def _has_locks() -> bool:
    try:
        import fcntl  # noqa: F401, PLC0415 - not on Windows
    except ImportError:
        return False
    return True


def _take(file: int, *, shared: bool = False) -> bool:
    """Take the lock if no other process holds it."""
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _acquire(file: int) -> None:
    began = time.monotonic()
    while not _take(file):
        owner = os.pread(file, 20, 0).decode("ascii", "replace") or "unknown"
        if time.monotonic() - began > (GLANCE if _lives(owner) else PATIENCE):
            raise LockedError(owner)
        time.sleep(0.02)


def _lives(owner: str) -> bool:
    try:
        os.kill(int(owner), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
