"""Open regular files only, and write files and folders whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

NEW_FILE = 0o666
"""The mode of a new file, before the process's umask is applied."""
MOST_OF_STEM = 40
"""How much of a file's name a temporary one beside it has, as names have 255 bytes at most."""


class NotAFileError(LstmgraphError, OSError):
    """Raised for a pipe, a device or a socket, which could block or never end."""


class LinkError(LstmgraphError, OSError):
    """Raised for a symbolic link in place of one of lstmgraph's own files."""


def open_file(path: Path, flags: int = os.O_RDONLY, *, follow_links: bool = True) -> int:
    """Open a regular file and return its descriptor.

    Args:
        path: the file.
        flags: as for ``os.open``; with ``os.O_CREAT`` a missing file is created.
        follow_links: whether to follow a symbolic link. False for files inside a folder that may
            come from somebody else, where a link could lead out of the folder.

    Raises:
        OSError: if the file cannot be opened, or is a folder.
        NotAFileError: if it is a pipe, a device or a socket.
        LinkError: if it is a symbolic link and `follow_links` is false.
        ValueError: if the path holds a null byte.
    """
    if not follow_links:
        refuse_link(path)
        flags |= getattr(os, "O_NOFOLLOW", 0)
    # Without O_NONBLOCK, opening a pipe blocks until another process opens its other end.
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    # Truncate only after checking that this is a regular file.
    try:
        descriptor = os.open(path, flags & ~os.O_TRUNC, NEW_FILE)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a pipe without a reader
            raise _not_a_file(path) from None
        raise
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_regular_file(path: Path, most: int = -1, *, follow_links: bool = True) -> bytes:
    """Return the first `most` bytes of the file at `path`; all of them by default.

    Raises:
        OSError, ValueError: as ``open_file`` does.
    """
    with os.fdopen(open_file(path, follow_links=follow_links), "rb") as file:
        return file.read(most)


def require_regular_file(path: Path) -> None:
    """Raise what ``open_file`` would raise, before another library opens `path`."""
    _require_regular(path.stat().st_mode, path)


def refuse_link(path: Path) -> None:
    """Check that `path` is not a symbolic link.

    Raises:
        LinkError: if it is one.
    """
    if path.is_symlink():
        message = "it is a symbolic link; replace it with the file or folder itself"
        raise LinkError(errno.ELOOP, message, str(path))


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise _not_a_file(path)


def _not_a_file(path: Path) -> NotAFileError:
    message = "it is not a regular file; copy its contents into one"
    return NotAFileError(errno.EINVAL, message, str(path))


def existing_parent(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that is there, as an absolute path."""
    absolute = path.absolute()
    return next((p for p in (absolute, *absolute.parents) if p.exists()), path)


def obstacle(
    folder: Path, paths: Collection[Path] = (), *, overwrite: bool, folders: bool = False
) -> str | None:
    """Return why `paths` in `folder`, or else files in it, cannot be written; None if they can.

    Args:
        folder: a folder, which is made with its parents where it is missing.
        paths: the files.
        overwrite: whether existing files may be replaced. A symbolic link is, not what it leads to.
        folders: whether some of the paths are to be folders.
    """
    try:
        why = _why_closed(folder)
        existing = [path for path in paths if path.exists()]
        wrong = [path for path in existing if path.is_dir() and not (folders or path.is_symlink())]
        why = why or (f"{wrong[0]} is a folder" if wrong else None)
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        return f"cannot write {next(iter(paths), folder)}: {why}; choose another -o"
    if existing and not overwrite:
        names = ", ".join(map(str, existing))
        return f"{names} would be overwritten; add --force, or choose another -o"
    return None


def _why_closed(folder: Path) -> str | None:
    """Return why there can be no files in a folder; None if there can.

    Raises:
        OSError: the system has another reason: a file that is made to try, and that has no name,
            tells more than permissions, which do not bind root, or in ``/proc``.
    """
    absolute = folder.absolute()
    for path in (absolute, *absolute.parents):
        if path.is_symlink() and not path.exists():
            return f"{path} is a symbolic link to nothing"
    parent = existing_parent(folder)
    if not parent.is_dir():
        return f"{parent} is not a folder"
    with tempfile.TemporaryFile(dir=parent):
        return None


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, and rename it to `target` when the block ends.

    The temporary path has the same suffix. If the block raises or the process dies, `target`
    stays as it was. A symbolic link at `target` is replaced, not followed.
    """
    temporary = _beside(target, "tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        if error.filename in {str(temporary), temporary}:  # a name that nobody has chosen
            error.filename = str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary path for a new folder, and rename it to `target` when the block ends.

    The block creates the folder. One folder cannot replace another in one step, so the old one is
    moved away first, and moved back if the new one cannot be renamed. A symbolic link at `target`
    is replaced, not followed.
    """
    temporary, old = _beside(target, "tmp"), _beside(target, "old")
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        if target.exists() or target.is_symlink():
            target.rename(old)
        try:
            temporary.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        for path in (temporary, old):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:  # `rmtree` leaves a file where it is, and waits on a pipe for ever
                path.unlink(missing_ok=True)


def _beside(target: Path, kind: str) -> Path:
    """Return a path beside `target` with a random part, so that nobody can place a link there."""
    stem = target.stem[:MOST_OF_STEM]
    return target.with_name(f".{stem}.{secrets.token_hex(4)}.{kind}{target.suffix}")


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Create `folder` and its missing parents; remove them again if the block raises."""
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in created:
            with suppress(OSError):  # no longer empty
                path.rmdir()
        raise
