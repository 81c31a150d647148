"""Two sides timed in turn, and the ratio of their medians."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Figure:
    """One measurement: seconds of both sides, run by run."""

    name: str
    ours: list[float]
    theirs: list[float]
    aim: float

    @property
    def ratio(self) -> float:
        """Median of ours by median of theirs."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    def as_dict(self) -> dict[str, object]:
        """For the JSON file."""
        return {
            "name": self.name,
            "ratio": round(self.ratio, 4),
            "aim": self.aim,
            "ours_seconds": self.ours,
            "theirs_seconds": self.theirs,
        }

    def __str__(self) -> str:
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        verdict = "ok" if self.ratio <= self.aim else "MISSED"
        return (
            f"{self.name:<44} {ours:9.4f} s / {theirs:9.4f} s = {self.ratio:6.3f}"
            f"  (aim: at most {self.aim}) {verdict}"
        )


def alternate(  # noqa: PLR0913 - two sides and how they are run
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    repeats: int,
    aim: float,
    before_each: Callable[[], object] = gc.collect,
) -> Figure:
    """Run both sides `repeats` times in turn, after one run of each that does not count."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for repeat in range(repeats + 1):
        pair = [("ours", ours), ("theirs", theirs)]
        for side, run in pair if repeat % 2 else pair[::-1]:
            before_each()
            start = time.perf_counter()
            run()
            if repeat:
                times[side].append(time.perf_counter() - start)
    return Figure(name, times["ours"], times["theirs"], aim)
