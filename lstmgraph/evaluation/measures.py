"""Sums of errors, by series and by step, from which measures of forecasts are made.

Only sums are kept, so that the memory does not grow with the number of forecasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.data.values import Array

COUNT, ABSOLUTE, SQUARED, SIGNED, PERCENT = "count", "absolute", "squared", "signed", "percent"
SCALED, SCALED_SQUARED, SCALED_COUNT = "scaled", "scaled squared", "scaled count"
PARTS = (COUNT, ABSOLUTE, SQUARED, SIGNED, PERCENT, SCALED, SCALED_SQUARED, SCALED_COUNT)


class ErrorSums:
    """Adds up the errors of forecasts by series and by step.

    Args:
        series: the number of series.
        steps: the number of steps of a forecast.
    """

    def __init__(self, series: int, steps: int) -> None:
        self.sums = {part: np.zeros((series, steps)) for part in PARTS}

    def add(
        self,
        series: Array,
        targets: Array,
        forecasts: Array,
        *,
        scales: tuple[Array, Array] | None = None,
        counted: Array | None = None,
    ) -> None:
        """Add forecasts, (rows, steps); those whose target is NaN do not count.

        Args:
            series: the series of each row, (rows,).
            targets: what came, (rows, steps).
            forecasts: what was forecast, (rows, steps).
            scales: the mean absolute and the mean squared error of a naive forecast of the history,
                (rows,) each; NaN where there is none.
            counted: which steps count, (rows, steps); None for all.
        """
        targets, forecasts = targets.astype("float64"), forecasts.astype("float64")
        known = np.isfinite(targets) & np.isfinite(forecasts)
        if counted is not None:
            known &= counted
        error = np.where(known, forecasts - targets, 0.0)
        size = np.abs(np.where(known, targets, 0)) + np.abs(np.where(known, forecasts, 0))
        percent = 200 * np.divide(np.abs(error), size, out=np.zeros_like(error), where=size > 0)
        parts = {
            COUNT: known.astype("float64"),
            ABSOLUTE: np.abs(error),
            SQUARED: error**2,
            SIGNED: error,
            PERCENT: percent,
        }
        if scales is not None:
            has_one = np.nan_to_num(scales[0]) > 0
            has_scale = has_one[:, None] & known
            scale, squares = (np.where(has_one, each, 1.0)[:, None] for each in scales)
            parts[SCALED] = np.where(has_scale, np.abs(error) / scale, 0.0)
            parts[SCALED_SQUARED] = np.where(has_scale, error**2 / squares, 0.0)
            parts[SCALED_COUNT] = has_scale.astype("float64")
        for part, values in parts.items():
            np.add.at(self.sums[part], series, values)

    def measures(self, axis: int | None = None) -> dict[str, Array]:
        """Return measures over all forecasts, or for each series (axis 1) or step (axis 0).

        ``mae``, ``rmse``, ``bias`` (the mean of forecast minus target), ``smape`` in percent, 0 to
        200 (M4), and, against the errors of a naive forecast of the history, ``mase`` (Hyndman and
        Koehler, 2006) and ``rmsse`` (the M5 competition). NaN where nothing counts.
        """
        sums = {part: values.sum(axis=axis) for part, values in self.sums.items()}
        count, scaled = sums[COUNT], sums[SCALED_COUNT]
        found = {
            "mae": _mean(sums[ABSOLUTE], count),
            "rmse": np.sqrt(_mean(sums[SQUARED], count)),
            "bias": _mean(sums[SIGNED], count),
            "smape": _mean(sums[PERCENT], count),
        }
        if np.any(scaled > 0):
            found["mase"] = _mean(sums[SCALED], scaled)
            found["rmsse"] = np.sqrt(_mean(sums[SCALED_SQUARED], scaled))
        return found

    @property
    def counts(self) -> Array:
        """How many targets were counted, (series, steps)."""
        return self.sums[COUNT]


def _mean(total: Array, count: Array) -> Array:
    found: Array = np.divide(
        total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0
    )
    return found


class QuantileSums:
    """Adds up what measures of quantiles need.

    Args:
        quantiles: those of the forecasts, in order.
        steps: the number of steps of a forecast.
    """

    def __init__(self, quantiles: tuple[float, ...], steps: int) -> None:
        self.quantiles = quantiles
        self.count = np.zeros(steps)
        self.below = np.zeros((steps, len(quantiles)))
        self.inside = np.zeros(steps)
        self.losses = np.zeros((steps, len(quantiles)))
        self.size = np.zeros(steps)

    def add(self, targets: Array, forecasts: Array) -> None:
        """Add targets (rows, steps) and their quantiles (rows, steps, quantiles)."""
        known = np.isfinite(targets)
        values = np.where(known, targets, 0.0).astype("float64")[..., None]
        error = values - forecasts
        shares = np.array(self.quantiles)
        losses = np.maximum(shares * error, (shares - 1) * error)
        inside = (values >= forecasts[..., :1]) & (values <= forecasts[..., -1:])
        self.count += known.sum(axis=0)
        self.below += ((values <= forecasts) & known[..., None]).sum(axis=0)
        self.inside += (inside[..., 0] & known).sum(axis=0)
        self.losses += np.where(known[..., None], losses, 0).sum(axis=0)
        self.size += np.abs(values[..., 0]).sum(axis=0)

    def measures(self) -> dict[str, float]:
        """Return ``pinball``, ``crps``, ``weighted_quantile_loss``, ``coverage`` and its aim.

        ``crps`` is approximated by twice the mean pinball loss. ``q0.1`` and so on are the shares
        of targets at or below each quantile.
        """
        count, losses = max(self.count.sum(), 1), self.losses.sum()
        pinball = losses / count / len(self.quantiles)
        size = self.size.sum()
        found = {
            "pinball": pinball,
            "crps": 2 * pinball,
            "weighted_quantile_loss": 2 * losses / len(self.quantiles) / size if size else 0.0,
        }
        if len(self.quantiles) > 1:
            found["coverage"] = self.inside.sum() / count
            found["aim"] = self.quantiles[-1] - self.quantiles[0]
        below = self.below.sum(axis=0) / count
        return found | {f"q{q:g}": b for q, b in zip(self.quantiles, below.tolist(), strict=True)}


BINS = 10


class ClassCounts:
    """Counts predicted and true classes, and how sure the predictions were.

    Args:
        classes: the names of the classes.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.confusion = np.zeros((len(classes), len(classes)), np.int64)
        """How often each class (rows) was predicted as each (columns)."""
        self.log_loss = 0.0
        self.bins = np.zeros((BINS, 3))
        """For each bin of confidence: predictions, the sum of confidences, right predictions."""

    def add(self, targets: Array, chances: Array) -> None:
        """Add true classes, (rows,), and the chances of all, (rows, classes)."""
        predicted = chances.argmax(axis=-1)
        np.add.at(self.confusion, (targets, predicted), 1)
        own = np.clip(chances[np.arange(len(targets)), targets].astype("float64"), 1e-15, 1)
        self.log_loss -= float(np.log(own).sum())
        sure = chances.max(axis=-1).astype("float64")
        places = np.clip((sure * BINS).astype(int), 0, BINS - 1)
        np.add.at(self.bins, places, np.stack([np.ones_like(sure), sure, predicted == targets], 1))

    def measures(self) -> dict[str, float]:
        """Return accuracy, balanced accuracy, macro F1, log loss and expected calibration error.

        The calibration error (Guo and others, On Calibration of Modern Neural Networks, 2017) is
        the mean distance of confidence and accuracy over ten bins of confidence.
        """
        count = max(int(self.confusion.sum()), 1)
        by_class = self.by_class()
        present = [row for row in by_class.values() if row["support"]]
        predictions, sure, right = self.bins.T
        return {
            "accuracy": float(np.trace(self.confusion)) / count,
            "balanced_accuracy": float(np.mean([row["recall"] for row in present] or [0.0])),
            "f1": float(np.mean([row["f1"] for row in present] or [0.0])),
            "log_loss": self.log_loss / count,
            "calibration_error": float(np.abs(sure - right).sum() / max(predictions.sum(), 1)),
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
                "support": int(support[index]),
            }
        return found

    def majority(self) -> dict[str, float]:
        """Return the measures of always predicting the most frequent class, by its frequency."""
        support = self.confusion.sum(axis=1)
        count = max(int(support.sum()), 1)
        shares = support[support > 0] / count
        return {
            "accuracy": float(support.max(initial=0)) / count,
            "balanced_accuracy": 1 / max(int((support > 0).sum()), 1),
            "log_loss": float(-(shares * np.log(shares)).sum()),
        }


class Naive:
    """The history of one target in a table, for forecasts that anyone would make.

    Args:
        table: the target of every row, (rows,).
        starts: the first row of each series, then the number of rows, (series + 1,).
        season: the steps from one season to the next; 1 for none.
    """

    def __init__(self, table: Array, starts: Array, season: int) -> None:
        self.table, self.starts, self.season = table, starts, season
        known = np.isfinite(table)
        self._sums = _cumulated(np.nan_to_num(table.astype("float64")))
        self._known = _cumulated(known.astype("float64"))
        gaps = np.full(len(table), np.nan)
        gaps[season:] = table[season:] - table[: max(len(table) - season, 0)]
        first = np.repeat(starts[:-1], np.diff(starts))
        gaps[np.arange(len(table)) < first + season] = np.nan
        self._counts = _cumulated(np.isfinite(gaps).astype("float64"))
        self._gaps = _cumulated(np.abs(np.nan_to_num(gaps)))
        self._squares = _cumulated(np.nan_to_num(gaps) ** 2)

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
        known = self._known[origins] - self._known[first]
        mean = np.divide(
            self._sums[origins] - self._sums[first],
            known,
            out=np.full(len(origins), np.nan),
            where=known > 0,
        )
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
        first = self.starts[series]
        counts = self._counts[origins] - self._counts[first]
        sums = (values[origins] - values[first] for values in (self._gaps, self._squares))
        absolute, squared = (
            np.divide(total, counts, out=np.full(len(origins), np.nan), where=counts > 0)
            for total in sums
        )
        return absolute, squared

    def _at(self, rows: Array, first: Array) -> Array:
        """Return the target of rows; NaN before the first row of the series."""
        found = np.asarray(self.table[np.maximum(rows, first)]).astype("float64")
        found[rows < first] = np.nan
        return found


def _cumulated(values: Array) -> Array:
    """Return the sums of the values before each place, (values + 1,)."""
    return np.concatenate([[0.0], np.cumsum(values)])
