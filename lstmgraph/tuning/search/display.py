"""A search as it is shown: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.table import Table

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.tables import cell
from lstmgraph.tuning.search.own_files import trial_folder
from lstmgraph.tuning.search.ranking import best_trials
from lstmgraph.tuning.search.records import read_epochs
from lstmgraph.tuning.search.results import COMPLETED, PRUNED, RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.live import Live
    from rich.text import Text

    from lstmgraph.tuning.search.results import Objective, TrialRow

BEST_SHOWN = 5


def shown(value: Any) -> str:
    """Return a value of a dimension, shortened; tables and recipes have all its digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def describe(row: TrialRow, objectives: Sequence[Objective]) -> str:
    """Return a trial in one line: ``trial 3: completed, val_loss 0.51, 20 epochs, 3.2 s``."""
    if row.status == RUNNING:
        values = ", ".join(f"{name}={shown(value)}" for name, value in row.values.items())
        return printable(f"trial {row.number}: starts with {values}")
    metrics = [
        f"{o.metric} {row.metrics[o.metric]:.6g}" for o in objectives if o.metric in row.metrics
    ]
    parts = [row.status, *metrics, f"{row.epochs} epochs", f"{row.seconds:.1f} s"]
    reason = f": {row.reason}" if row.reason else ""
    return printable(f"trial {row.number}: {', '.join(parts)}{reason}")


class LineWatcher:
    """A line for each start and each end."""

    def __init__(self, objectives: Sequence[Objective], show: Callable[[str], None]) -> None:
        self.objectives = objectives
        self.show = show

    def started(self, row: TrialRow) -> None:
        """See `Watcher`."""
        self.show(describe(row, self.objectives))

    def ended(self, row: TrialRow) -> None:
        """See `Watcher`."""
        self.show(describe(row, self.objectives))

    def tick(self) -> None:
        """See `Watcher`."""


class LiveWatcher:
    """The running trials and the best so far, redrawn in place."""

    def __init__(self, objectives: Sequence[Objective], folder: Path, live: Live) -> None:
        self.objectives = objectives
        self.folder = folder
        self.live = live
        self.running: dict[int, tuple[TrialRow, float]] = {}
        self.ranked: dict[int, TrialRow] = {}
        self.counts: dict[str, int] = {}

    def started(self, row: TrialRow) -> None:
        """See `Watcher`."""
        self.running[row.number] = (row, time.monotonic())
        self.tick()

    def ended(self, row: TrialRow) -> None:
        """See `Watcher`."""
        self.running.pop(row.number, None)
        self.counts[row.status] = self.counts.get(row.status, 0) + 1
        if row.status in (COMPLETED, PRUNED):
            self.ranked[row.number] = row
            metrics = {number: each.metrics for number, each in self.ranked.items()}
            best = best_trials(metrics, self.objectives)[:BEST_SHOWN]
            self.ranked = {number: self.ranked[number] for number in best}
        self.tick()

    def tick(self) -> None:
        """See `Watcher`."""
        self.live.update(self.table())

    def table(self) -> Table:
        """Return what is shown now."""
        counts = ", ".join(f"{number} {status}" for status, number in sorted(self.counts.items()))
        table = Table(title=f"{counts or 'no trial has ended'}, {len(self.running)} running")
        names = [objective.metric for objective in self.objectives]
        for name in ("trial", "status", "epochs", "seconds", *names, "values"):
            table.add_column(cell(name))
        for row, began in self.running.values():
            history = read_epochs(trial_folder(self.folder, row.number))
            last = {name: values[-1] for name, values in history.items()}
            epochs = max(map(len, history.values()), default=0)
            table.add_row(*self._cells(row, epochs, time.monotonic() - began, last))
        table.add_section()
        for row in self.ranked.values():
            table.add_row(*self._cells(row, row.epochs, row.seconds, dict(row.metrics)))
        return table

    def _cells(
        self, row: TrialRow, epochs: int, seconds: float, metrics: dict[str, float]
    ) -> list[Text]:
        found = [metrics.get(objective.metric) for objective in self.objectives]
        numbers = ["" if value is None else f"{value:.6g}" for value in found]
        values = ", ".join(f"{name}={shown(value)}" for name, value in row.values.items())
        cells = str(row.number), row.status, str(epochs), f"{seconds:.0f}", *numbers, values
        return list(map(cell, cells))
