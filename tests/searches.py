"""Results of searches for tests of what shows them: drawn at random, but always the same ones."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph import packaged_recipe
from lstmgraph.tuning.search.results import (
    COMPLETED,
    FAILED,
    OVERSIZED,
    PRUNED,
    RUNNING,
    TIMED_OUT,
    DimensionRow,
    Objective,
    SearchResults,
    TrialRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

UNITS = DimensionRow("layers.encoder.units", "int", low=16, high=256)
RATE = DimensionRow("training.optimizer.learning_rate", "float", low=1e-4, high=1e-1, scale="log")
CELL = DimensionRow("layers.encoder.type", "choice", choices=("lstm", "gru", "simple_rnn"))
TWO_WAYS = DimensionRow("layers.encoder.bidirectional", "bool")
DROPOUT = DimensionRow(
    "layers.encoder.dropout", "float", 0.0, 0.5, condition="layers.encoder.type = lstm"
)
DIMENSIONS = (UNITS, RATE, CELL, TWO_WAYS, DROPOUT)
LOSS = Objective("val_loss", "min")
SPEED = Objective("rows_per_second", "max")
STATUSES = (COMPLETED,) * 14 + (PRUNED,) * 3 + (FAILED, OVERSIZED, TIMED_OUT)
REASONS = {
    FAILED: "ResourceExhaustedError: out of memory while allocating a tensor of 2 GiB",
    OVERSIZED: "4,200,000 parameters are more than the limit of 1,000,000",
    TIMED_OUT: "ran longer than 600 s",
    PRUNED: "worse than the median after 6 epochs",
}


def search(trials: int, seed: int = 0, /, **changes: Any) -> SearchResults:
    """A search of that many trials; `changes` replace fields of the results."""
    chance = random.Random(seed)
    rows = tuple(_trial(number, chance) for number in range(trials))
    completed = [row for row in rows if row.status == COMPLETED]
    best = min(completed, key=lambda row: row.metrics["val_loss"], default=None)
    recipe = packaged_recipe("encoder-decoder").read_text("utf-8") if best else ""
    results = SearchResults(
        recipe="speaker-classifier",
        objectives=(LOSS,),
        dimensions=DIMENSIONS,
        trials=rows,
        best=best.number if best else None,
        best_recipe=recipe,
        state="finished",
        settings={"oracle": "hyperband", "max_trials": trials, "seed": 7, "workers": 2},
    )
    return replace(results, **changes)


def both_objectives(trials: int) -> SearchResults:
    """A search for a small loss and a large speed."""
    results = search(trials)
    points = {
        row.number: (row.metrics["val_loss"], row.metrics["rows_per_second"])
        for row in results.trials
        if row.status == COMPLETED
    }
    front = tuple(name for name, point in points.items() if not _beaten(point, points.values()))
    return replace(results, objectives=(LOSS, SPEED), front=front, best=front[0])


def _beaten(point: tuple[float, float], others: Iterable[tuple[float, float]]) -> bool:
    return any(o != point and o[0] <= point[0] and o[1] >= point[1] for o in others)


def _trial(number: int, chance: random.Random) -> TrialRow:
    values: dict[str, Any] = {
        UNITS.name: chance.randrange(16, 257),
        RATE.name: 10 ** chance.uniform(-4, -1),
        CELL.name: chance.choice(CELL.choices),
        TWO_WAYS.name: chance.random() < 0.5,
    }
    if values[CELL.name] == "lstm":
        values[DROPOUT.name] = chance.uniform(0.0, 0.5)
    status = chance.choice(STATUSES) if number else COMPLETED
    loss = 0.3 + (math.log10(values[RATE.name]) + 2.5) ** 2 / 4 + 20 / values[UNITS.name]
    loss += chance.uniform(0, 0.15) - 0.1 * (values[CELL.name] == "lstm")
    epochs = {COMPLETED: 20, PRUNED: 6}.get(status, 0)
    curve = tuple(loss + math.exp(-epoch / 4) + chance.uniform(0, 0.02) for epoch in range(epochs))
    metrics = {
        "val_loss": min(curve, default=math.nan),
        "val_accuracy": 1 / (1 + loss),
        "rows_per_second": 4e5 / values[UNITS.name] * chance.uniform(0.7, 1),
    }
    return TrialRow(
        number,
        status,
        values,
        reason=REASONS.get(status, ""),
        metrics=metrics if epochs else {},
        history={"val_loss": curve} if epochs else {},
        epochs=epochs,
        seconds=30 + epochs * chance.uniform(2, 5),
        fit_seconds=epochs * 2.0,
        peak_memory_mb=chance.uniform(700, 1900),
        parameters=values[UNITS.name] * 600,
        started=f"2026-03-01T12:{number % 60:02}:00+00:00",
    )


def running(results: SearchResults) -> SearchResults:
    """The same search with one more trial that has just started."""
    row = TrialRow(len(results.trials), RUNNING, {UNITS.name: 100})
    return replace(results, trials=(*results.trials, row), state=RUNNING)
