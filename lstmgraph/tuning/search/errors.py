"""What stops a search, and the fix."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = "free some space, or allow larger files (`ulimit -f`)"
_READ_ONLY = "make it writable again, or choose another folder"
_FILES = "allow more open files (`ulimit -n`)"
_DISK = "see to the disk"
_MEMORY = "free some memory, or allow more processes (`ulimit -u`)"
MACHINE_FAULTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.ENFILE: _FILES,  # its words begin with those of the next
    errno.EMFILE: _FILES,
    errno.EIO: _DISK,
    errno.ENXIO: _DISK,
    errno.ENODEV: _DISK,
    errno.ESTALE: _DISK,
}
"""Errors of the machine, which are no trial's fault, by number; each with its fix."""
_OF_THE_SEARCH = {**MACHINE_FAULTS, errno.ENOMEM: _MEMORY, errno.EAGAIN: _MEMORY}
"""The same for errors in the search itself, where a lack of memory counts too: a trial that runs
out of it may have asked for too much."""
RUN_AGAIN = "and run the same command again to resume"
_CODES = (*MACHINE_FAULTS, None)
_FIRST_CODE = 200
"""The exit code of a trial that met the first error of `_CODES`; the next codes are for the next
errors. The last one, None, is any other error of the system."""


class SearchError(LstmgraphError):
    """A search cannot start or resume. The trials so far stay in its folder."""


class JobChangedError(SearchError):
    """The folder holds a search of another recipe, space, data or set of versions."""


class FolderInUseError(SearchError):
    """Another process writes this search's folder."""


def cannot_use(path: Path, error: OSError) -> SearchError:
    """Return the error for a file that cannot be opened, read or written, with the fix."""
    return SearchError(f"{path}: {error.strerror or error}; {_fix(error.errno)}")


def _fix(number: int | None) -> str:
    return f"{_OF_THE_SEARCH.get(number or 0, 'fix that')}, {RUN_AGAIN}"


def lacked(error: OSError | MemoryError) -> str | None:
    """Return the resource that a process of the search, not of a trial, lacks, and the fix."""
    number = errno.ENOMEM if isinstance(error, MemoryError) else error.errno
    if number not in _OF_THE_SEARCH:
        return None
    return f"{os.strerror(number)}; {_fix(number)}"


@contextmanager
def faults_end_search(folder: Path) -> Iterator[None]:
    """Make a `SearchError` of what this process lacks to go on, such as memory or descriptors."""
    try:
        yield
    except (OSError, MemoryError) as error:
        what = lacked(error)
        if what is None:
            raise
        raise SearchError(f"{getattr(error, 'filename', None) or folder}: {what}") from None


def fault_code(error: BaseException, *, of_trial: bool = True) -> int | None:
    """Return the exit code for the fault of the machine that `error` is, or comes from.

    Args:
        error: what ended a trial. Libraries wrap errors of the system in their own; some, such as
            HDF5 and TensorFlow, keep its text but not its number.
        of_trial: false for what is raised outside of the trial function, where each of the
            system's errors counts.

    Returns:
        The exit code; None where the trial is to blame.
    """
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        number = cause.errno if isinstance(cause, OSError) else None
        if number is None:
            number = next((n for n in MACHINE_FAULTS if os.strerror(n) in str(cause)), None)
        if number in MACHINE_FAULTS:
            return _FIRST_CODE + _CODES.index(number)
        if isinstance(cause, OSError) and not of_trial:
            return _FIRST_CODE + _CODES.index(None)
        cause = cause.__cause__ or cause.__context__
    return None


def fault_of(code: int) -> str | None:
    """Return the resource that a trial with exit code `code` lacked, and the fix.

    None means that the trial itself is to blame.
    """
    if not 0 <= code - _FIRST_CODE < len(_CODES):
        return None
    number = _CODES[code - _FIRST_CODE]
    reason = "its files cannot be read or written" if number is None else os.strerror(number)
    return f"{reason}; {_OF_THE_SEARCH.get(number or 0, 'fix that')}"
