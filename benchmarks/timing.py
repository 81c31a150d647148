"""Several sides run in turn, and the ratio of ours to each of the others."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.floor import Floor
    from benchmarks.options import Options

OURS = "lstmgraph"

Call = Callable[[], object]
Side = Call | str
"""What is run, or why it cannot be."""


@dataclass(frozen=True)
class Figure:
    """One measurement: what both sides took, repeat by repeat."""

    part: str
    case: str
    against: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    aim: float | None = None
    """The ratio to stay under; None where the figure is a report."""
    unit: str = "s"
    floor: Floor | None = None
    remark: str = ""
    """Why a side was not measured."""

    @property
    def ratio(self) -> float | None:
        """Median of ours by median of theirs."""
        if not self.ours or not self.theirs:
            return None
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def spread(self) -> tuple[float, float] | None:
        """The smallest and the largest ratio of one repeat: what noise alone does."""
        ratios = [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=False)]
        return (min(ratios), max(ratios)) if ratios else None

    @property
    def verdict(self) -> str:
        """``ok`` or ``missed``; ``report`` without an aim; else why there is no ratio."""
        if self.ratio is None:
            return self.remark
        if self.aim is None:
            return "report"
        return "ok" if self.ratio <= self.aim else "missed"


def compare(  # noqa: PLR0913 - a row, its sides and how they are run
    part: str,
    case: str,
    sides: Mapping[str, Side],
    options: Options,
    *,
    aims: Mapping[str, float],
    floor: Floor | None = None,
    before_each: Call = gc.collect,
) -> Iterator[Figure]:
    """A figure for each side but `OURS`, all from the same repeats."""
    calls = {name: side for name, side in sides.items() if not isinstance(side, str)}
    remarks = {name: side for name, side in sides.items() if isinstance(side, str)}
    times = alternate(calls, options, before_each) if OURS in calls and len(calls) > 1 else {}
    for against in sides:
        if against != OURS:
            yield Figure(
                part,
                case,
                against,
                tuple(times.get(OURS, ())),
                tuple(times.get(against, ())),
                aims.get(against),
                floor=floor,
                remark=remarks.get(OURS) or remarks.get(against, ""),
            )


def alternate(
    sides: Mapping[str, Call], options: Options, before_each: Call = gc.collect
) -> dict[str, list[float]]:
    """Seconds of one call of each side, for each repeat.

    In every repeat each side runs once, in an order that turns, so that what slows the machine
    down for a while slows all sides down. A side's first call does not count: it may trace and
    compile. Quick sides are called until `options.seconds` have passed.
    """
    counts = {
        name: _calls_a_run(call, options.seconds, before_each) for name, call in sides.items()
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    with _frozen():
        for repeat in range(options.repeats):
            for name in turns(list(sides), repeat):
                before_each()
                times[name].append(_seconds(sides[name], counts[name]) / counts[name])
    return times


@contextmanager
def _frozen() -> Iterator[None]:
    """Python's collector leaves alone what is there before: walking all of TensorFlow takes longer
    than most runs, and would fall to one side or the other by chance.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def turns(names: list[str], repeat: int) -> list[str]:
    """The order of the sides in a repeat: forwards and backwards, each side first in its turn."""
    start = repeat // 2 % len(names)
    turned = names[start:] + names[:start]
    return turned if repeat % 2 else turned[::-1]


def _calls_a_run(call: Call, seconds: float, before_each: Call) -> int:
    before_each()
    call()
    if not seconds:
        return 1
    before_each()
    return max(1, math.ceil(seconds / _seconds(call, 1)))


def _seconds(call: Call, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start
