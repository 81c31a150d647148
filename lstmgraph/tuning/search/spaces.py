"""A recipe's space in keras-tuner's words, and keras-tuner's values in the recipe's.

The whole space is declared before the first proposal: dimensions that keras-tuner meets later first
get defaults instead of samples. Choices go by their JSON text, because its ``Choice`` takes neither
None nor lists nor mixed types, and makes integers of booleans.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

from lstmgraph.language.space import text_of
from lstmgraph.tuning.search.results import DimensionRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import keras_tuner


class RangeLike(Protocol):
    """Numbers from `low` to `high`, both included."""

    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102
    @property
    def step(self) -> float | None: ...  # noqa: D102
    @property
    def scale(self) -> str: ...  # noqa: D102


class ConditionLike(Protocol):
    """Holds where `dimension` has one of `values`."""

    @property
    def dimension(self) -> str: ...  # noqa: D102
    @property
    def values(self) -> Sequence[Any]: ...  # noqa: D102


class DimensionLike(Protocol):
    """A searched value: with a `range` where `kind` is ``int`` or ``float``, else `choices`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def default(self) -> Any: ...  # noqa: D102
    @property
    def conditions(self) -> Sequence[ConditionLike]: ...  # noqa: D102
    @property
    def range(self) -> RangeLike | None: ...  # noqa: D102
    @property
    def choices(self) -> Sequence[Any]: ...  # noqa: D102


class SpaceLike(Protocol):
    """Dimensions, each after those that its conditions name."""

    @property
    def dimensions(self) -> Sequence[DimensionLike]: ...  # noqa: D102


def hyperparameters(space: SpaceLike) -> keras_tuner.HyperParameters:
    """The whole space declared, conditions included."""
    import keras_tuner  # noqa: PLC0415 - imports TensorFlow

    declared = keras_tuner.HyperParameters()
    kinds = {dimension.name: dimension for dimension in space.dimensions}
    for dimension in space.dimensions:
        with ExitStack() as scopes:
            for condition in dimension.conditions:
                parent = kinds[condition.dimension]
                wanted = [_written(parent, value) for value in condition.values]
                scopes.enter_context(declared.conditional_scope(condition.dimension, wanted))
            _declare(declared, dimension)
    return declared


def _declare(declared: keras_tuner.HyperParameters, dimension: DimensionLike) -> None:
    numbers = dimension.range
    if numbers is None:
        texts = [text_of(choice) for choice in dimension.choices]
        declared.Choice(dimension.name, texts, default=text_of(dimension.default))
        return
    declare, high = (declared.Int if dimension.kind == "int" else declared.Float), numbers.high
    if dimension.kind == "float" and numbers.step is not None and numbers.scale == "linear":
        # keras-tuner counts steps with //, which loses the last of 0, 0.1, ..., 1.
        high += numbers.step / 1000
    declare(
        dimension.name,
        numbers.low,
        high,
        step=numbers.step,
        sampling=numbers.scale,
        default=dimension.default,
    )


def plain_values(space: SpaceLike, proposed: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's value for each dimension that `proposed` holds; Hyperband's own are left out."""
    return {
        dimension.name: _read(dimension, proposed[dimension.name])
        for dimension in space.dimensions
        if dimension.name in proposed
    }


def dimension_rows(space: SpaceLike) -> tuple[DimensionRow, ...]:
    """The dimensions as reports show them."""
    return tuple(_row(dimension) for dimension in space.dimensions)


def _row(dimension: DimensionLike) -> DimensionRow:
    numbers = dimension.range
    condition = " and ".join(
        f"{each.dimension} is {' or '.join(map(str, each.values))}" for each in dimension.conditions
    )
    if numbers is None:
        return DimensionRow(
            dimension.name, dimension.kind, choices=tuple(dimension.choices), condition=condition
        )
    return DimensionRow(
        dimension.name, dimension.kind, numbers.low, numbers.high, numbers.scale, (), condition
    )


def _written(dimension: DimensionLike, value: Any) -> Any:
    return value if dimension.range is not None else text_of(value)


def _read(dimension: DimensionLike, value: Any) -> Any:
    if dimension.range is None:
        return json.loads(value)
    if dimension.kind != "int":
        # Steps are added up: 0.1 three times is 0.30000000000000004.
        return float(value) if dimension.range.step is None else float(f"{value:.12g}")
    # On a logarithmic scale keras-tuner's rounding can lead out of the range by one.
    return int(min(max(value, dimension.range.low), dimension.range.high))
