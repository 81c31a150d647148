"""Trials in their own processes: started, watched, and killed where they go beyond a limit."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil

from lstmgraph.tuning.search.devices import shared_environment, worker_environments
from lstmgraph.tuning.search.errors import SearchError, cannot_use
from lstmgraph.tuning.search.own_files import open_own
from lstmgraph.tuning.search.results import OVERSIZED, TIMED_OUT
from lstmgraph.tuning.search.trial_server import send

if TYPE_CHECKING:
    from lstmgraph.tuning.search.jobs import RunOptions
    from lstmgraph.tuning.search.trial import TrialSpec

SERVER_LOG = "server.log"
MEMORY_POLL = 0.1
"""Seconds between two looks at the memory of the children."""


@dataclass
class Child:
    """A running trial."""

    number: int
    worker: int
    pid: int | None = None
    started: float = 0.0
    stopped: tuple[str, str] | None = None
    """Status and reason, once a limit has killed it."""


@dataclass(frozen=True)
class Ending:
    """How a child ended."""

    number: int
    exit_code: int
    """Negative: the signal that killed it."""
    seconds: float
    peak_memory_mb: float
    stopped: tuple[str, str] | None = None


class Workers:
    """As many children at a time as there are workers; on leaving, none is left behind.

    The children are processes of this machine or, if `options` name a Ray cluster, tasks of that
    cluster, whose nodes enforce the limits.
    """

    def __init__(
        self, folder: Path, function: str, options: RunOptions, lock: int | None = None
    ) -> None:
        self.limits = options.limits
        self.environments = worker_environments(options.workers, options.named_gpus())
        self.children: dict[int, Child] = {}
        self._answers = b""
        self._closing = 5.0 if options.cluster is None else 45.0
        self._selector = selectors.DefaultSelector()
        self._begin = partial(_start_server, folder, function, options, lock)

    @cached_property
    def _server(self) -> subprocess.Popen[bytes]:
        """Start the server with the first trial: a search without a new one needs none."""
        server = self._begin()
        assert server.stdout is not None
        self._selector.register(server.stdout.fileno(), selectors.EVENT_READ)
        return server

    @property
    def free(self) -> int:
        """Return how many more trials may start."""
        return len(self.environments) - len(self.children)

    def start(self, spec: TrialSpec) -> None:
        """Run `spec` in a child of its own; its folder is there and empty.

        Raises:
            SearchError: the folder cannot be written.
        """
        busy = {child.worker for child in self.children.values()}
        worker = next(w for w in range(len(self.environments)) if w not in busy)
        try:
            path = spec.write()
        except OSError as error:
            raise cannot_use(Path(spec.folder), error) from None
        self.children[spec.number] = Child(spec.number, worker)
        self._command({"run": str(path), "environment": self.environments[worker]})

    def wait(self, timeout: float) -> list[Ending]:
        """Return the trials that have ended, as soon as one has; none after `timeout` seconds.

        Raises:
            SearchError: the process that starts trials has ended itself.
        """
        deadline = time.monotonic() + timeout
        while True:
            endings = self._receive(self._patience(deadline))
            self._keep_limits()
            if endings or time.monotonic() >= deadline:
                return endings

    def _patience(self, deadline: float) -> float:
        now = time.monotonic()
        moments = [deadline]
        if self.limits.memory_mb is not None and self.children:
            moments.append(now + MEMORY_POLL)
        if self.limits.seconds is not None:
            moments += [
                child.started + self.limits.seconds
                for child in self.children.values()
                if child.pid is not None and child.stopped is None
            ]
        return max(0.0, min(moments) - now)

    def _receive(self, timeout: float) -> list[Ending]:
        if not self._selector.select(timeout):
            return []
        data = os.read(self._pipe(), 1 << 16)
        if not data:
            raise SearchError(
                "the process that starts trials has ended "
                f"(exit code {self._server.wait()}); run the same command again to go on"
            )
        *lines, self._answers = (self._answers + data).split(b"\n")
        endings = [self._ending(json.loads(line)) for line in lines]
        return [ending for ending in endings if ending is not None]

    def _ending(self, answer: dict[str, Any]) -> Ending | None:
        if "unable" in answer:
            raise SearchError(f"trials cannot start: {answer['unable']}")
        if "stop" in answer:
            raise SearchError(answer["stop"])
        if "started" in answer:
            child = self.children[answer["started"]]
            child.pid, child.started = answer["pid"], time.monotonic()
        if "ended" not in answer:
            return None
        child = self.children.pop(answer["ended"])
        stopped = child.stopped or answer.get("stopped")
        return Ending(
            child.number,
            answer["exit"],
            answer["seconds"],
            answer["peak_memory_mb"],
            stopped and (stopped[0], stopped[1]),
        )

    def _keep_limits(self) -> None:
        for child in self.children.values():
            if child.pid is None or child.stopped is not None:
                continue
            child.stopped = self._excess(child, child.pid)
            if child.stopped is not None:
                self._command({"kill": child.number})

    def _excess(self, child: Child, pid: int) -> tuple[str, str] | None:
        seconds, memory = self.limits.seconds, self.limits.memory_mb
        if seconds is not None and time.monotonic() - child.started >= seconds:
            return TIMED_OUT, f"it ran for longer than {seconds:g} s"
        if memory is not None:
            used = memory_mb(pid)
            if used > memory:
                return (
                    OVERSIZED,
                    f"it held {used:,.0f} MiB of memory, and {memory:,.0f} are allowed",
                )
        return None

    def _command(self, command: dict[str, Any]) -> None:
        assert self._server.stdin is not None
        send(self._server.stdin.fileno(), command)

    def _pipe(self) -> int:
        assert self._server.stdout is not None
        return self._server.stdout.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the server's input, which makes it kill what still runs."""
        if "_server" not in vars(self):
            self._selector.close()
            return
        assert self._server.stdin is not None
        with suppress(OSError):
            self._server.stdin.close()
        try:
            self._server.wait(self._closing)
        except subprocess.TimeoutExpired:  # still importing; its children die with it
            self._server.kill()
            self._server.wait()
        self._selector.close()
        assert self._server.stdout is not None
        self._server.stdout.close()


def memory_mb(pid: int) -> float:
    """Return the memory (MiB) of a process and all that it started; 0 once it has ended."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += each.memory_info().rss
    return total / 2**20


def _start_server(
    folder: Path, function: str, options: RunOptions, lock: int | None
) -> subprocess.Popen[bytes]:
    wanted = {"function": function, "preload": options.preload, "parent": os.getpid()}
    module = "trial_server"
    if options.cluster is not None:
        module = "ray_server"
        wanted |= {"limits": asdict(options.limits), **options.per_trial()}
    environment = shared_environment(options.workers, os.environ)
    # Modules come from where this process has them, and never from the folder that it is in.
    paths = [*sys.path, str(Path(__file__).parents[2])]
    environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if Path(p).is_absolute())
    log = folder / SERVER_LOG
    try:
        with os.fdopen(open_own(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as errors:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    f"lstmgraph.tuning.search.{module}",
                    json.dumps(wanted),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                pass_fds=() if lock is None else (lock,),
                start_new_session=True,  # Ctrl-C is for the search, which ends the rest
                bufsize=0,
            )
    except OSError as error:
        raise cannot_use(log, error) from None
