"""What stops a search, said so that a user can mend it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


class SearchError(Exception):
    """A search cannot start or go on. What was found so far stays in its folder."""


class JobChangedError(SearchError):
    """The folder holds a search of another recipe, space, data or set of versions."""


class FolderInUseError(SearchError):
    """Another process writes this search's folder."""


def cannot_write(path: Path, error: OSError) -> SearchError:
    """The error for a file that could not be written, and what to do about it."""
    if error.errno in FULL_DISK:
        mend = "the disk is full: free some space and run the same command again, which goes on"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        mend = "the folder cannot be written: choose another, or change its permissions"
    else:
        mend = "run the same command again once that is mended, and the search goes on"
    return SearchError(f"{path}: {error.strerror or error}; {mend}")
