"""The typed, frozen `data:` section: how examples are made, and which of them train."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.messages.diagnostics import Path

HISTORY = "history"
HORIZON = "horizon"
WINDOW = "window"
LAST = "last"
ROW = "row"
"""Of a table without windows: the row that is the example."""
STATIC = "static"

CHRONOLOGICAL = "chronological"


@dataclass(frozen=True)
class Window:
    """Steps of one series that follow each other: the history, and the horizon after it."""

    history: int | None
    """None where each series is one example."""
    horizon: int
    stride: int
    min_history: int

    @property
    def overlaps(self) -> bool:
        """Whether two windows of a series can share a step."""
        return self.history is not None and self.stride < self.history + self.horizon


@dataclass(frozen=True)
class Columns:
    """Columns of a table, side by side, as one tensor of the model.

    `steps` is ``history``, ``horizon``, ``window`` or ``last``; ``static`` for one value a series;
    ``row`` for a table without windows.
    """

    name: str
    path: Path
    columns: tuple[str, ...]
    steps: str
    lag: int = 0


@dataclass(frozen=True)
class LengthOf:
    """How many steps of another input's history are there; the rest is padding."""

    name: str
    path: Path
    source: str


@dataclass(frozen=True)
class DataSplit:
    """Which examples train, validate and test; fractions are of the time span or of the count."""

    kind: str
    validation: float
    test: float
    gap: int = 0
    seed: int = 0
    folds: int | None = None


@dataclass(frozen=True)
class DataDeclaration:
    """The whole section. Without `inputs` the data is arrays by the names of inputs and outputs."""

    split: DataSplit
    series: tuple[str, ...] = ()
    time: str | None = None
    window: Window | None = None
    inputs: Mapping[str, Columns | LengthOf] = field(default_factory=dict)
    targets: Mapping[str, Columns] = field(default_factory=dict)
    sample_weight: Columns | None = None

    @property
    def is_table(self) -> bool:
        """Whether examples are made from named columns."""
        return bool(self.inputs)

    @property
    def all_columns(self) -> tuple[Columns, ...]:
        """What is made of columns: inputs, targets and the weight, in this order."""
        inputs = [entry for entry in self.inputs.values() if isinstance(entry, Columns)]
        weight = [self.sample_weight] if self.sample_weight else []
        return (*inputs, *self.targets.values(), *weight)

    def shape_of(self, entry: Columns) -> tuple[int | None, ...]:
        """(steps, columns), or (columns,) where there are no steps; None for the longest series."""
        if self.window is None or entry.steps in (ROW, STATIC, LAST):
            return (len(entry.columns),)
        history, horizon = self.window.history, self.window.horizon
        if history is not None and entry.steps == WINDOW:
            history += horizon
        return (horizon if entry.steps == HORIZON else history, len(entry.columns))
