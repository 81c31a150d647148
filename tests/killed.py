"""Trainings in child processes that are killed; a server with TensorFlow imported forks them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["pytest", "lstmgraph.cli", "lstmgraph.models.building", "lstmgraph.training", "training_cases"]
)
"""With `pytest`, as children import the module that the parent was begun with."""

KILLED = -signal.SIGKILL


def train_to_the_end(case: str, folder: str, deadly_call: int = 0) -> None:
    """In a child: train, and die at the `deadly_call`-th system call that makes a file real."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    calls = 0

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keywords: object) -> object:
            nonlocal calls
            calls += 1
            if calls == deadly_call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)

        return call

    if deadly_call:
        os.fsync = counted(os.fsync)  # type: ignore[assignment]
        Path.replace = counted(Path.replace)  # type: ignore[assignment,method-assign]
    from training_cases import train_small  # noqa: PLC0415 - in the child alone

    train_small(case, folder, **{"runtime.deterministic": True})


def run(case: str, folder: Path, *, deadly_call: int = 0, seconds: float | None = None) -> int:
    """Train in a child; kill it after `seconds`, or at a call. Returns its exit code."""
    child = CONTEXT.Process(target=train_to_the_end, args=(case, str(folder), deadly_call))
    child.start()
    child.join(seconds)
    if child.is_alive():
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
    return child.exitcode or 0


def run_command(arguments: list[str], output: Path, errors: Path, **environment: str) -> None:
    """In a child: an lstmgraph command, as from a shell."""
    os.environ |= environment
    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from lstmgraph.cli import app  # noqa: PLC0415 - in the child alone

    app(arguments)


def wait_for(path: Path, child_seconds: float = 120) -> None:
    """Until a file is there."""
    end = time.monotonic() + child_seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)
