"""What a search has found so far: plain values, for tables, reports and programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.dimensions import conditions_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.language.space import Dimension

COMPLETED = "completed"
PRUNED = "pruned"
FAILED = "failed"
OVERSIZED = "oversized"
TIMED_OUT = "timed_out"
RUNNING = "running"
MOST_LINES = 10
RANKED = (COMPLETED, PRUNED)
"""Trials that have a result."""


@dataclass(frozen=True)
class Objective:
    """A metric to make small (``min``) or large (``max``), such as ``val_loss``."""

    metric: str
    direction: str


@dataclass(frozen=True)
class DimensionRow:
    """A searched value: its path in the recipe, and what it may be."""

    name: str
    """Such as ``layers.encoder.units``."""
    kind: str
    """``int``, ``float``, ``choice``, ``bool`` or ``choose``."""
    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    choices: tuple[Any, ...] = ()
    condition: str = ""
    """When it is active, such as ``layers.encoder.depth is 2``; empty where always."""

    @classmethod
    def of(cls, dimension: Dimension) -> DimensionRow:
        """Return the row of a dimension."""
        numbers, condition = dimension.range, conditions_text(dimension)
        if numbers is None:
            choices = tuple(dimension.choices)
            return cls(dimension.name, dimension.kind, choices=choices, condition=condition)
        bounds = numbers.low, numbers.high, numbers.scale
        return cls(dimension.name, dimension.kind, *bounds, condition=condition)


@dataclass(frozen=True)
class TrialRow:
    """One trial. `values` holds its active dimensions; metrics are those of its best epoch."""

    number: int
    status: str
    values: Mapping[str, Any]
    reason: str = ""
    """Why it failed or was stopped."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By epoch, for each metric; of the first execution and fold where there are several."""
    epochs: int = 0
    seconds: float = 0.0
    """From the start of the child process to its end."""
    fit_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    """Of the child process, in MiB."""
    parameters: int | None = None
    started: str = ""
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class SearchResults:
    """A whole search, running or ended."""

    recipe: str
    """The recipe's name."""
    objectives: tuple[Objective, ...]
    dimensions: tuple[DimensionRow, ...]
    trials: tuple[TrialRow, ...]
    best: int | None
    """The number of the best trial; with several objectives the first of the Pareto front."""
    front: tuple[int, ...] = ()
    """With several objectives: the trials that no other beats in all of them."""
    best_recipe: str = ""
    """The concrete recipe of the best trial, as YAML."""
    state: str = RUNNING
    """``running``, ``finished`` or ``stopped``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Oracle, seed, budget, workers: what the job was started with."""
    unread: tuple[str, ...] = ()
    """What of the folder could not be read, and why."""

    def unread_lines(self) -> list[str]:
        """Return the first few of `unread`, and how many more there are."""
        more = len(self.unread) - MOST_LINES
        return [*self.unread[:MOST_LINES], *([f"and {more:,} more"] if more > 0 else [])]
