"""Faults of the machine that begin at one of the calls that make a file real, and stay."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = 65534


def read_only(folder: Path, drawn: float) -> None:
    """The folder cannot be written to; root must become somebody else for that."""
    if os.geteuid():
        folder.chmod(0o500)
    else:
        os.setresuid(NOBODY, NOBODY, NOBODY)


def full(folder: Path, drawn: float) -> None:
    """No file gets longer than a few pages."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(40_000 * drawn), resource.RLIM_INFINITY))


def no_descriptors(folder: Path, drawn: float) -> None:
    """At most two files more."""
    used = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + int(3 * drawn), resource.RLIM_INFINITY))


def no_memory(folder: Path, drawn: float) -> None:
    """What a checkpoint is made in gets none."""

    def refused(*_: Any, **__: Any) -> None:
        raise MemoryError

    np.savez = refused  # type: ignore[assignment]


FAULTS: dict[str, Callable[[Path, float], None]] = {
    "read-only": read_only,
    "full": full,
    "no descriptors": no_descriptors,
    "no memory": no_memory,
}


def begin_at(call: int, kind: str, folder: Path, drawn: float) -> None:
    """Let the fault begin at the `call`-th ``fsync`` or ``replace`` of this process."""
    calls = 0

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def counting(*arguments: object, **keywords: object) -> object:
            nonlocal calls
            calls += 1
            if calls == call:
                FAULTS[kind](folder, drawn)
            return function(*arguments, **keywords)

        return counting

    os.fsync = counted(os.fsync)  # type: ignore[assignment]
    Path.replace = counted(Path.replace)  # type: ignore[assignment,method-assign]
