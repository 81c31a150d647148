"""What fuzzers share: one input run within bounds, and what a run found."""

from __future__ import annotations

import resource
import signal
import sys
import time
import traceback
from collections import Counter
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
WAIT = 3
"""How many times its seconds of processor time, and as many seconds more, an input may take by the
clock: more is waiting, as for the other end of a pipe."""
MOST = 3 << 29
"""Bytes of address space that an input may ask for; what reads an endless device stops there."""
_STATUS = Path("/proc/self/status")
_PEAK = Path("/proc/self/clear_refs")


class HangError(BaseException):
    """An input takes too long. Not an Exception, so that nothing under test catches it."""


class MemoryBoundError(Exception):
    """An input takes too much memory."""


@dataclass(frozen=True)
class Failure:
    """An input that went wrong."""

    name: str
    text: str
    """What went wrong: a traceback, or a sentence."""
    content: bytes = b""
    """The input, where it is no more than bytes."""


@dataclass
class Found:
    """What a run found."""

    executions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    slowest: float = 0.0
    memory: int = 0
    """Bytes that the input with the highest peak added to the process."""
    kept: int = 0
    """Inputs to change further."""

    def note(self, seconds: float, memory: int = 0) -> None:
        """Count one more input."""
        self.executions += 1
        self.slowest = max(self.slowest, seconds)
        self.memory = max(self.memory, memory)

    def summary(self, seconds: float) -> str:
        """The figures of a run of so many seconds."""
        return (
            f"{self.executions:,} inputs, {self.executions / max(seconds, 1e-9):.1f} a second; "
            f"slowest {self.slowest:.2f} s; {len(self.failures)} failures\n"
            + ", ".join(f"{outcome} {count:,}" for outcome, count in self.outcomes.most_common())
        )


@dataclass(frozen=True)
class Run:
    """How one input went: what the call returned, or the exception that left it."""

    result: Any
    error: BaseException | None
    seconds: float
    """Of processor time: this process's own, so that a busy machine does not count."""
    memory: int
    """Bytes that the peak of resident memory was above what was held before."""

    @property
    def trace(self) -> str:
        """The traceback of the exception."""
        return "".join(traceback.format_exception(self.error)) if self.error else ""


def watched(call: Callable[[], Any], seconds: float, memory: int | None = None) -> Run:
    """Run `call` within bounds: of processor time, of waiting, and of memory where it is given.

    A bound that is broken is the `error` of the result, as is what `call` raises.
    """
    held = 0 if memory is None else _reset_peak()
    start = time.process_time()
    result: Any = None
    error: BaseException | None = None
    try:
        with alarms(seconds), nullcontext() if memory is None else limited_memory(MOST):
            result = call()
    except (Exception, HangError) as raised:
        error = raised
    spent = time.process_time() - start
    peak = 0 if memory is None else max(0, _peak() - held)
    if not isinstance(error, HangError) and spent > 2 * seconds:  # an alarm waits for C code
        error = HangError(f"{spent:.1f} s of processor time")
    elif not isinstance(error, HangError) and memory is not None and peak > memory:
        error = MemoryBoundError(f"{peak >> 20} MiB of memory")
    return Run(result, error, spent, peak)


@contextmanager
def alarms(seconds: float) -> Iterator[None]:
    """Raise HangError in the block once it has used `seconds` of processor time, or waits."""
    wait = WAIT * (seconds + 1)

    def ring(number: int, _: Any) -> None:
        used = number == signal.SIGPROF
        raise HangError(f"more than {seconds} s" if used else f"it waits for more than {wait} s")

    before = {number: signal.signal(number, ring) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, wait)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def limited_memory(further: int) -> Iterator[None]:
    """Let the process have so many bytes of address space more than it has, where that is known."""
    size = _status("VmSize")
    before = resource.getrlimit(resource.RLIMIT_AS)
    if size is not None:
        resource.setrlimit(resource.RLIMIT_AS, (size + further, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _reset_peak() -> int:
    """Begin a new peak of resident memory where the system can (Linux); return the present one."""
    with suppress(OSError):
        _PEAK.write_text("5", "utf-8")
    return _peak()


def _peak() -> int:
    peak = _status("VmHWM")
    if peak is None:
        scale = 1 if sys.platform == "darwin" else 1 << 10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return peak


def _status(name: str) -> int | None:
    """Bytes, of a line of the process's status on Linux."""
    try:
        lines = _STATUS.read_text("utf-8").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))
