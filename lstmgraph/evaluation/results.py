"""The measures of a model on data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.data.problems import DataProblem
    from lstmgraph.evaluation.samples import Samples


MODEL = "model"
"""The name of the model beside those of naive forecasts."""


@dataclass(frozen=True)
class ColumnResult:
    """The measures of the forecasts of one target column."""

    name: str
    measures: Mapping[str, Mapping[str, float]]
    """By forecast: ``model``, and the naive ones."""
    steps: Mapping[str, list[float]]
    """The mean absolute error of each step, by forecast."""
    series: list[tuple[str, float, float]]
    """Name, mean absolute error and count of each series, the worst first; the first 1,000."""
    quantiles: Mapping[str, float] = field(default_factory=dict)
    samples: Samples | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as plain data."""
        series = [{"name": name, "mae": mae, "count": int(n)} for name, mae, n in self.series]
        return {
            "measures": _finite(self.measures),
            "quantiles": dict(self.quantiles),
            "steps": _finite(self.steps),
            "series": series,
        }


@dataclass(frozen=True)
class ClassResult:
    """The measures of the classes of an output."""

    measures: Mapping[str, Mapping[str, float]]
    classes: Mapping[str, Mapping[str, float]]
    confusion: list[list[float]]
    calibration: list[list[float]]
    """For each bin of confidence: predictions, mean confidence, accuracy."""

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as plain data."""
        return {
            "measures": _finite(self.measures),
            "classes": {name: dict(values) for name, values in self.classes.items()},
            "confusion": self.confusion,
            "calibration": self.calibration,
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
