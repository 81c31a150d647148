"""Measures of a model on data, by output, series and step, beside those of naive forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.class_weights import ONE_HOT, YES_OR_NO
from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.data.problems import Problems
from lstmgraph.evaluation.evaluation import Evaluation
from lstmgraph.evaluation.measures import CHUNK, ClassCounts, ErrorSums, Naive, QuantileSums, whole
from lstmgraph.evaluation.results import MODEL, ClassResult, ColumnResult
from lstmgraph.evaluation.samples import Samples
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.distributions import distribution_of, quantiles_of
from lstmgraph.keras_facts.targets import arguments_of
from lstmgraph.language.declaration.data import HORIZON
from lstmgraph.messages.wording import few
from lstmgraph.prediction import class_names
from lstmgraph.prediction.clock import season_of

if TYPE_CHECKING:
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.values import Array
    from lstmgraph.prediction import OutputLayout, PredictionBatch, Predictions

QUANTILES = (0.1, 0.5, 0.9)
"""The quantiles of distributions that are measured and drawn."""


MOST_SERIES = 1000


def evaluate_predictions(
    predictions: Predictions, name: str, season: int | None, train: Examples | None = None
) -> Evaluation:
    """Run the model on all examples of `predictions`, and measure its outputs with targets.

    Args:
        predictions: those of data with targets.
        name: the model's name.
        season: the steps of a season; None for that of the table's time step.
        train: the training part, whose mean is a naive forecast where there is no history; None
            takes the mean of what is measured.

    Raises:
        DataError: no output has targets in the data.
    """
    query = predictions.query
    period = season or season_of(predictions.query.clock)
    meters: dict[str, _Meter] = {}
    for layout in predictions.layouts:
        if layout.output in query.targets:
            kind = _OfClasses if layout.kind else _OfNumbers
            meters[layout.output] = kind(predictions, layout, period, train)
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


class _Meter:
    """Measures one output, batch by batch."""

    def __init__(
        self,
        predictions: Predictions,
        layout: OutputLayout,
        season: int,
        train: Examples | None,
    ) -> None:
        self.predictions, self.layout, self.season = predictions, layout, season
        self.train = train
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

    def add(self, batch: PredictionBatch, values: Array, targets: Array) -> None:
        raise NotImplementedError

    def result(self) -> Any:
        raise NotImplementedError

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
    def __init__(
        self,
        predictions: Predictions,
        layout: OutputLayout,
        season: int,
        train: Examples | None,
    ) -> None:
        super().__init__(predictions, layout, season, train)
        query = predictions.query
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
        self.of_quantiles = QuantileSums(levels, self.steps) if levels else None
        self.samples = [Samples(self.steps) for _ in self.names]
        self.naive = self._naive()
        self.means = None if self.naive else self._means()

    def _means(self) -> Array | None:
        """Return the mean of each column, (columns,), of the training part where it is known."""
        if len(self.names) != self.width:
            return None
        name = self.layout.output
        fields = self.predictions.query.targets if self.train is None else self.train.source.targets
        field = fields[name]
        count = self.predictions.query.count if self.train is None else len(self.train)
        numbers = np.arange(count) if self.train is None else self.train.numbers
        total, known = np.zeros(self.width), np.zeros(self.width)
        for first in range(0, count, CHUNK):
            values = field.take(numbers[first : first + CHUNK]).reshape(-1, self.width)
            finite = np.isfinite(values)
            total += np.where(finite, values, 0).sum(axis=0, dtype="float64")
            known += finite.sum(axis=0)
        means: Array = np.divide(total, known, out=np.full(self.width, np.nan), where=known > 0)
        return means

    def _naive(self) -> list[Naive]:
        """Return the history of each column, where the targets are steps ahead in a table."""
        query = self.predictions.query
        target = query.targets[self.layout.output]
        if not self.is_ahead or query.starts is None or len(self.names) != self.width:
            return []
        table = target.arrays[0]
        if table.ndim != 2 or len(table) != query.starts[-1]:
            return []
        return [Naive(table[:, at], query.starts, self.season) for at in range(self.width)]

    def add(self, batch: PredictionBatch, values: Array, targets: Array) -> None:
        query, rows = self.predictions.query, len(batch)
        series = (
            query.series[batch.positions].astype(np.int64)
            if query.series is not None
            else np.zeros(rows, np.int64)
        )
        counted, weights = self.counted(batch, self.steps), self.weights(batch, self.steps)
        wanted = targets.reshape(rows, self.steps, self.width)
        if self.of_quantiles is not None:
            many = self._levels(values.reshape(rows, self.steps, -1))
            middle = int(np.argmin(np.abs(np.array(self.levels) - 0.5)))
            known = wanted[..., 0] if counted is None else np.where(counted, wanted[..., 0], np.nan)
            self.of_quantiles.add(known, many, weights)
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
            elif self.means is not None:
                forecasts["mean"] = np.broadcast_to(self.means[at], truth.shape)
            for name, values_of in forecasts.items():
                if name not in sums:
                    sums[name] = ErrorSums(self.count, truth.shape[1])
                beside = None if name == MODEL else own
                options = {"counted": counted, "weights": weights, "model": beside}
                sums[name].add(series, truth, values_of, scales=scales, **options)
            shown = truth if counted is None else np.where(counted, truth, np.nan)
            self.samples[at].add(batch, series, shown, own, bands)

    def _levels(self, values: Array) -> Array:
        """Return the quantiles of an output, (rows, steps, quantiles)."""
        if self.distribution is None:
            return values
        from scipy import stats  # noqa: PLC0415 - a second to import

        shares = np.array(self.levels)
        parts = [values[..., at, None].astype("float64") for at in range(values.shape[-1])]
        if self.distribution == "normal":
            found = stats.norm.ppf(shares, parts[0], parts[1])
        elif self.distribution == "student_t":
            found = stats.t.ppf(shares, parts[2], parts[0], parts[1])
        elif self.distribution == "poisson":
            found = stats.poisson.ppf(shares, parts[0])
        else:
            count = 1 / parts[1]
            found = stats.nbinom.ppf(shares, count, count / (count + parts[0]))
        quantiles: Array = np.asarray(found)
        return quantiles

    def result(self) -> list[ColumnResult]:
        keys = self.predictions.series_keys
        names = [", ".join(str(part) for part in key) for key in keys]
        found = []
        for at, name in enumerate(self.names):
            sums = self.sums[at]
            measures = {
                each: {key: float(value) for key, value in own.measures().items()}
                for each, own in sums.items()
            }
            for each, values in measures.items():
                if each != MODEL:
                    values["skill"] = sums[each].skill()
            by_series: list[tuple[str, float, float]] = []
            if len(names) > 1 and MODEL in sums:
                errors = sums[MODEL].measures(axis=1)["mae"]
                counts = sums[MODEL].counts.sum(axis=1)
                order = np.argsort(-np.nan_to_num(errors, nan=-1.0), kind="stable")
                by_series = [
                    (names[index], float(errors[index]), float(counts[index]))
                    for index in order[:MOST_SERIES].tolist()
                    if counts[index]
                ]
            steps = {each: own.measures(axis=0)["mae"].tolist() for each, own in sums.items()}
            quantiles = self.of_quantiles.measures() if self.of_quantiles else {}
            samples = self.samples[at].named(names)
            found.append(ColumnResult(name, measures, steps, by_series, quantiles, samples))
        return found


class _OfClasses(_Meter):
    def __init__(
        self,
        predictions: Predictions,
        layout: OutputLayout,
        season: int,
        train: Examples | None,
    ) -> None:
        super().__init__(predictions, layout, season, train)
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
        for at, counts in enumerate(self.tags.values() if len(self.tags) == width else ()):
            own = np.flatnonzero(kept[at::width]) * width + at
            counts.add(ids[own], chances[own], shares[own])

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

    def result(self) -> ClassResult:
        return self._result(self.counts)

    def results(self) -> dict[str, ClassResult]:
        """Return what was measured of the output, and of each of its tags."""
        output = self.layout.output
        of_tags = {f"{output}: {tag}": self._result(each) for tag, each in self.tags.items()}
        return {output: self.result(), **of_tags}

    def _result(self, counts: ClassCounts) -> ClassResult:
        measures = {MODEL: counts.measures(), "majority class": counts.majority()}
        calibration = [
            [count, sure / count, right / count]
            for count, sure, right in counts.bins.tolist()
            if count
        ]
        if self.is_hinge:  # scores are no chances
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
