"""Where the time of a training's epochs went, as plain data, a table and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.tables import Section, as_text
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INPUT, COMPILE, STEP, CALLBACKS = "input", "compile", "step", "callbacks"
CHECKPOINT, VALIDATION, OTHER = "checkpoint", "validation", "other"
PARTS = (INPUT, COMPILE, STEP, CALLBACKS, CHECKPOINT, VALIDATION, OTHER)
"""The parts of an epoch's time, as ``docs/training.md`` explains them."""


@dataclass(frozen=True)
class EpochTimes:
    """The time of one epoch, counted from 1, in seconds."""

    epoch: int
    seconds: float
    """From its begin to its end, checkpoint included."""
    parts: Mapping[str, float]
    """The seconds of each of ``PARTS``; they add up to `seconds`."""

    def as_dict(self) -> dict[str, Any]:
        """Return one flat mapping, rounded to microseconds."""
        parts = {name: round(seconds, 6) for name, seconds in self.parts.items()}
        return {"epoch": self.epoch, "seconds": round(self.seconds, 6), **parts}


@dataclass(frozen=True)
class Profile:
    """Where the time of the epochs went that one process trained; ``print()`` shows a table."""

    epochs: tuple[EpochTimes, ...]

    def as_dict(self) -> list[dict[str, Any]]:
        """Return the times of each epoch as plain data."""
        return [each.as_dict() for each in self.epochs]

    def section(self) -> Section:
        """Return the table: the first epoch, which compiles, the mean of the others, and all."""
        first, *others = self.epochs
        columns = {f"epoch {first.epoch}": mean_seconds([first])}
        if others:
            columns["a later one"] = mean_seconds(others)
            columns["all"] = mean_seconds(self.epochs, times=len(self.epochs))
        headings = [each for name in columns for each in (name, "%")]
        rows = [
            (title, *(cell for times in columns.values() for cell in _cells(times, *names)))
            for title, names in [*((name, [name]) for name in PARTS), ("in all", PARTS)]
        ]
        return Section(
            title=f"where the time of {counted(len(self.epochs), 'epoch')} went",
            headings=("part", *headings),
            rows=rows,
            numbers=frozenset(headings),
        )

    def __str__(self) -> str:
        return as_text([self.section()])


def mean_seconds(epochs: Sequence[EpochTimes], times: int = 1) -> dict[str, float]:
    """Return the mean seconds of each part over `epochs`, multiplied by `times`."""
    return {name: sum(each.parts[name] for each in epochs) * times / len(epochs) for name in PARTS}


def seconds_text(seconds: float) -> str:
    """Return `seconds` with the digits that matter."""
    return f"{seconds:.3f} s" if seconds < 100 else f"{seconds:.0f} s"


def _cells(times: Mapping[str, float], *names: str) -> tuple[str, str]:
    seconds = sum(times[name] for name in names)
    return seconds_text(seconds), f"{100 * seconds / (sum(times.values()) or 1.0):.0f}"
