"""A recipe as keras-tuner's ``HyperModel``, for its own tuners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras_tuner

from lstmgraph.compiler.compile import compile_at
from lstmgraph.language.space import SpaceError
from lstmgraph.messages.errors import RecipeError
from lstmgraph.models.building import build_model
from lstmgraph.models.building.vocabularies import fitted, is_fitted
from lstmgraph.models.given_weights import load_fitting
from lstmgraph.tuning.search.spaces import declare, plain_values

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.examples import Examples
    from lstmgraph.language.space import Space, Values


class RecipeHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]  # it has no types
    """Builds and fits the recipe with the values of a trial.

    The hyperparameters have the names of the dimensions. keras-tuner's Choice takes texts or
    numbers of one type only: any other choices are declared as their JSON texts.
    """

    def __init__(
        self,
        compiled: CompiledRecipe,
        weights: Path | None = None,
        train: Examples | None = None,
    ) -> None:
        super().__init__(name=compiled.declaration.name)
        self.compiled = compiled
        self.weights = weights
        """The file whose weights the models begin with, where they fit."""
        self.train = train
        """The training part, whose scales, vocabularies and means the models have."""

    @property
    def space(self) -> Space:
        """Return the recipe's space."""
        return self.compiled.collected.space

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare the whole space, to the greatest depth, before anything is built.

        A conditional hyperparameter that a tuner sees only when a model is built has its default
        there and not a sample, and a tuner that goes on with a search does not know it at all.
        """
        declare(self.space, hp)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Return the model of the concrete recipe, compiled where the recipe has ``training:``.

        Raises:
            keras_tuner.errors.FailedTrialError: the recipe is wrong at this point. The trial has
                failed and is not tried again: it would fail in the same way.
            keras_tuner.errors.FatalValueError: a value is not in the recipe's space, or the recipe
                has scales, vocabularies or means that nothing was given to find in.
        """
        try:
            concrete = self.concrete(hp)
            if self.train is not None:
                concrete = fitted(concrete, self.train)
            elif not is_fitted(concrete):
                raise keras_tuner.errors.FatalValueError(
                    "the recipe has scales, vocabularies or means that are yet to be found: give "
                    "the data that has them, `recipe.hypermodel(data)`"
                )
            model = build_model(concrete)
        except RecipeError as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        if self.weights is not None:
            load_fitting(model, self.weights)
        return model

    def fit(
        self, hp: keras_tuner.HyperParameters, model: keras.Model, *args: Any, **kwargs: Any
    ) -> Any:
        """Fit as Keras does, with the recipe's ``batch_size`` and ``epochs`` where none are given.

        A Hyperband tuner gives the epochs; data that come in batches have their own size.

        Raises:
            keras_tuner.errors.FatalValueError: the recipe has class weights, which Keras's ``fit``
                would not give to arrays; the batches of ``Recipe.load_data`` have them.
        """
        training = self.concrete(hp).completed.get("training")
        if training:
            kwargs.setdefault("epochs", training["epochs"])
            if _has_rows(args[0] if args else kwargs.get("x")):
                if "class_weight" in training and kwargs.get("sample_weight") is None:
                    raise keras_tuner.errors.FatalValueError(
                        "arrays have no class weights: load them with `recipe.load_data((x, y))`, "
                        "and search with `data.train.as_keras(batch_size).dataset`"
                    )
                kwargs.setdefault("batch_size", training["batch_size"])
        return model.fit(*args, **kwargs)

    def concrete(self, hp: keras_tuner.HyperParameters) -> CompiledRecipe:
        """Return the recipe with the values of `hp`.

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
        """Return the point of the recipe's space that `hp` holds: of the best trial, the result."""
        return plain_values(self.space, hp.values)


def _has_rows(x: Any) -> bool:
    """Return whether `x` are arrays, and not data that come in batches."""
    if isinstance(x, dict):
        return all(_has_rows(value) for value in x.values())
    if isinstance(x, list | tuple):
        return all(_has_rows(value) for value in x)
    return hasattr(x, "shape")
