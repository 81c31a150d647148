"""A recipe's space as keras-tuner has it, and keras-tuner's values as the recipe has them.

The whole space is declared before the first proposal: dimensions that keras-tuner meets later first
get defaults instead of samples. Its ``Choice`` takes texts or numbers of one type only: any other
choices go by their JSON texts.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space import text_of
from lstmgraph.language.space.dimensions import counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras_tuner

    from lstmgraph.language.space import Dimension, Space, Values


def hyperparameters(space: Space) -> keras_tuner.HyperParameters:
    """Return the whole space declared, conditions included."""
    import keras_tuner  # noqa: PLC0415 - imports TensorFlow

    declared = keras_tuner.HyperParameters()
    declare(space, declared)
    return declared


def declare(space: Space, hp: keras_tuner.HyperParameters) -> None:
    """Declare every dimension of `space` that `hp` does not know, with its conditions."""
    known = {each.name for each in hp.space}
    for dimension in space.dimensions:
        if dimension.name in known:
            continue
        with ExitStack() as scopes:
            for condition in dimension.conditions:
                parent = space.by_name[condition.dimension]
                values = [_encoded(parent, value) for value in condition.values]
                scopes.enter_context(hp.conditional_scope(parent.name, values))
            _declare(dimension, hp)


def plain_values(space: Space, values: Mapping[str, Any]) -> Values:
    """Return the point of `space` that keras-tuner's `values` are; defaults stand for missing ones.

    What is no dimension, such as Hyperband's own values, is left out.
    """
    found: Values = {}
    for dimension in space.dimensions:
        if counts(dimension, found):
            value = values.get(dimension.name, _encoded(dimension, dimension.default))
            found[dimension.name] = _decoded(dimension, value)
    return found


def _declare(dimension: Dimension, hp: keras_tuner.HyperParameters) -> None:
    name, default, numbers = dimension.name, dimension.default, dimension.range
    if dimension.kind == "bool":
        hp.Boolean(name, default=default)
    elif numbers is None:
        choices = [_encoded(dimension, choice) for choice in dimension.choices]
        hp.Choice(name, choices, default=_encoded(dimension, default))
    else:
        high = numbers.high
        if numbers.step is not None and numbers.scale == "linear" and not numbers.whole:
            # keras-tuner counts steps with //, which loses the last of 0, 0.1, ..., 1.
            high = numbers.highest + numbers.step / 1000
        number = hp.Int if dimension.kind == "int" else hp.Float
        bounds = {"min_value": numbers.low, "max_value": high, "step": numbers.step}
        number(name, **bounds, sampling=numbers.scale, default=default)


def _encoded(dimension: Dimension, value: Any) -> Any:
    return text_of(value) if _has_texts(dimension) else value


def _decoded(dimension: Dimension, value: Any) -> Any:
    numbers = dimension.range
    if _has_texts(dimension):
        return {text_of(choice): choice for choice in dimension.choices}.get(value, value)
    if numbers is None or not isinstance(value, int | float):
        return value
    if numbers.whole:
        # On the other scales keras-tuner's rounding can lead out of the range: see `Range.draw`.
        near = min(max(value, numbers.low), numbers.high)
        return near if abs(near - value) <= 1 else value
    # Steps are added up: 0.1 three times is 0.30000000000000004.
    return float(value) if numbers.step is None else float(f"{value:.12g}")


def _has_texts(dimension: Dimension) -> bool:
    """Return whether keras-tuner's Choice could not hold the choices as they are."""
    kinds = {type(choice) for choice in dimension.choices}
    return dimension.kind == "choice" and (len(kinds) > 1 or not kinds <= {str, int, float})
