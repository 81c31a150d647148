"""Measures of a model on data, by output, series and step, beside those of naive forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.compiler.checks.class_weights import ONE_HOT, YES_OR_NO
from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.data.problems import Problems
from lstmgraph.evaluation import distributions
from lstmgraph.evaluation.evaluation import Evaluation
from lstmgraph.evaluation.measures import CHUNK, ClassCounts, ErrorSums, Naive, QuantileSums, whole
from lstmgraph.evaluation.results import MODEL, ClassResult, ColumnResult, SeriesResults
from lstmgraph.evaluation.samples import Mistakes, Samples
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.distributions import distribution_of, quantiles_of
from lstmgraph.keras_facts.targets import arguments_of
from lstmgraph.language.declaration.data import HORIZON
from lstmgraph.messages.wording import few
from lstmgraph.prediction import class_names
from lstmgraph.prediction.clock import season_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.data.examples import Examples
    from lstmgraph.data.values import Array
    from lstmgraph.prediction import OutputLayout, PredictionBatch, Predictions

QUANTILES = (0.1, 0.5, 0.9)
"""The quantiles of distributions that are measured and drawn."""
OF_THIS_DATA = " of this data"
"""What is appended to the name of a naive forecast that no training part is there for."""


def evaluate_predictions(
    predictions: Predictions, name: str, season: int | None, train: Examples | None = None
) -> Evaluation:
    """Run the model on all examples of `predictions`, and measure its outputs with targets.

    Args:
        predictions: those of data with targets.
        name: the model's name.
        season: the steps of a season; None for that of the table's time step.
        train: the training part, whose mean or most frequent class is a naive forecast where there
            is no history. None takes the mean that ``scale: standard`` of the recipe holds, or else
            what is measured, and says so in the name.

    Raises:
        DataError: no output has targets in the data.
    """
    query = predictions.query
    period = season or season_of(predictions.query.clock)
    meters: dict[str, _Meter] = {}
    for layout in predictions.layouts:
        if layout.output in query.targets:
            kind = _OfClasses if layout.kind else _OfNumbers
            meters[layout.output] = kind(_Job(predictions, period, train), layout)
    if not meters:
        problems = Problems("the data")
        outputs = few([layout.output for layout in predictions.layouts])
        problems.add(
            "D510",
            f"there are no targets to measure {outputs} by",
            "give data with the target columns or arrays that training reads",
        )
        problems.raise_errors()
    for batch in predictions:
        for output, meter in meters.items():
            meter.add(batch, batch.values[output], batch.targets[output])
    numbers = {n: m.result() for n, m in meters.items() if isinstance(m, _OfNumbers)}
    classes: dict[str, ClassResult] = {}
    for meter in meters.values():
        classes |= meter.results() if isinstance(meter, _OfClasses) else {}
    return Evaluation(name, len(predictions), period, numbers, classes, tuple(predictions.warnings))


@dataclass(frozen=True)
class _Job:
    """What is measured, and beside what."""

    predictions: Predictions
    season: int
    train: Examples | None

    def targets(self, output: str) -> Iterator[Array]:
        """Yield the targets of the training part, or else of what is measured, in parts."""
        query = self.predictions.query
        fields = query.targets if self.train is None else self.train.source.targets
        numbers = np.arange(query.count) if self.train is None else self.train.numbers
        for first in range(0, len(numbers), CHUNK):
            yield fields[output].take(numbers[first : first + CHUNK])

    @property
    def origin(self) -> str:
        """What the names of naive forecasts from these targets end in."""
        return OF_THIS_DATA if self.train is None else ""


class _Meter:
    """Measures one output, batch by batch."""

    def __init__(self, job: _Job, layout: OutputLayout) -> None:
        predictions = job.predictions
        self.job, self.predictions, self.layout = job, predictions, layout
        declaration = predictions.model.compiled.declaration
        losses = (
            losses_by_output(declaration.training, list(predictions.model.graph.outputs))
            if declaration.training
            else {}
        )
        self.loss = losses.get(layout.output)
        data = declaration.data
        entry = data.targets.get(layout.output) if data else None
        self.entry = entry
        self.columns = list(entry.columns) if entry else []
        self.is_ahead = entry is not None and entry.steps == HORIZON
        """Whether the targets are steps after the history."""
        self.series_names = [", ".join(map(str, key)) for key in predictions.series_keys]

    def add(self, batch: PredictionBatch, values: Array, targets: Array) -> None:
        raise NotImplementedError

    def series(self, batch: PredictionBatch) -> Array:
        """Return the number of the series of each example, (rows,)."""
        of = self.predictions.query.series
        found: Array = np.zeros(len(batch), np.int64)
        return found if of is None else of[batch.positions].astype(np.int64)

    def weights(self, batch: PredictionBatch, steps: int) -> Array | None:
        """Return how much each step of the examples counts, (rows, steps); None for 1."""
        of = self.predictions.query.sample_weights
        field = of.get(self.layout.output, of.get(""))
        if field is None:
            return None
        values = field.take(batch.positions).astype("float64").reshape(len(batch), -1)
        if values.shape[1] not in (1, steps):
            values = values[:, :1] if steps == 1 else np.ones((len(batch), steps))
        found: Array = np.broadcast_to(values, (len(batch), steps))
        return found

    def counted(self, batch: PredictionBatch, steps: int) -> Array | None:
        """Return which steps count, (rows, steps); None for all."""
        if self.layout.steps is None:
            return None
        _, lengths = self.predictions.steps_of(self.layout, batch)
        found: Array = np.arange(steps) < lengths[:, None]
        return found


class _OfNumbers(_Meter):
    def __init__(self, job: _Job, layout: OutputLayout) -> None:
        super().__init__(job, layout)
        query = self.predictions.query
        self.quantiles = tuple(quantiles_of(self.loss) or ())
        self.distribution = distribution_of(self.loss)
        shape = query.targets[layout.output].shape
        # Several columns of a horizon of 1 may have one axis, of columns.
        is_row = len(self.columns) > 1 and shape == (len(self.columns),)
        has_steps = bool(layout.steps and shape) and not is_row
        self.steps = shape[0] if has_steps else 1
        inner = shape[1:] if has_steps else shape
        width = int(np.prod(inner)) if inner else 1
        self.names = self.columns if len(self.columns) == width else [layout.output]
        self.width = width
        self.count = max(1, len(query.starts) - 1) if query.starts is not None else 1
        self.sums: list[dict[str, ErrorSums]] = [{} for _ in self.names]
        levels = self.quantiles or (QUANTILES if self.distribution else ())
        self.levels = levels
        self.of_quantiles = QuantileSums(levels, self.count, self.steps) if levels else None
        self.samples = [Samples(self.steps) for _ in self.names]
        self.naive = self._naive()
        self.means = [] if self.naive or len(self.names) != width else self._means()
        """Name and value of the mean of each column, where there is no history."""

    def _means(self) -> list[tuple[str, float]]:
        total, known = np.zeros(self.width), np.zeros(self.width)
        for part in self.job.targets(self.layout.output):
            values = part.reshape(-1, self.width)
            finite = np.isfinite(values)
            total += np.where(finite, values, 0).sum(axis=0, dtype="float64")
            known += finite.sum(axis=0)
        means = np.divide(total, known, out=np.full(self.width, np.nan), where=known > 0)
        found = [(f"mean{self.job.origin}", float(mean)) for mean in means]
        data = self.predictions.model.compiled.declaration.data
        if self.job.train is None and data is not None and self.columns == self.names:
            for at, name in enumerate(self.names):
                column = data.columns.get(name)
                is_mean = column and column.scale == "standard" and not column.difference
                if column is not None and is_mean and column.fitted:
                    found[at] = "mean", column.fitted[0]
        return found

    def _naive(self) -> list[Naive]:
        """Return the history of each column, where the targets are steps ahead in a table."""
        query = self.predictions.query
        target = query.targets[self.layout.output]
        if not self.is_ahead or query.starts is None or len(self.names) != self.width:
            return []
        table = target.arrays[0]
        if table.ndim != 2 or len(table) != query.starts[-1]:
            return []
        return [Naive(table[:, at], query.starts, self.job.season) for at in range(self.width)]

    def add(self, batch: PredictionBatch, values: Array, targets: Array) -> None:
        query, rows, series = self.predictions.query, len(batch), self.series(batch)
        counted, weights = self.counted(batch, self.steps), self.weights(batch, self.steps)
        wanted = targets.reshape(rows, self.steps, self.width)
        if self.of_quantiles is not None:
            shaped, score = values.reshape(rows, self.steps, -1), None
            many = shaped
            if self.distribution is not None:
                many = distributions.quantiles(self.distribution, self.levels, shaped)
                score = distributions.crps(self.distribution, wanted[..., 0], shaped)
            middle = int(np.argmin(np.abs(np.array(self.levels) - 0.5)))
            known = wanted[..., 0] if counted is None else np.where(counted, wanted[..., 0], np.nan)
            self.of_quantiles.add(series, known, many, weights, score)
            points, bands = many[..., middle : middle + 1], many
        else:
            points, bands = values.reshape(rows, self.steps, self.width), None
        if len(self.names) != self.width:  # columns without names are measured together
            flat = (rows, self.steps * self.width, 1)
            wanted, points = wanted.reshape(flat), points.reshape(flat)
            if counted is not None:
                counted = np.repeat(counted, self.width, axis=1)
            if weights is not None:
                weights = np.repeat(weights, self.width, axis=1)
        origins = query.origins[batch.positions] if query.origins is not None else None
        for at, sums in enumerate(self.sums):
            truth, own = wanted[..., at], points[..., at]
            forecasts: dict[str, Array] = {MODEL: own}
            scales: tuple[Array, Array] | None = None
            if self.naive and origins is not None:
                naive = self.naive[at]
                forecasts |= naive.forecasts(series, origins, self.steps)
                scales = naive.scales(series, origins)
            elif self.means:
                name, mean = self.means[at]
                forecasts[name] = np.broadcast_to(np.float64(mean), truth.shape)
            for name, values_of in forecasts.items():
                if name not in sums:
                    sums[name] = ErrorSums(self.count, truth.shape[1])
                beside = None if name == MODEL else own
                options = {"counted": counted, "weights": weights, "model": beside}
                sums[name].add(series, truth, values_of, scales=scales, **options)
            shown = truth if counted is None else np.where(counted, truth, np.nan)
            self.samples[at].add(batch, series, shown, own, bands)

    def result(self) -> list[ColumnResult]:
        found = []
        for at, name in enumerate(self.names):
            whole, steps, series = (self._measures(at, axis) for axis in (None, 0, 1))
            measures = {
                each: {key: float(value) for key, value in values.items()}
                for each, values in whole.items()
            }
            counts = self.sums[at][MODEL].counts if MODEL in self.sums[at] else np.zeros(0)
            by_series = SeriesResults(self.series_names, counts, series)
            quantiles = self.of_quantiles.measures() if self.of_quantiles else {}
            own = {key: float(value) for key, value in quantiles.items()}
            samples = self.samples[at].named(self.series_names)
            found.append(ColumnResult(name, measures, steps, by_series, own, samples))
        return found

    def _measures(self, at: int, axis: int | None) -> dict[str, dict[str, Array]]:
        """Return the measures of a column by forecast; with quantiles by series and by step."""
        found = {name: own.measures(axis) for name, own in self.sums[at].items()}
        if axis is not None and self.of_quantiles is not None and MODEL in found:
            own = self.of_quantiles.measures(axis)
            found[MODEL] |= {key: values for key, values in own.items() if key != "aim"}
        return found


class _OfClasses(_Meter):
    def __init__(self, job: _Job, layout: OutputLayout) -> None:
        super().__init__(job, layout)
        is_bits = layout.kind == YES_OR_NO
        entry = self.entry
        names = class_names(entry, 2) if is_bits else layout.classes
        if is_bits and tuple(names) == ("0", "1"):
            names = ("no", "yes")
        self.counts = ClassCounts(tuple(names))
        loss = arguments_of("loss", self.loss)["type"] if self.loss is not None else ""
        self.is_hinge = is_bits and "Hinge" in named_class("loss", loss)
        """Whether values are scores, above 0 for yes, of targets -1 and 1."""
        tags = self.columns if is_bits and len(self.columns) > 1 else []
        self.tags = {tag: ClassCounts(tuple(names)) for tag in tags}
        """Of several columns of yes or no, the counts of each."""
        self.mistakes = Mistakes(tags)

    def add(self, batch: PredictionBatch, values: Array, targets: Array) -> None:
        rows = len(batch)
        steps = values.shape[1] if self.layout.steps else 1
        counted, weights = self.counted(batch, steps), self.weights(batch, steps)
        chances, flat, width = self._flat(values.astype("float64"), targets)
        width = width or len(flat) // max(rows * steps, 1)
        kept = np.isfinite(flat) & np.isfinite(chances).all(axis=-1)
        if counted is not None:
            kept &= np.repeat(counted.reshape(-1), width)
        ids = np.round(np.where(kept, flat, 0)).astype(np.int64)
        kept &= (ids >= 0) & (ids < len(self.counts.classes))
        shares = np.ones(len(flat)) if weights is None else np.repeat(weights.reshape(-1), width)
        self.counts.add(ids[kept], chances[kept], shares[kept])
        if not self.tags or len(self.tags) == width:
            own = self.predictions.steps_of(self.layout, batch)[0] if self.layout.steps else None
            shown = None if own is None else (own, steps)
            places = np.flatnonzero(kept)
            series = self.series(batch)
            self.mistakes.add(batch, series, ids[kept], chances[kept], places, shown)
        for at, counts in enumerate(self.tags.values() if len(self.tags) == width else ()):
            own = np.flatnonzero(kept[at::width]) * width + at
            counts.add(ids[own], chances[own], shares[own])

    def _prior(self) -> Array | None:
        """Return how often each column has each class in the training part, (columns, classes)."""
        if self.job.train is None:
            return None
        found: Array | None = None
        for part in self.job.targets(self.layout.output):
            known = part.astype("float64")
            if self.layout.kind == ONE_HOT:
                known = np.where(np.isfinite(known).all(axis=-1), known.argmax(axis=-1), np.nan)
            columns = known.reshape(-1, max(len(self.tags), 1))
            if found is None:
                found = np.zeros((columns.shape[1], len(self.counts.classes)))
            for at, values in enumerate(columns.T):
                ids = values[np.isfinite(values)]
                ids = (ids > 0).astype(int) if self.is_hinge else np.round(ids).astype(int)
                ids = ids[(ids >= 0) & (ids < found.shape[1])]
                found[at] += np.bincount(ids, minlength=found.shape[1])
        return found

    def _flat(self, values: Array, targets: Array) -> tuple[Array, Array, int]:
        """Return chances (targets, classes), ids (targets,), NaN where unknown; targets a step.

        The last is 0 for as many as values.
        """
        known = targets.astype("float64")
        if self.layout.kind == YES_OR_NO:
            if self.is_hinge:
                values = (values > 0).astype("float64")
                known = np.where(np.isfinite(known), known > 0, np.nan)
            elif self.layout.from_logits:
                values = 1 / (1 + np.exp(-values))
            yes = values.reshape(-1)
            return np.stack([1 - yes, yes], axis=-1), known.reshape(-1), 0
        if self.layout.from_logits:
            values = np.exp(values - values.max(axis=-1, keepdims=True))
            values /= values.sum(axis=-1, keepdims=True)
        if self.layout.kind == ONE_HOT:
            has_one = np.isfinite(known).all(axis=-1)
            known = np.where(has_one, known.argmax(axis=-1), np.nan)
        return values.reshape(-1, values.shape[-1]), known.reshape(-1), 1

    def results(self) -> dict[str, ClassResult]:
        """Return what was measured of the output, and of each of its tags."""
        output, prior = self.layout.output, self._prior()
        of_tags = {
            f"{output}: {tag}": self._result(each, None if prior is None else prior[at])
            for at, (tag, each) in enumerate(self.tags.items())
        }
        whole = self._result(self.counts, None if prior is None else prior.sum(axis=0))
        worst = self.mistakes.named(self.counts.classes, self.series_names)
        return {output: replace(whole, worst=worst), **of_tags}

    def _result(self, counts: ClassCounts, prior: Array | None) -> ClassResult:
        naive = f"majority class{self.job.origin}"
        measures = {MODEL: counts.measures(), naive: counts.majority(prior)}
        calibration = [
            [count, sure / count, right / count]
            for count, sure, right in counts.bins.tolist()
            if count
        ]
        if self.is_hinge:  # scores are not probabilities
            calibration = []
            for values in measures.values():
                values.pop("log_loss", None)
                values.pop("calibration_error", None)
        return ClassResult(
            measures,
            counts.by_class(),
            [[whole(count) for count in row] for row in counts.confusion.tolist()],
            calibration,
        )
