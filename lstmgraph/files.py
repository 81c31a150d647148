"""Files: opened where they are regular files, written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NEW_FILE = 0o666
"""The mode of a file that is made, less the process's umask."""


class NotAFileError(LstmgraphError, OSError):
    """A pipe, a device or a socket: reading it could wait, or go on, for ever."""


class LinkError(LstmgraphError, OSError):
    """A link in place of a file of lstmgraph's own: it could lead out of the folder."""


def open_file(path: Path, flags: int = os.O_RDONLY, *, follow_links: bool = True) -> int:
    """Open a regular file and return its descriptor.

    Args:
        path: the file.
        flags: those of ``os.open``. With ``os.O_CREAT`` the file is made where there is none.
        follow_links: false for files that a folder from elsewhere may hold in place of ours: a
            link there must not lead to a file outside of it.

    Raises:
        OSError: it cannot be opened, or is a folder.
        NotAFileError: it is a pipe, a device or a socket.
        LinkError: it is a link, and links are not followed.
        ValueError: there is a null byte in the path.
    """
    if not follow_links:
        refuse_link(path)
        flags |= getattr(os, "O_NOFOLLOW", 0)
    # Without O_NONBLOCK, opening a pipe waits for somebody at its other end.
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    # Truncated only once it is known to be a file.
    try:
        descriptor = os.open(path, flags & ~os.O_TRUNC, NEW_FILE)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a pipe that nobody reads
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
    """Return the first `most` bytes of the file at `path`, or all of it.

    Raises:
        OSError, ValueError: as ``open_file`` does.
    """
    with os.fdopen(open_file(path, follow_links=follow_links), "rb") as file:
        return file.read(most)


def require_regular_file(path: Path) -> None:
    """Refuse what ``open_file`` refuses, before another library opens `path`."""
    _require_regular(path.stat().st_mode, path)


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link.

    Raises:
        LinkError: `path` is one.
    """
    if path.is_symlink():
        message = "it is a link; replace it by the file or folder itself"
        raise LinkError(errno.ELOOP, message, str(path))


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise _not_a_file(path)


def _not_a_file(path: Path) -> NotAFileError:
    message = "it is no regular file; write what it gives into one"
    return NotAFileError(errno.EINVAL, message, str(path))


def obstacle(folder: Path, paths: Iterable[Path], *, overwrite: bool) -> str | None:
    """What keeps `paths`, in `folder`, from being written: found before the work begins."""
    absolute = folder.absolute()
    existing = next((p for p in (absolute, *absolute.parents) if p.exists()), folder)
    if not existing.is_dir():
        return f"{existing} is not a folder"
    if not os.access(existing, os.W_OK):
        return f"{folder} cannot be written to"
    found = [str(path) for path in paths if path.exists()]
    if found and not overwrite:
        return f"{', '.join(found)} would be overwritten; add --force, or choose another -o"
    return None


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary name beside `target`, of the same ending; renamed to it when the block ends.

    Where the block raises, or the process dies, `target` is as it was before. A link at `target`
    is replaced, not followed.
    """
    temporary = _beside(target, "tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """The same for a folder: the block makes it at the temporary name.

    A folder cannot take the place of another in one step: the old one is moved away first, and
    comes back where the new one does not get its name. A link at `target` is replaced, not
    followed.
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
            if path.is_symlink():
                path.unlink()
            shutil.rmtree(path, ignore_errors=True)


def _beside(target: Path, kind: str) -> Path:
    """A name that no one can have laid a link under: part of it is drawn."""
    return target.with_name(f".{target.stem}.{secrets.token_hex(4)}.{kind}{target.suffix}")


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """`folder` is there in the block; where the block raises, what was made for it goes again."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):  # something else stands in it by now
                path.rmdir()
        raise
