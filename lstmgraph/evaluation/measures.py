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

COUNT, ABSOLUTE, SQUARED, SIGNED, PERCENT = "count", "absolute", "squared", "signed", "percent"
SCALED, SCALED_SQUARED, SCALED_COUNT = "scaled", "scaled squared", "scaled count"
MODELS, OWN = "absolute of the model", "absolute beside the model"
PARTS = (
    *(COUNT, ABSOLUTE, SQUARED, SIGNED, PERCENT),
    *(SCALED, SCALED_SQUARED, SCALED_COUNT, MODELS, OWN),
)


class ErrorSums:
    """Adds up the errors of forecasts by series and by step.

    Args:
        series: the number of series.
        steps: the number of steps of a forecast.
    """

    def __init__(self, series: int, steps: int) -> None:
        self.sums = {part: np.zeros((series, steps)) for part in PARTS}

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
        if model is not None:
            both = known & np.isfinite(model)
            parts[MODELS] = np.where(both, np.abs(model.astype("float64") - targets), 0.0)
            parts[OWN] = np.where(both, np.abs(error), 0.0)
        for part, values in parts.items():
            np.add.at(self.sums[part], series, values if weights is None else values * weights)

    def skill(self) -> float:
        """Return 1 minus the model's absolute error over this one's, where both are known."""
        own = float(self.sums[OWN].sum())
        return 1 - float(self.sums[MODELS].sum()) / own if own else float("nan")

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

    def add(self, targets: Array, forecasts: Array, weights: Array | None = None) -> None:
        """Add targets (rows, steps), their quantiles (rows, steps, quantiles) and weights.

        What is not known, in targets or quantiles, does not count.
        """
        known = np.isfinite(targets) & np.isfinite(forecasts).all(axis=-1)
        forecasts = np.where(known[..., None], forecasts, 0.0)
        share = known.astype("float64") if weights is None else np.where(known, weights, 0.0)
        values = np.where(known, targets, 0.0).astype("float64")[..., None]
        error = values - forecasts
        shares = np.array(self.quantiles)
        losses = np.maximum(shares * error, (shares - 1) * error)
        inside = (values >= forecasts[..., :1]) & (values <= forecasts[..., -1:])
        self.count += share.sum(axis=0)
        self.below += ((values <= forecasts) * share[..., None]).sum(axis=0)
        self.inside += (inside[..., 0] * share).sum(axis=0)
        self.losses += (losses * share[..., None]).sum(axis=0)
        self.size += (np.abs(values[..., 0]) * share).sum(axis=0)

    def measures(self) -> dict[str, float]:
        """Return ``pinball``, ``crps``, ``weighted_quantile_loss``, ``coverage`` and its aim.

        ``crps`` is approximated by twice the mean pinball loss. ``q0.1`` and so on are the shares
        of targets at or below each quantile.
        """
        count, losses = self.count.sum() or 1.0, self.losses.sum()
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

    def majority(self) -> dict[str, float]:
        """Return the measures of always predicting the most frequent class, by its frequency."""
        support = self.confusion.sum(axis=1)
        count = float(support.sum()) or 1.0
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
