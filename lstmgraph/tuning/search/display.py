"""The progress of a search: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.tables import cell
from lstmgraph.tuning.search.own_files import trial_folder
from lstmgraph.tuning.search.ranking import best_trials
from lstmgraph.tuning.search.records import read_epochs
from lstmgraph.tuning.search.results import COMPLETED, PRUNED, RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rich.live import Live
    from rich.text import Text

    from lstmgraph.tuning.search.results import Objective, TrialRow

BEST_SHOWN = 5
COLUMN_EDGE = 3
"""What a column takes beside its texts: spaces on both sides, and a line."""
LEAST_VALUES = 10
"""The fewest characters of the searched values that are worth a column."""
ORDER = {0: -5, 4: -4, 1: -3}
"""Of columns: the trial's number, the first objective and the status go last."""


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

    def table(self) -> Group:
        """Return what is shown now: one line for each trial, however narrow the terminal is."""
        ended = ", ".join(f"{number} {status}" for status, number in sorted(self.counts.items()))
        title = f"{ended or 'no trial has ended'}, {len(self.running)} running"
        running = [self._running_cells(row, began) for row, began in self.running.values()]
        best = [
            self._cells(row, row.epochs, row.seconds, row.metrics) for row in self.ranked.values()
        ]
        names = [objective.metric for objective in self.objectives]
        headings = ["trial", "status", "epochs", "seconds", *names, "values"]
        columns = [
            list(map(cell, column)) for column in zip(headings, *running, *best, strict=True)
        ]
        kept = self._fitting(columns)
        table = Table(show_edge=False)
        for index, width in kept.items():
            table.add_column(cell(headings[index]), no_wrap=True, overflow="ellipsis", width=width)
        for number in range(1, len(running) + len(best) + 1):
            if number == len(running) + 1:
                table.add_section()
            table.add_row(*(columns[index][number] for index in kept))
        left = [heading for index, heading in enumerate(headings) if index not in kept]
        below = [f"too narrow for {', '.join(left)}"] if left else []
        return Group(_line(title), table, *map(_line, below))

    def _fitting(self, columns: Sequence[Sequence[Text]]) -> dict[int, int]:
        """Return the columns that fit and their widths; the last, of values, may be cut."""
        space = self.live.console.width
        *widths, whole = (max(text.cell_len for text in column) for column in columns)
        # The first objective says more of a trial than how long it took.
        by_weight = sorted(range(len(widths)), key=lambda index: ORDER.get(index, index))
        kept: dict[int, int] = {}
        for index in by_weight:
            if not kept or widths[index] + COLUMN_EDGE <= space:
                kept[index] = widths[index]
                space -= widths[index] + COLUMN_EDGE
        if space >= LEAST_VALUES + COLUMN_EDGE:
            kept[len(widths)] = min(whole, space - COLUMN_EDGE)
        return dict(sorted(kept.items()))

    def _running_cells(self, row: TrialRow, began: float) -> list[str]:
        history = read_epochs(trial_folder(self.folder, row.number))
        last = {name: values[-1] for name, values in history.items()}
        epochs = max(map(len, history.values()), default=0)
        return self._cells(row, epochs, time.monotonic() - began, last)

    def _cells(
        self, row: TrialRow, epochs: int, seconds: float, metrics: Mapping[str, float]
    ) -> list[str]:
        found = [metrics.get(objective.metric) for objective in self.objectives]
        numbers = ["" if value is None else f"{value:.6g}" for value in found]
        values = ", ".join(f"{name}={shown(value)}" for name, value in row.values.items())
        return [str(row.number), row.status, str(epochs), f"{seconds:.0f}", *numbers, values]


def _line(text: str) -> Text:
    line = cell(text)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
