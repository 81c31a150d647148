"""The forecasts that a report draws: a few at random, and the worst."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.data.values import Array
    from lstmgraph.prediction import PredictionBatch

WORST, EVENLY, RESIDUALS, MISTAKES = 6, 6, 5_000, 20
"""How many forecasts, residuals and examples of wrong classes are kept."""


@dataclass(frozen=True)
class Sample:
    """One forecast, beside what came."""

    series: int
    origin: str
    targets: Array
    """(steps,), NaN where they are not known."""
    forecasts: Array
    """(steps,)."""
    band: tuple[Array, Array] | None
    """The lowest and the highest quantile, (steps,) each."""
    error: float
    """The mean absolute error."""
    name: str = ""
    """The name of the series."""


class Samples:
    """Keeps some of the forecasts: the worst, some evenly chosen, and a sample of residuals.

    Args:
        steps: the number of steps of a forecast.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.seen = 0
        self.worst: list[Sample] = []
        self.chosen: list[Sample] = []
        self.residuals = np.zeros(0)
        self.times: Array = np.zeros(0)
        """The time of each residual's target, or the number of its example."""
        self._heap: list[tuple[float, int, Sample]] = []
        self._order = np.zeros(0)
        self._random = np.random.Generator(np.random.PCG64(0))

    def add(
        self,
        batch: PredictionBatch,
        series: Array,
        targets: Array,
        forecasts: Array,
        bands: Array | None,
    ) -> None:
        """Consider forecasts of a batch, (rows, steps), with quantiles (rows, steps, levels)."""
        errors = forecasts.astype("float64") - targets
        known = np.isfinite(errors)
        counts = known.sum(axis=1)
        means = np.abs(np.where(known, errors, 0)).sum(axis=1) / np.maximum(counts, 1)

        def sample(row: int) -> Sample:
            band = None if bands is None else (bands[row, :, 0].copy(), bands[row, :, -1].copy())
            own = targets[row].copy(), forecasts[row].copy()
            return Sample(int(series[row]), _name(batch, row), *own, band, float(means[row]))

        for row in np.argsort(-means)[:WORST].tolist():
            if counts[row]:
                entry = (float(means[row]), self.seen + row, sample(row))
                if len(self._heap) < WORST:
                    heapq.heappush(self._heap, entry)
                elif entry[0] > self._heap[0][0]:
                    heapq.heapreplace(self._heap, entry)
        for row in np.flatnonzero(counts).tolist():
            place = self.seen + row
            if len(self.chosen) < EVENLY:
                self.chosen.append(sample(row))
            elif (other := int(self._random.integers(0, place + 1))) < EVENLY:
                self.chosen[other] = sample(row)
        self.seen += len(means)
        self._keep_residuals(errors[known], _times(batch, errors.shape)[known])

    def _keep_residuals(self, residuals: Array, times: Array) -> None:
        """Replace residuals so that each of all so far is kept with the same chance."""
        order = self._random.random(len(residuals))
        if self.residuals.size:
            residuals = np.concatenate([self.residuals, residuals])
            times = np.concatenate([self.times, times])
            order = np.concatenate([self._order, order])
        kept = np.sort(np.argsort(order)[:RESIDUALS])
        self.residuals, self.times, self._order = residuals[kept], times[kept], order[kept]

    def named(self, names: list[str]) -> Samples:
        """Return the samples with the names of their series, the worst in order."""

        def with_name(sample: Sample) -> Sample:
            name = names[sample.series] if sample.series < len(names) else ""
            return replace(sample, name=name)

        self.worst = [with_name(entry[2]) for entry in sorted(self._heap, key=lambda e: -e[0])]
        self.chosen = [with_name(sample) for sample in self.chosen]
        return self


@dataclass(frozen=True)
class Mistake:
    """An example whose true class had a low chance."""

    series: str
    example: str
    """Its origin, time or row."""
    step: int | None
    """The number of the step; None for examples without steps."""
    column: str
    """Of several columns of yes or no, which; else empty."""
    target: str
    predicted: str
    chance: float
    """The chance of the class that came."""
    confidence: float
    """The chance of the class that was predicted."""


class Mistakes:
    """Keeps the examples whose true class had the lowest chance, of those predicted wrongly.

    Args:
        columns: the names of several columns of yes or no; empty for one target a step.
    """

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self.columns = columns
        self._kept: list[tuple[float, int, Mistake]] = []
        self._seen = 0

    def add(  # noqa: PLR0913, PLR0917 - each says one thing
        self,
        batch: PredictionBatch,
        series: Array,
        targets: Array,
        chances: Array,
        places: Array,
        steps: tuple[Array, int] | None,
    ) -> None:
        """Consider targets (count,) and chances (count, classes) of a batch.

        Args:
            batch: the batch.
            series: the series of each of its rows, (rows,).
            targets: the ids of true classes, (count,).
            chances: of all classes, (count, classes).
            places: where the targets stand in (rows * steps * columns), (count,).
            steps: the number of the first step of each row, (rows,), and how many a row has; None
                for examples without steps.
        """
        own = chances[np.arange(len(targets)), targets]
        predicted = chances.argmax(axis=-1)
        wrong = np.flatnonzero(predicted != targets)
        for at in wrong[np.argsort(own[wrong], kind="stable")][:MISTAKES].tolist():
            step, column = divmod(int(places[at]), len(self.columns) or 1)
            row, step = divmod(step, steps[1] if steps else 1)
            mistake = Mistake(
                str(int(series[row])),
                _name(batch, row),
                int(steps[0][row]) + step if steps else None,
                self.columns[column] if self.columns else "",
                str(int(targets[at])),
                str(int(predicted[at])),
                float(own[at]),
                float(chances[at].max()),
            )
            self._kept.append((float(own[at]), self._seen + at, mistake))
        self._seen += len(targets)
        self._kept = sorted(self._kept, key=lambda each: each[:2])[:MISTAKES]

    def named(self, classes: tuple[str, ...], series: list[str]) -> tuple[Mistake, ...]:
        """Return the worst first, with the names of classes and series."""
        return tuple(
            replace(
                each,
                series=series[int(each.series)] if int(each.series) < len(series) else "",
                target=classes[int(each.target)],
                predicted=classes[int(each.predicted)],
            )
            for *_, each in self._kept
        )


def _name(batch: PredictionBatch, row: int) -> str:
    """Return what names an example of a batch: its origin, its time, or its row."""
    keys = batch.keys
    names = keys.get("origin", keys.get("time", keys["row"]))
    return str(names[row]) if np.ndim(names[row]) == 0 else str(names[row][0])


def _times(batch: PredictionBatch, shape: tuple[int, ...]) -> Array:
    """Return the time of each target, (rows, steps); the number of its example without times."""
    found = np.asarray(batch.keys.get("time", batch.positions))
    found = found.reshape(len(batch), -1)
    if found.shape[1] not in (1, shape[1]):
        found = batch.positions[:, None]
    times: Array = np.broadcast_to(found, shape)
    return times
