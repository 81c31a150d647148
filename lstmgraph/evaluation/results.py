"""The measures of a model on data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.evaluation.measures import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.data.problems import DataProblem
    from lstmgraph.data.values import Array
    from lstmgraph.evaluation.samples import Mistake, Samples


MODEL = "model"
"""The name of the model beside those of naive forecasts."""


class SeriesResults:
    """The measures of each series, the worst first.

    Iteration gives name, count of targets, and measures by forecast; ``series[0]`` is the worst.

    Args:
        names: the names of all series; one series alone has no results.
        counts: how many targets of each were counted, (series,).
        measures: by forecast and measure, (series,).
    """

    def __init__(
        self, names: list[str], counts: Array, measures: Mapping[str, Mapping[str, Array]]
    ) -> None:
        self.names, self.counts, self.measures = names, counts, measures
        self._order = np.zeros(0, np.int64)
        if len(names) > 1 and MODEL in measures:
            order = np.argsort(-np.nan_to_num(measures[MODEL]["mae"], nan=-1.0), kind="stable")
            self._order = order[counts[order] > 0]

    def __len__(self) -> int:
        """Return how many series were measured."""
        return len(self._order)

    def __iter__(self) -> Iterator[tuple[str, float, dict[str, dict[str, float]]]]:
        """Yield what ``[]`` returns."""
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> tuple[str, float, dict[str, dict[str, float]]]:
        """Return name, count and measures of the series with this place."""
        at = int(self._order[place])
        measures = {
            forecast: {key: float(values[at]) for key, values in own.items()}
            for forecast, own in self.measures.items()
        }
        return self.names[at], float(self.counts[at]), measures

    def of(self, measure: str) -> Array:
        """Return a measure of the model for each series, the worst first, (series,)."""
        found: Array = self.measures[MODEL][measure][self._order]
        return found


@dataclass(frozen=True)
class ColumnResult:
    """The measures of the forecasts of one target column."""

    name: str
    measures: Mapping[str, Mapping[str, float]]
    """By forecast: ``model``, and the naive ones."""
    steps: Mapping[str, Mapping[str, Array]]
    """By forecast and measure, the values of all steps, (steps,)."""
    series: SeriesResults
    quantiles: Mapping[str, float] = field(default_factory=dict)
    samples: Samples | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as plain data."""
        return {
            "measures": _finite(self.measures),
            "quantiles": _finite(self.quantiles),
            "steps": {
                forecast: {key: _finite(values.tolist()) for key, values in measures.items()}
                for forecast, measures in self.steps.items()
            },
            "series": [
                {"name": name, "count": whole(count), "measures": _finite(measures)}
                for name, count, measures in self.series
            ],
        }


@dataclass(frozen=True)
class ClassResult:
    """The measures of the classes of an output."""

    measures: Mapping[str, Mapping[str, float]]
    classes: Mapping[str, Mapping[str, float]]
    confusion: list[list[float]]
    calibration: list[list[float]]
    """For each bin of confidence: predictions, mean confidence, accuracy."""
    worst: tuple[Mistake, ...] = ()
    """The examples whose true class had the lowest chance."""

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as plain data."""
        return {
            "measures": _finite(self.measures),
            "classes": {name: dict(values) for name, values in self.classes.items()},
            "confusion": self.confusion,
            "calibration": self.calibration,
            "worst": [vars(mistake) for mistake in self.worst],
        }


@dataclass(frozen=True)
class Measured:
    """What was measured of a model on data."""

    model: str
    examples: int
    season: int
    numbers: Mapping[str, list[ColumnResult]]
    """The outputs of numbers: what was measured of each target column."""
    classes: Mapping[str, ClassResult]
    """The outputs of classes."""
    warnings: tuple[DataProblem, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as plain data, as ``--format json`` prints them."""
        return {
            "model": self.model,
            "examples": self.examples,
            "season": self.season,
            "numbers": {
                output: {column.name: column.to_dict() for column in columns}
                for output, columns in self.numbers.items()
            },
            "classes": {output: found.to_dict() for output, found in self.classes.items()},
        }


def _finite(value: Any) -> Any:
    """Return plain data with null for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value if not isinstance(value, float) or np.isfinite(value) else None
