"""The files of a search's folder. It may come from elsewhere: no link in it leads out of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lstmgraph.files import open_file, refuse_link
from lstmgraph.tuning.search.errors import SearchError, cannot_use

if TYPE_CHECKING:
    from pathlib import Path

TRIALS = "trials"
KEPT = "data"
"""Data that was given as values, and tables as trials read them."""
MOST_BYTES = 1 << 28
"""Of a file that is read whole: a journal of some 10,000 trials of 1,000 epochs."""


def trial_folder(folder: Path, number: int) -> Path:
    """Return ``DIR/trials/0007``."""
    return folder / TRIALS / f"{number:04d}"


def check_folders(folder: Path) -> None:
    """Refuse links among the folders that a search writes into.

    Raises:
        SearchError: there is one, or they cannot be looked at.
    """
    try:
        for name in (TRIALS, KEPT):
            refuse_link(folder / name)
        for path in (*(folder / TRIALS).glob("*"), *(folder / KEPT).rglob("*")):
            refuse_link(path)
    except OSError as error:
        raise cannot_use(folder, error) from None


def open_own(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file of a search's folder; `flags` are those of ``os.open``.

    Raises:
        FileNotFoundError: there is none, and it is not to be made.
        SearchError: it is a link or no file, or the system refuses.
    """
    try:
        return open_file(path, flags, follow_links=False)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        if missing and not flags & os.O_CREAT:
            raise FileNotFoundError(str(path)) from None
        raise cannot_use(path, error) from None


def open_of_trial(place: Path, name: str) -> int:
    """Open a file of the trial whose folder is `place`.

    Raises:
        FileNotFoundError, SearchError: as ``open_own`` does; a link in place of the trial's folder,
            or of that of all trials, is refused too.
    """
    for folder in (place.parent, place):
        try:
            refuse_link(folder)
        except OSError as error:
            raise cannot_use(folder, error) from None
    return open_own(place / name)


def read_own(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file of a search's folder.

    Raises:
        FileNotFoundError: there is none.
        SearchError: it is a link or no file, has more than `most` bytes, or cannot be read.
    """
    return _content(open_own(path), path, most)


def _content(descriptor: int, path: Path, most: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        try:
            content = file.read(most + 1)
        except OSError as error:
            raise cannot_use(path, error) from None
    if len(content) > most:
        raise SearchError(f"{path}: it is larger than {most:,} bytes, which no search writes")
    return content


def read_tail(path: Path, most: int) -> str:
    """Return the last `most` bytes of a file as text; none where there is no file.

    Raises:
        SearchError: as ``read_own`` does.
    """
    try:
        with os.fdopen(open_own(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            return file.read(most).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise cannot_use(path, error) from None


def read_of_trial(place: Path, name: str, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file of a trial, whose folder is `place`.

    Raises:
        FileNotFoundError, SearchError: as ``open_of_trial`` and ``read_own`` do.
    """
    return _content(open_of_trial(place, name), place / name, most)
