"""Calibrate the intervals of a trained model on data that training has not seen.

Source: Romano, Patterson and Candès, Conformalized Quantile Regression, 2019. What is added to a
quantile is that quantile of the differences between targets and forecasts, for each step where
there are enough of them. Differences are divided by the mean absolute change of the history in a
season, so that intervals are wider while a series moves more (Lei and others, Distribution-Free
Predictive Inference for Regression, 2018, section 5.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, floor, prod
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmgraph.compiler.checks.data_needs import output_spec
from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.compiler.fitted import with_intervals
from lstmgraph.data.problems import Problems
from lstmgraph.keras_facts.distributions import MEDIAN, quantiles_of
from lstmgraph.language.declaration.intervals import intervals_of
from lstmgraph.language.declaration.scaling import scalings_of
from lstmgraph.messages.wording import counted
from lstmgraph.models.building import build_model
from lstmgraph.models.building.operations import seasonal_change
from lstmgraph.models.building.scaled_losses import scaled
from lstmgraph.prediction import open_model, predict
from lstmgraph.prediction.clock import season_of

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.intervals import Intervals
    from lstmgraph.language.declaration.scaling import Scaling
    from lstmgraph.prediction import OutputLayout, PredictionBatch, Predictions

ENOUGH = 20
"""How many targets beyond the outermost quantile each step needs for numbers of its own."""
MOST_NUMBERS = 1 << 24
"""The most differences that are kept in memory; of more examples, every second or third is read."""
SMALLEST = 0.1
"""The least that a history's change counts as, as a share of the mean."""


def calibrated(
    recipe: CompiledRecipe, model: keras.Model, validation: Examples
) -> tuple[CompiledRecipe, keras.Model]:
    """Return the recipe with calibrated intervals, and its model with the numbers of `model`.

    Where nothing is to be calibrated, both are returned as they are.

    Args:
        recipe: that of `model`, whose intervals have no offsets yet.
        model: the trained model, which is left as it is.
        validation: the examples to calibrate on.
    """
    wanted = intervals_of(recipe.completed)
    if not wanted:
        return recipe, model
    cells = max(int(np.prod([d for d in model.output[n].shape[1:] if d])) for n in wanted)
    every = max(1, -(-len(validation) * cells // MOST_NUMBERS))
    examples = replace(validation, numbers=validation.numbers[::every])
    predictions = predict(open_model(model, _Compiled(recipe)), examples)
    meters = {name: _meter(name, own, recipe, predictions) for name, own in wanted.items()}
    for batch in predictions:
        for meter in meters.values():
            meter.add(batch)
    recipe = with_intervals(recipe, {name: meter.numbers() for name, meter in meters.items()})
    return recipe, _with_numbers_of(model, build_model(recipe))


def require_enough(recipe: CompiledRecipe, validation: Examples) -> None:
    """Check, before training, that there are enough targets to calibrate each quantile on.

    Raises:
        DataError: there are too few of them (D440).
    """
    problems, graph = Problems("the validation part"), recipe.graph
    for name in intervals_of(recipe.completed):
        spec, levels = output_spec(graph, name), _levels(recipe, name)
        steps = prod(size for size in spec.shape[1:-1] if isinstance(size, int)) if spec else 1
        outermost = min(min(level, 1 - level) for level in levels)
        count, needed = len(validation) * steps, ceil(round(1 / outermost, 6)) - 1
        if count < needed:
            problems.add(
                "D440",
                f"'{name}' has {counted(count, 'target')} to calibrate its quantile "
                f"{outermost:g} or {1 - outermost:g} on, and {needed:,} are needed",
                "give a longer validation part, quantiles less far out, or no `intervals:`",
            )
    problems.raise_errors()


def _levels(recipe: CompiledRecipe, name: str) -> list[float]:
    training = recipe.declaration.training
    assert training is not None
    return quantiles_of(losses_by_output(training, [name])[name]) or [MEDIAN]


@dataclass(frozen=True)
class _Compiled:
    compiled: CompiledRecipe


def _with_numbers_of(model: keras.Model, other: keras.Model) -> keras.Model:
    """Return `other`, a model of the same layers, with all variables of `model`."""
    if model.optimizer.built:
        other.optimizer.build(other.trainable_variables)
    both = [(model.variables, other.variables)]
    both += [(model.optimizer.variables, other.optimizer.variables)]
    for own, its in both:
        for variable, copy in zip(own, its, strict=True):
            copy.assign(variable)
    return other


def _meter(name: str, own: Intervals, recipe: CompiledRecipe, predictions: Predictions) -> _Meter:
    data, training = recipe.declaration.data, recipe.declaration.training
    assert training is not None
    season = own.season
    window = data.window if data else None
    given = training.intervals
    is_said = isinstance(given, dict) and "season" in given[name]
    if not is_said and own.history and window and window.history:
        usual = season_of(predictions.query.clock)
        season = usual if 1 < usual <= window.history // 2 else 0
    targets = scalings_of(data, "targets") if data else {}
    inputs = scalings_of(data, "inputs") if data else {}
    return _Meter(
        name,
        _levels(recipe, name),
        replace(own, season=season),
        predictions,
        targets.get(name),
        inputs.get(own.history),
    )


@dataclass
class _Meter:
    """Collects the differences between targets and quantiles of one output."""

    name: str
    quantiles: list[float]
    own: Intervals
    predictions: Predictions
    scaling: Scaling | None
    """That of the target."""
    of_history: Scaling | None
    differences: list[Array] = field(default_factory=list)
    changes: list[Array] = field(default_factory=list)

    @property
    def layout(self) -> OutputLayout:
        """What the axes of the output are."""
        return next(each for each in self.predictions.layouts if each.output == self.name)

    def add(self, batch: PredictionBatch) -> None:
        """Collect a batch: differences, (batch, cells, quantiles), and changes, (batch, cells)."""
        count = len(self.quantiles)
        values = batch.values[self.name]
        cells = values.shape[1:-1]
        targets = batch.targets[self.name].reshape(len(batch), *cells)
        # A scale is that of the target's columns, the last axis of (batch, ..., columns).
        by_column = self.scaling is not None and len(self.scaling.columns) > 1
        moved = [np.moveaxis(values, -1, 1), targets[:, None]]
        moved = [each if by_column else each[..., None] for each in moved]
        if self.scaling is not None:
            convert = keras.ops.convert_to_numpy
            moved = [convert(scaled(each, self.scaling, "float32")) for each in moved]
        gaps = np.moveaxis((moved[1] - moved[0]).reshape(len(batch), count, -1), 1, -1)
        self.differences.append(
            np.where(self._counts(batch, gaps.shape[1])[..., None], gaps, np.nan)
        )
        if self.own.season:
            history = self.predictions.query.inputs[self.own.history].take(batch.positions)
            history = history.reshape(len(batch), history.shape[1], -1).astype("float32")
            if self.of_history is not None:
                history = scaled(history, self.of_history, "float32")
            change = seasonal_change(history, self.own.columns, self.own.season)
            of_columns = keras.ops.convert_to_numpy(change)  # (batch, columns), as the last cells
            times = gaps.shape[1] // of_columns.shape[1]
            self.changes.append(np.tile(of_columns, (1, times)))

    def _counts(self, batch: PredictionBatch, cells: int) -> Array:
        """Return which cells count, (batch, cells): not those that are padded or weigh nothing."""
        found = np.ones((len(batch), cells), bool)
        if self.layout.steps is not None:
            _, lengths = self.predictions.steps_of(self.layout, batch)
            steps = batch.values[self.name].shape[1]
            counted = np.arange(steps) < lengths[:, None]
            found &= np.repeat(counted, cells // steps, axis=1)
        of = self.predictions.query.sample_weights
        field = of.get(self.name, of.get(""))
        if field is not None:
            weights = field.take(batch.positions).reshape(len(batch), -1)
            if cells % weights.shape[1] == 0:
                found &= np.repeat(weights > 0, cells // weights.shape[1], axis=1)
        return found

    def numbers(self) -> dict[str, Any]:
        """Return season, smallest change and offsets, as the recipe has them."""
        differences = np.concatenate(self.differences).astype("float64")
        smallest = 0.0
        if self.own.season:
            changes = np.concatenate(self.changes).astype("float64")
            smallest = float(f"{SMALLEST * changes.mean():.7g}")
            # The smallest change is 0 where no history changes: nothing is divided by it then.
            differences /= np.maximum(changes, smallest or 1.0)[..., None]
        outermost = min(min(level, 1 - level) for level in self.quantiles)
        known = np.isfinite(differences[..., 0]).sum(axis=0)
        if known.min() < ENOUGH / outermost:
            differences = differences.reshape(1, -1, len(self.quantiles)).swapaxes(0, 1)
        offsets = [
            [_offset(step[:, at], level) for at, level in enumerate(self.quantiles)]
            for step in differences.swapaxes(0, 1)
        ]
        own: dict[str, Any] = {"season": self.own.season}
        own |= {"smallest": smallest} if self.own.season else {}
        return {**own, "offsets": offsets}


def _offset(differences: Array, level: float) -> float:
    """Return what makes a forecast the quantile `level`; 0 of the median, which stays as it is.

    It is the difference whose rank is (n + 1) times the level, rounded outwards, so that a further
    target lies outside with at most that chance.
    """
    if level == MEDIAN:
        return 0.0
    known = np.sort(differences[np.isfinite(differences)])
    if not len(known):
        return 0.0
    rank = (len(known) + 1) * level
    place = floor(round(rank, 6)) if level < MEDIAN else ceil(round(rank, 6))
    return float(f"{known[min(max(place, 1), len(known)) - 1]:.7g}")
