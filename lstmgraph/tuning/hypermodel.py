"""A recipe's space for keras-tuner: the only room that speaks it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import keras_tuner

from lstmgraph.compiler.compile import compile_at
from lstmgraph.language.space import SpaceError, text_of
from lstmgraph.language.space.dimensions import counts
from lstmgraph.messages.errors import RecipeError
from lstmgraph.models.building import build_model

if TYPE_CHECKING:
    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.language.space import Dimension, Space, Values


class RecipeHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]  # it has no types
    """Builds and fits the recipe with the values of a trial.

    The hyperparameters have the names of the dimensions. keras-tuner's Choice takes texts or
    numbers of one type only: any other choices are declared as their JSON texts.
    """

    def __init__(self, compiled: CompiledRecipe) -> None:
        super().__init__(name=compiled.declaration.name)
        self.compiled = compiled

    @property
    def space(self) -> Space:
        """The recipe's space."""
        return self.compiled.collected.space

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare the whole space, to the greatest depth, before anything is built.

        A conditional hyperparameter that a tuner sees only when a model is built has its default
        there and not a sample, and a tuner that goes on with a search does not know it at all.
        """
        known = {each.name for each in hp.space}
        for dimension in self.space.dimensions:
            if dimension.name not in known:
                _declare(dimension, hp)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """The model of the concrete recipe, compiled where the recipe has ``training:``.

        Raises:
            keras_tuner.errors.FailedTrialError: the recipe is wrong at this point. The trial has
                failed and is not tried again: it would fail in the same way.
            keras_tuner.errors.FatalValueError: a value is not in the recipe's space.
        """
        try:
            return build_model(self.concrete(hp))
        except RecipeError as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error

    def fit(
        self, hp: keras_tuner.HyperParameters, model: keras.Model, *args: Any, **kwargs: Any
    ) -> Any:
        """Keras's fit, with the recipe's ``batch_size`` and ``epochs`` where none are given.

        A Hyperband tuner gives the epochs; data that come in batches have their own size.
        """
        training = self.concrete(hp).completed.get("training")
        if training:
            kwargs.setdefault("epochs", training["epochs"])
            if _has_rows(args[0] if args else kwargs.get("x")):
                kwargs.setdefault("batch_size", training["batch_size"])
        return model.fit(*args, **kwargs)

    def concrete(self, hp: keras_tuner.HyperParameters) -> CompiledRecipe:
        """The recipe with the values of `hp`.

        Raises:
            RecipeError: the recipe is wrong at this point.
            keras_tuner.errors.FatalValueError: a value is not in the recipe's space.
        """
        self.declare_hyperparameters(hp)
        try:
            return compile_at(self.compiled, self.values(hp))
        except SpaceError as error:
            raise keras_tuner.errors.FatalValueError(str(error)) from error

    def values(self, hp: keras_tuner.HyperParameters) -> Values:
        """The point of the recipe's space that `hp` holds: of the best trial, the result."""
        found: Values = {}
        for dimension in self.space.dimensions:
            if counts(dimension, found):
                value = hp.values.get(dimension.name, _encoded(dimension, dimension.default))
                found[dimension.name] = _decoded(dimension, value)
        return found


def _declare(dimension: Dimension, hp: keras_tuner.HyperParameters) -> None:
    with ExitStack() as scopes:
        for condition in dimension.conditions:
            scope = hp.conditional_scope(condition.dimension, list(condition.values))
            scopes.enter_context(scope)
        name, default = dimension.name, _encoded(dimension, dimension.default)
        if dimension.range is not None:
            declare = hp.Int if dimension.kind == "int" else hp.Float
            declare(name, default=default, **_bounds(dimension))
        elif dimension.kind == "bool":
            hp.Boolean(name, default=default)
        else:
            hp.Choice(name, [_encoded(dimension, v) for v in dimension.choices], default=default)


def _bounds(dimension: Dimension) -> dict[str, Any]:
    numbers = dimension.range
    assert numbers is not None
    high = numbers.high
    if numbers.step is not None and numbers.scale == "linear" and not numbers.whole:
        # keras-tuner counts steps with //, which loses the last of 0, 0.1, ..., 1.
        high = numbers.highest + numbers.step / 1000
    return {
        "min_value": numbers.low,
        "max_value": high,
        "step": numbers.step,
        "sampling": numbers.scale,
    }


def _encoded(dimension: Dimension, value: Any) -> Any:
    return text_of(value) if _is_encoded(dimension) else value


def _decoded(dimension: Dimension, value: Any) -> Any:
    numbers = dimension.range
    if numbers is not None and numbers.whole and numbers.scale != "linear":
        # Rounding can lead keras-tuner out of the range on these scales: see `Range.draw`.
        near = min(max(value, numbers.low), numbers.high)
        return near if abs(near - value) <= 1 else value
    if not _is_encoded(dimension):
        return value
    return {text_of(choice): choice for choice in dimension.choices}.get(value, value)


def _is_encoded(dimension: Dimension) -> bool:
    """Whether keras-tuner's Choice could not hold the choices as they are."""
    if dimension.kind != "choice":
        return False
    kinds = {type(choice) for choice in dimension.choices}
    return len(kinds) > 1 or not kinds <= {str, int, float}


def _has_rows(x: Any) -> bool:
    """Whether `x` are arrays, and not data that come in batches by themselves."""
    if isinstance(x, dict):
        return all(_has_rows(value) for value in x.values())
    if isinstance(x, list | tuple):
        return all(_has_rows(value) for value in x)
    return hasattr(x, "shape")
