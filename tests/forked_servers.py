"""Trial servers that are forked from a process with TensorFlow imported, which takes them longest.

Some tests, such as ``test_current_folder.py``, start the program that they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from killed import CONTEXT

from lstmgraph.tuning.search import trial_server, workers
from lstmgraph.tuning.search.devices import shared_environment

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from lstmgraph.tuning.search.jobs import RunOptions

start_program = workers._start_server


class Forked:
    """What ``Workers`` uses of a ``subprocess.Popen``."""

    def __init__(self, process: BaseProcess, stdin: Connection, stdout: Connection) -> None:
        self.process, self.stdin, self.stdout = process, stdin, stdout

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("trial_server", timeout or 0.0)
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()


def start_forked(folder: Path, function: str, options: RunOptions, lock: int | None) -> Any:
    """As ``_start_server`` of ``workers``."""
    if not options.preload or options.cluster is not None:
        return start_program(folder, function, options, lock)
    commands, stdin = CONTEXT.Pipe(duplex=False)
    stdout, answers = CONTEXT.Pipe(duplex=False)
    held = None if lock is None else Connection(os.dup(lock))
    wanted = {"function": function, "preload": options.preload}
    environment = dict(shared_environment(options.workers, os.environ))
    log = str(folder / workers.SERVER_LOG)
    process = CONTEXT.Process(
        target=_serve, args=(wanted, environment, commands, answers, log, held)
    )
    process.start()
    for end in (commands, answers, held):
        if end is not None:
            end.close()
    return Forked(process, stdin, stdout)


def _serve(  # noqa: PLR0913, PLR0917 - what a program is given in other ways
    wanted: dict[str, Any],
    environment: dict[str, str],
    commands: Connection,
    answers: Connection,
    log: str,
    held: Connection | None,  # the lock: held while this process and its children live
) -> None:
    os.setsid()
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for source, target in ((commands.fileno(), 0), (answers.fileno(), 1), (errors, 2)):
        os.dup2(source, target)
    for each in (commands, answers):
        each.close()
    sys.stdin = os.fdopen(0)  # `multiprocessing` has another
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["trial_server", json.dumps({**wanted, "parent": os.getppid()})]
    trial_server.main()
