"""One process to a folder: a lock that ends with the search and the last of its children."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lstmgraph.tuning.search.errors import FolderInUseError, SearchError, cannot_use
from lstmgraph.tuning.search.own_files import open_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "lock"
PATIENCE = 15.0
"""Seconds that children of a search that was killed are given to notice and end."""
GLANCE = 0.2
"""Seconds after which a lock is not held by `is_locked`, which takes it for a moment."""


@contextmanager
def folder_lock(folder: Path) -> Iterator[int]:
    """The lock's file descriptor: children inherit it, and hold the folder while they live.

    Raises:
        FolderInUseError: another search runs in `folder`; the message names its process.
        SearchError: the lock cannot be written, is a link or no file.
    """
    file = open_own(folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        _acquire(file, folder)
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
        except OSError as error:
            raise cannot_use(folder / LOCK, error) from None
        yield file
        with suppress(OSError):  # what stands in it counts while it is held
            os.ftruncate(file, 0)
    finally:
        os.close(file)


def _acquire(file: int, folder: Path) -> None:
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(file, 20, 0).decode("ascii", "replace") or "unknown"
            if time.monotonic() - began > (GLANCE if _lives(owner) else PATIENCE):
                raise FolderInUseError(
                    f"{folder}: process {owner} searches here; wait for it, or choose another "
                    "folder with --output"
                ) from None
            time.sleep(0.02)
        else:
            return


def _lives(owner: str) -> bool:
    try:
        os.kill(int(owner), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def is_locked(folder: Path) -> bool:
    """Whether a search runs in `folder` now."""
    try:
        file = open_own(folder / LOCK)
    except (SearchError, FileNotFoundError):
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
