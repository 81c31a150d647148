"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


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

    Where the block raises, or the process dies, `target` is as it was before.
    """
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
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
    comes back where the new one does not get its name.
    """
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
    old = target.with_name(f".{target.stem}.{os.getpid()}.old{target.suffix}")
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        if target.exists():
            target.rename(old)
        try:
            temporary.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        for path in (temporary, old):
            shutil.rmtree(path, ignore_errors=True)


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
