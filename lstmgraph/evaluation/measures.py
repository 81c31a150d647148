"""Sums of errors, by series and by step, from which measures of forecasts are made.

Only sums are kept, so that the memory does not grow with the number of forecasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.store import GrowingArray, Workspace, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.data.values import Array

COUNT, ABSOLUTE, SQUARED, SIGNED, PERCENT = range(5)
MODELS, OWN = range(5, 7)
"""The absolute errors of the model, and those beside them, where both are known."""


class Totals:
    """Adds up numbers of forecasts by series and by step.

    Args:
        series: the number of series.
        steps: the number of steps of a forecast.
        parts: how many numbers each step of a forecast has.
    """

    def __init__(self, series: int, steps: int, parts: int) -> None:
        self.by_series = np.zeros((series, parts))
        self.by_step = np.zeros((steps, parts))

    def add(self, series: Array, values: Array) -> None:
        """Add numbers (rows, steps, parts) of forecasts for `series`, (rows,)."""
        np.add.at(self.by_series, series, values.sum(axis=1))
        self.by_step += values.sum(axis=0)

    def over(self, axis: int | None) -> Array:
        """Return the totals (parts,); those of series (axis 1), (series, parts), or steps (0)."""
        found: Array = self.by_step.sum(axis=0)
        return found if axis is None else (self.by_step, self.by_series)[axis]


class ErrorSums:
    """Adds up the errors of forecasts by series and by step.

    Args:
        series: the number of series.
        steps: the number of steps of a forecast.
    """

    def __init__(self, series: int, steps: int) -> None:
        self.totals = Totals(series, steps, 7)
        self.scaled = np.zeros((3, series, steps))
        """Scaled errors, their squares, and how many: measures of these are made per series."""

    def add(  # noqa: PLR0913 - each says one thing
        self,
        series: Array,
        targets: Array,
        forecasts: Array,
        *,
        scales: tuple[Array, Array] | None = None,
        counted: Array | None = None,
        weights: Array | None = None,
        model: Array | None = None,
    ) -> None:
        """Add forecasts, (rows, steps); those whose target is NaN do not count.

        Args:
            series: the series of each row, (rows,).
            targets: what came, (rows, steps).
            forecasts: what was forecast, (rows, steps).
            scales: the mean absolute and the mean squared error of a naive forecast of the history,
                (rows,) each; NaN where there is none.
            counted: which steps count, (rows, steps); None for all.
            weights: how much each target counts, (rows, steps); None for 1.
            model: for a naive forecast, that of the model, (rows, steps), to compare the two where
                both are known.
        """
        targets, forecasts = targets.astype("float64"), forecasts.astype("float64")
        known = np.isfinite(targets) & np.isfinite(forecasts)
        if counted is not None:
            known &= counted
        share = known.astype("float64") if weights is None else np.where(known, weights, 0.0)
        error = np.where(known, forecasts - targets, 0.0)
        absolute = np.abs(error)
        size = np.abs(np.where(known, targets, 0)) + np.abs(np.where(known, forecasts, 0))
        percent = 200 * np.divide(absolute, size, out=np.zeros_like(error), where=size > 0)
        parts = [np.ones_like(error), absolute, error**2, error, percent]
        if model is not None:
            both = known & np.isfinite(model)
            parts.append(np.where(both, np.abs(model.astype("float64") - targets), 0.0))
            parts.append(np.where(both, absolute, 0.0))
        else:
            parts += [np.zeros_like(error)] * 2
        self.totals.add(series, np.stack(parts, axis=-1) * share[..., None])
        if scales is not None:
            has_one = np.nan_to_num(scales[0]) > 0
            scale, squares = (np.where(has_one, each, 1.0)[:, None] for each in scales)
            share = share * has_one[:, None]
            for at, values in enumerate((absolute / scale, error**2 / squares, 1.0)):
                np.add.at(self.scaled[at], series, values * share)

    def measures(self, axis: int | None = None) -> dict[str, Array]:
        """Return measures over all forecasts, or for each series (axis 1) or step (axis 0).

        ``mae``, ``rmse``, ``bias`` (the mean of forecast minus target), ``smape`` in percent, 0 to
        200 (M4), and, against the errors of a naive forecast of the history, ``mase`` (Hyndman and
        Koehler, 2006) and ``rmsse`` (the M5 competition), of each series, then their mean; beside a
        model, its ``skill``. NaN where nothing counts.
        """
        sums = np.moveaxis(self.totals.over(axis), -1, 0)
        found = {
            "mae": _mean(sums[ABSOLUTE], sums[COUNT]),
            "rmse": np.sqrt(_mean(sums[SQUARED], sums[COUNT])),
            "bias": _mean(sums[SIGNED], sums[COUNT]),
            "smape": _mean(sums[PERCENT], sums[COUNT]),
        }
        if self.scaled[2].any():
            absolute, squared, count = self.scaled if axis == 0 else self.scaled.sum(axis=2)
            found["mase"] = _mean(absolute, count)
            found["rmsse"] = np.sqrt(_mean(squared, count))
            if axis != 1:
                for name in ("mase", "rmsse"):
                    known = np.isfinite(found[name])
                    total = np.where(known, found[name], 0).sum(axis=0)
                    found[name] = _mean(total, known.sum(axis=0))
        if self.totals.by_step[:, OWN].any():
            found["skill"] = 1 - _mean(sums[MODELS], sums[OWN])
        return found

    @property
    def counts(self) -> Array:
        """How many targets of each series were counted, (series,)."""
        return self.totals.by_series[:, COUNT]


def _mean(total: Array, count: Array) -> Array:
    found: Array = np.divide(
        total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0
    )
    return found


class QuantileSums:
    """Adds up what measures of quantiles need.

    Args:
        quantiles: those of the forecasts, in order.
        series: the number of series.
        steps: the number of steps of a forecast.
    """

    def __init__(self, quantiles: tuple[float, ...], series: int, steps: int) -> None:
        self.quantiles = quantiles
        self.totals = Totals(series, steps, 5 + len(quantiles))

    def add(
        self,
        series: Array,
        targets: Array,
        forecasts: Array,
        weights: Array | None = None,
        crps: Array | None = None,
    ) -> None:
        """Add targets (rows, steps), their quantiles (rows, steps, quantiles) and weights.

        What is not known, in targets or quantiles, does not count.

        Args:
            series: the series of each row, (rows,).
            targets: what came, (rows, steps).
            forecasts: the quantiles, (rows, steps, quantiles).
            weights: how much each target counts, (rows, steps); None for 1.
            crps: the score of each target, (rows, steps); None for twice the mean pinball loss.
        """
        known = np.isfinite(targets) & np.isfinite(forecasts).all(axis=-1)
        forecasts = np.where(known[..., None], forecasts, 0.0)
        share = known.astype("float64") if weights is None else np.where(known, weights, 0.0)
        values = np.where(known, targets, 0.0).astype("float64")[..., None]
        error = values - forecasts
        shares = np.array(self.quantiles)
        pinball = np.maximum(shares * error, (shares - 1) * error).mean(axis=-1)
        score = 2 * pinball if crps is None else np.where(known, crps, 0.0)
        inside = (values >= forecasts[..., :1]) & (values <= forecasts[..., -1:])
        parts = [np.ones_like(pinball), pinball, score, np.abs(values[..., 0]), inside[..., 0]]
        whole = np.concatenate([np.stack(parts, axis=-1), values <= forecasts], axis=-1)
        self.totals.add(series, whole * share[..., None])

    def measures(self, axis: int | None = None) -> dict[str, Array]:
        """Return ``pinball``, ``crps``, ``weighted_quantile_loss``, ``coverage`` and its aim.

        ``q0.1`` and so on are the shares of targets at or below each quantile. NaN where nothing
        counts.

        Args:
            axis: None for all forecasts; 1 for each series; 0 for each step.
        """
        count, pinball, score, size, inside, *below = np.moveaxis(self.totals.over(axis), -1, 0)
        found = {
            "pinball": _mean(pinball, count),
            "crps": _mean(score, count),
            "weighted_quantile_loss": _mean(2 * pinball, size),
        }
        if len(self.quantiles) > 1:
            found["coverage"] = _mean(inside, count)
            found["aim"] = np.full_like(count, self.quantiles[-1] - self.quantiles[0])
        each = zip(self.quantiles, below, strict=True)
        return found | {f"q{level:g}": _mean(part, count) for level, part in each}


BINS = 10
CHUNK = 1 << 16
"""How many rows of a table are read at a time."""


class ClassCounts:
    """Counts predicted and true classes, and how sure the predictions were.

    Args:
        classes: the names of the classes.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.confusion = np.zeros((len(classes), len(classes)))
        """How often, or with what weight, each class (rows) was predicted as each (columns)."""
        self.log_loss = 0.0
        self.bins = np.zeros((BINS, 3))
        """For each bin of confidence: predictions, the sum of confidences, right predictions."""

    def add(self, targets: Array, chances: Array, weights: Array | None = None) -> None:
        """Add true classes, (rows,), the chances of all, (rows, classes), and weights, (rows,)."""
        share = np.ones(len(targets)) if weights is None else weights.astype("float64")
        predicted = chances.argmax(axis=-1)
        np.add.at(self.confusion, (targets, predicted), share)
        own = np.clip(chances[np.arange(len(targets)), targets].astype("float64"), 1e-15, 1)
        self.log_loss -= float((np.log(own) * share).sum())
        sure = chances.max(axis=-1).astype("float64")
        places = np.clip((sure * BINS).astype(int), 0, BINS - 1)
        np.add.at(
            self.bins,
            places,
            share[:, None] * np.stack([np.ones_like(sure), sure, predicted == targets], 1),
        )

    def measures(self) -> dict[str, float]:
        """Return accuracy, balanced accuracy, macro F1, log loss and expected calibration error.

        The calibration error (Guo and others, On Calibration of Modern Neural Networks, 2017) is
        the mean distance of confidence and accuracy over ten bins of confidence.
        """
        count = float(self.confusion.sum()) or 1.0
        by_class = self.by_class()
        present = [row for row in by_class.values() if row["support"]]
        predictions, sure, right = self.bins.T
        return {
            "accuracy": float(np.trace(self.confusion)) / count,
            "balanced_accuracy": float(np.mean([row["recall"] for row in present] or [0.0])),
            "f1": float(np.mean([row["f1"] for row in present] or [0.0])),
            "log_loss": self.log_loss / count,
            "calibration_error": float(np.abs(sure - right).sum() / (predictions.sum() or 1.0)),
        }

    def by_class(self) -> Mapping[str, dict[str, float]]:
        """Return precision, recall, F1 and support of each class; 0 where nothing is divided by."""
        right = np.diag(self.confusion)
        predicted, support = self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        found = {}
        for index, name in enumerate(self.classes):
            precision = right[index] / predicted[index] if predicted[index] else 0.0
            recall = right[index] / support[index] if support[index] else 0.0
            both = precision + recall
            found[name] = {
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(2 * precision * recall / both) if both else 0.0,
                "support": whole(support[index]),
            }
        return found

    def majority(self, prior: Array | None = None) -> dict[str, float]:
        """Return the measures of always predicting the most frequent class, by its frequency.

        Args:
            prior: how often each class was there before, (classes,); None for what was counted.
        """
        support = self.confusion.sum(axis=1)
        count, present = float(support.sum()) or 1.0, support > 0
        frequent = support if prior is None or not prior.any() else prior
        chances = np.clip(frequent / (float(frequent.sum()) or 1.0), 1e-15, 1)
        share = float(support[int(frequent.argmax())]) / count if len(support) else 0.0
        is_present = bool(share)
        return {
            "accuracy": share,
            "balanced_accuracy": is_present / max(int(present.sum()), 1),
            "f1": 2 * share / (1 + share) / max(int(present.sum()), 1),
            "log_loss": float(-(support * np.log(chances)).sum()) / count,
        }


class Naive:
    """The history of one target in a table, for forecasts that anyone would make.

    Args:
        table: the target of every row, (rows,).
        starts: the first row of each series, then the number of rows, (series + 1,).
        season: the steps from one season to the next; 1 for none.

    Sums over the rows before each are kept in a temporary file, so that the memory does not grow
    with the table.
    """

    def __init__(self, table: Array, starts: Array, season: int) -> None:
        self.table, self.starts, self.season = table, starts, season
        self._workspace = Workspace()
        path = self._workspace.path / "sums.npy"
        total = np.zeros(5)
        with GrowingArray(path, np.dtype("float64"), len(total)) as file:
            file.append(total[None])
            for first in range(0, len(table), CHUNK):
                sums = total + np.cumsum(self._parts(first, min(first + CHUNK, len(table))), axis=0)
                file.append(sums)
                total = sums[-1]
        self._before: Array = mapped(path)
        """Of the rows before each: sum and count of values; count, sizes and squares of gaps."""

    def _parts(self, first: int, end: int) -> Array:
        """Return value and 1 of each row, then 1, size and square of its change in a season."""
        rows = np.arange(first, end)
        starts = self.starts[np.searchsorted(self.starts, rows, "right") - 1]
        values = np.asarray(self.table[first:end]).astype("float64")
        gaps = values - self._at(rows - self.season, starts)
        known, has_gap = np.isfinite(values), np.isfinite(gaps)
        values, gaps = np.where(known, values, 0.0), np.where(has_gap, gaps, 0.0)
        return np.stack([values, known, has_gap, np.abs(gaps), gaps**2], axis=1)

    def _sums(self, first: Array, end: Array) -> Array:
        """Return the five sums over the rows from `first` to before `end`, (5, rows)."""
        found: Array = (self._before[end] - self._before[first]).T
        return found

    def forecasts(self, series: Array, origins: Array, horizon: int) -> dict[str, Array]:
        """Return forecasts (rows, horizon) by name, each from what is before its origin alone.

        ``last value``; ``seasonal naive``, the value of the season before; ``mean`` of the series
        so far; ``drift``, the last value and its mean change so far for each step.
        """
        first = self.starts[series]
        ahead = np.arange(1, horizon + 1)
        last = self._at(origins - 1, first)
        steps = np.maximum(origins - 1 - first, 1)
        change = (last - self._at(first, first)) / steps
        total, known, *_ = self._sums(first, origins)
        mean = _mean(total, known)
        found = {
            "last value": np.repeat(last[:, None], horizon, axis=1),
            "mean": np.repeat(mean[:, None], horizon, axis=1),
            "drift": last[:, None] + change[:, None] * ahead,
        }
        if self.season > 1:
            back = origins[:, None] - self.season + (ahead - 1) % self.season
            found = {"seasonal naive": self._at(back, first[:, None]), **found}
        return found

    def scales(self, series: Array, origins: Array) -> tuple[Array, Array]:
        """Return mean absolute and mean squared differences of a season before each origin."""
        _, _, counts, sizes, squares = self._sums(self.starts[series], origins)
        return _mean(sizes, counts), _mean(squares, counts)

    def _at(self, rows: Array, first: Array) -> Array:
        """Return the target of rows; NaN before the first row of the series."""
        found = np.asarray(self.table[np.maximum(rows, first)]).astype("float64")
        found[rows < first] = np.nan
        return found


def whole(value: float) -> float:
    """Return a count as an integer where it is one, as without weights."""
    return int(value) if float(value).is_integer() else float(value)
