"""The typed, frozen `data:` section: how examples are made and split."""

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
"""The steps of columns in a table without windows, where each row is an example."""
STATIC = "static"

CHRONOLOGICAL = "chronological"

FORWARD, INTERPOLATE, MASK = "forward", "interpolate", "mask"
"""What ``missing:`` can be, beside a number."""
PER_SERIES, PER_WINDOW = "series", "window"
"""What ``per:`` can be."""
MISSING_SUFFIX = "_missing"
"""How the column that `MASK` makes is named."""


@dataclass(frozen=True)
class Window:
    """Consecutive steps of one series: the history, then the horizon."""

    history: int | None
    """The number of steps; None if each series is one example."""
    horizon: int
    stride: int
    min_history: int

    @property
    def overlaps(self) -> bool:
        """Whether two windows of a series can share steps."""
        return self.history is not None and self.stride < self.history + self.horizon


@dataclass(frozen=True)
class Columns:
    """Columns of a table that form one tensor of the model.

    `steps` is ``history``, ``horizon``, ``window`` or ``last``; ``static`` for one value a series;
    ``row`` for a table without windows.
    """

    name: str
    path: Path
    columns: tuple[str, ...]
    steps: str
    lag: int = 0
    difference: int = 0
    """Of a target: the steps back to the value that the model adds to its forecast; 0: nothing."""
    classes: tuple[str, ...] = ()
    """The names of a target's classes, in the order of their ids."""


@dataclass(frozen=True)
class Column:
    """How a column is prepared before inputs and targets read it."""

    name: str
    path: Path
    missing: str | float | None = None
    """``forward``, ``interpolate``, ``mask`` or a number; None refuses empty cells."""
    clip: tuple[float | None, float | None] = (None, None)
    """The lowest and highest value of an input, as the recipe says; None is no limit."""
    quantiles: tuple[float, float] | None = None
    """The shares of the training part's values below the limits, in place of `clip`."""
    limits: tuple[float, float] | None = None
    """The limits that were found by `quantiles`."""
    difference: int = 0
    """The steps back to the value that is subtracted in inputs; 0: none is."""
    scale: str | None = None
    """``standard``, ``min_max``, ``robust`` or ``log``."""
    fitted: tuple[float, float] | None = None
    """The number that `scale` turns into 0, and the distance from it that it turns into 1."""
    per: str | None = None
    """``series`` or ``window``; None: all rows are scaled alike."""
    fitted_series: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The same numbers of each series, by its name."""

    @property
    def is_clipped(self) -> bool:
        """Whether inputs of the column are clipped."""
        return self.quantiles is not None or self.clip != (None, None)

    @property
    def needs_fitting(self) -> bool:
        """Whether numbers of the training part are still to be found."""
        scales = self.scale is not None and self.per != PER_WINDOW and not self.fitted
        series = self.scale is not None and self.per == PER_SERIES and not self.fitted_series
        return scales or series or (self.quantiles is not None and self.limits is None)


@dataclass(frozen=True)
class LengthOf:
    """The number of steps in the history of the input `source`, without its padding."""

    name: str
    path: Path
    source: str


@dataclass(frozen=True)
class DataSplit:
    """The split into train, validation and test; fractions of the time span or of the count."""

    kind: str
    validation: float
    test: float
    gap: int = 0
    seed: int = 0
    folds: int | None = None


@dataclass(frozen=True)
class DataDeclaration:
    """The whole section. Without `inputs`, the data is arrays named after inputs and outputs."""

    split: DataSplit
    series: tuple[str, ...] = ()
    time: str | None = None
    every: str | float | None = None
    """How far apart the times of a series are; rows of missing times are put in."""
    calendar: tuple[str, ...] = ()
    """The columns made from the times, such as ``hour`` or ``weekday_sin``."""
    columns: Mapping[str, Column] = field(default_factory=dict)
    """The preparation of columns, by name."""
    window: Window | None = None
    inputs: Mapping[str, Columns | LengthOf] = field(default_factory=dict)
    targets: Mapping[str, Columns] = field(default_factory=dict)
    sample_weights: Mapping[str, Columns] = field(default_factory=dict)
    """By output; the one for every output has the name ``""``."""

    @property
    def is_table(self) -> bool:
        """Whether examples are made from columns of a table."""
        return bool(self.inputs)

    @property
    def all_columns(self) -> tuple[Columns, ...]:
        """The entries made of columns: inputs, targets, then sample weights."""
        inputs = [entry for entry in self.inputs.values() if isinstance(entry, Columns)]
        return (*inputs, *self.targets.values(), *self.sample_weights.values())

    @property
    def made_columns(self) -> tuple[str, ...]:
        """The columns that are not in the table: the calendar's, and those of missing values."""
        masked = (name for name, column in self.columns.items() if column.missing == MASK)
        return (*self.calendar, *(f"{name}{MISSING_SUFFIX}" for name in masked))

    def lengths_of(self, name: str) -> str | None:
        """Return the input that counts the steps of the input `name`; None without one."""
        counts = (entry for entry in self.inputs.values() if isinstance(entry, LengthOf))
        return next((entry.name for entry in counts if entry.source == name), None)

    def source_of(self, column: str) -> str | None:
        """Return the table's column that a column is or is made from; None for the calendar's."""
        if column not in self.made_columns:
            return column
        return None if column in self.calendar else column.removesuffix(MISSING_SUFFIX)

    def shape_of(self, entry: Columns) -> tuple[int | None, ...]:
        """Return (steps, columns), or (columns,) without steps; steps are None for whole series."""
        if self.window is None or entry.steps in (ROW, STATIC, LAST):
            return (len(entry.columns),)
        history, horizon = self.window.history, self.window.horizon
        if history is not None and entry.steps == WINDOW:
            history += horizon
        return (horizon if entry.steps == HORIZON else history, len(entry.columns))
