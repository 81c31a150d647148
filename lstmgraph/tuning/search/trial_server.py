"""The process that starts trials: it imports TensorFlow once and forks a child for each trial.

``python -P -m lstmgraph.tuning.search.trial_server JSON`` reads commands from its standard input, a
line of JSON each, and writes what happens to its standard output. It never starts TensorFlow's
runtime, so that each child has one of its own, with the GPUs of its own. When the search ends, even
by ``kill -9``, the input ends, and the children are killed.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lstmgraph.compiler.machine.importing import quick_imports
from lstmgraph.messages.errors import RecipeError
from lstmgraph.tuning.search.errors import fault_code, lacked
from lstmgraph.tuning.search.journal import write_all
from lstmgraph.tuning.search.own_files import open_own
from lstmgraph.tuning.search.results import FAILED
from lstmgraph.tuning.search.trial import LOG, OUTCOME, Trial, TrialSpec, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

RAISED = 1
_PR_SET_PDEATHSIG = 1
_MAXRSS_PER_MIB = 2**20 if sys.platform == "darwin" else 2**10


class TrialServer:
    """Forks, watches and kills children, on command."""

    def __init__(self, function: Callable[[Trial], Any], answers: int) -> None:
        self.function = function
        self.answers = answers
        """The pipe to the search."""
        self.running: dict[int, tuple[int, float]] = {}
        """Trial and start by the child's process id."""
        self.commands = b""

    def serve(self) -> None:
        """Serve until the input ends."""
        woken, waker = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        send(self.answers, {"ready": True})
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == woken:
                        with suppress(BlockingIOError):
                            os.read(woken, 4096)
                    elif not self._read_commands():
                        return self._kill_all()
                self._reap()

    def _read_commands(self) -> bool:
        data = os.read(sys.stdin.fileno(), 1 << 16)
        *lines, self.commands = (self.commands + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "kill" in command:
                self._kill(command["kill"])
            else:
                self._fork(Path(command["run"]), command["environment"])
        return bool(data)

    def _fork(self, spec: Path, environment: dict[str, str]) -> None:
        server = os.getpid()
        child = os.fork()
        if child == 0:
            os.close(self.answers)
            _run_child(self.function, spec, environment, server)
        number = int(spec.parent.name)
        self.running[child] = (number, time.monotonic())
        send(self.answers, {"started": number, "pid": child})

    def _reap(self) -> None:
        while self.running:
            child, status, usage = os.wait4(-1, os.WNOHANG)
            if child == 0:
                return
            number, started = self.running.pop(child)
            _kill_group(child)  # what the trial started itself ends with it
            end = {
                "ended": number,
                "exit": os.waitstatus_to_exitcode(status),
                "seconds": time.monotonic() - started,
                "peak_memory_mb": usage.ru_maxrss / _MAXRSS_PER_MIB,
            }
            send(self.answers, end)

    def _kill(self, number: int) -> None:
        for child, (running, _) in self.running.items():
            if running == number:
                _kill_group(child)

    def _kill_all(self) -> None:
        for child in self.running:
            _kill_group(child)


def _kill_group(child: int) -> None:
    """Kill a child with its group; alone, where it has not made its group yet."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
        return
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _run_child(
    function: Callable[[Trial], Any], spec: Path, environment: dict[str, str], server: int
) -> NoReturn:
    """Run a trial in a forked child, and end the child without the exit handlers of the server."""
    code = RAISED
    try:
        _become_child(spec.parent, environment, server)
        code = _run(function, spec)
    except BaseException as error:
        # Such as a log, or an outcome, that could not be written.
        code = fault_code(error, of_trial=False) or RAISED
        with suppress(OSError):
            traceback.print_exc()
    finally:
        os._exit(code)


def _become_child(folder: Path, environment: dict[str, str], server: int) -> None:
    os.setpgid(0, 0)
    end_with_parent(server)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.environ.update(environment)
    log = open_own(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    faulthandler.enable()


def _run(function: Callable[[Trial], Any], path: Path) -> int:
    trial = Trial(TrialSpec.read(path))
    try:
        outcome = function(trial)
    except Exception as error:
        traceback.print_exc()
        code = fault_code(error)
        if code is not None:
            return code
        # A path in an error may have bytes that are no text.
        reason = _reason(error).encode(errors="backslashreplace").decode()
        write_json(path.parent / OUTCOME, {"status": FAILED, "reason": reason, "metrics": {}})
        return RAISED
    write_json(path.parent / OUTCOME, outcome.as_dict())
    sys.stdout.flush()
    return 0


def _reason(error: Exception) -> str:
    """Return what a trial failed of in one line: of a mistake without the lines of the recipe."""
    if not isinstance(error, RecipeError):
        return f"{type(error).__name__}: {error}"
    return "; ".join(
        f"{each.place.source}:{each.place.span.line}: error[{each.code}]: {each.message}"
        f"{f' ({each.hint})' if each.hint else ''}"
        for each in error.diagnostics
    )


def end_with_parent(parent: int) -> None:
    """Make the kernel kill this process when its parent ends, however it ends, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(RAISED)


def load_function(path: str) -> Callable[[Trial], Any]:
    """Return the function that ``package.module:name`` names.

    Raises:
        ImportError, AttributeError: there is none of that name.
    """
    module, _, name = path.partition(":")
    function: Callable[[Trial], Any] = getattr(importlib.import_module(module), name)
    return function


def send(pipe: int, message: dict[str, Any]) -> None:
    """Write a line to the other end, if there is still one."""
    with suppress(BrokenPipeError):
        write_all(pipe, json.dumps(message).encode() + b"\n")


def main() -> None:
    """Import what trials need, then serve."""
    options = json.loads(sys.argv[1])
    answers = os.dup(1)
    os.dup2(2, 1)  # what an import prints is no answer
    end_with_parent(options["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with quick_imports():
            for module in options["preload"]:
                importlib.import_module(module)
        function = load_function(options["function"])
    except Exception as error:
        send(answers, {"unable": f"{type(error).__name__}: {error}"})
        sys.exit(RAISED)
    gc.collect()
    gc.freeze()  # so that a child's first collection does not copy every page it shares
    try:
        TrialServer(function, answers).serve()
    except (OSError, MemoryError) as error:  # such as where it cannot fork
        send(answers, {"stop": f"trials cannot start: {lacked(error) or error}"})
        raise


if __name__ == "__main__":
    main()
