"""One search to a folder."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lstmgraph import locks
from lstmgraph.tuning.search.errors import FolderInUseError, SearchError, cannot_use
from lstmgraph.tuning.search.own_files import open_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "lock"


@contextmanager
def folder_lock(folder: Path) -> Iterator[int | None]:
    """Keep other searches out of `folder`; see ``file_lock``.

    Raises:
        FolderInUseError: another search runs in `folder`; the message names its process.
        SearchError: the lock cannot be written, is a link or no file.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(locks.file_lock(folder / LOCK))
        except locks.LockedError as owner:
            raise FolderInUseError(
                f"{folder}: process {owner} searches here; wait for it, or choose another "
                "folder with --output"
            ) from None
        except OSError as error:
            raise cannot_use(folder / LOCK, error) from None
        yield file


def is_locked(folder: Path) -> bool:
    """Return whether a search runs in `folder` now."""
    try:
        file = open_own(folder / LOCK)
    except (SearchError, FileNotFoundError):
        return False
    try:
        return locks.is_locked(file)
    finally:
        os.close(file)
