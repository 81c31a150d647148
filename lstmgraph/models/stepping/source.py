"""What a Stepper is made from: a file, a model and its recipe, or models derived already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import keras

from lstmgraph.api import Recipe
from lstmgraph.functions import load, load_model
from lstmgraph.models.derived import Derived

if TYPE_CHECKING:
    from typing import TypeAlias

    from lstmgraph.compiler.derive import StepPlan

    Source: TypeAlias = str | Path | keras.Model | Derived


def step_models(source: Source, recipe: Recipe | None) -> Derived:
    """The step model of `source`, with its weights.

    Raises:
        RecipeError: the recipe cannot run step by step (L834), or the file holds none.
        ValueError: `source` is none of what a Stepper takes, or not of `recipe`.
    """
    if recipe is not None and not isinstance(recipe, Recipe):
        raise ValueError(f"recipe= is what lstmgraph.load gives; given: {type(recipe).__name__}")
    if isinstance(source, Derived):
        if source.kind != "step":
            raise ValueError(f"a Stepper runs a model derived as step, not as {source.kind}")
        return source
    if isinstance(source, Recipe):
        raise ValueError('a recipe has no weights: give recipe.derive("step"), with fresh ones')
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix != ".keras":
            raise ValueError(f"{path}: a Stepper reads .keras files")
        recipe = recipe or load(path)
        return recipe.derive("step", load_model(path, recipe=recipe))
    if not isinstance(source, keras.Model):
        raise ValueError(
            "a Stepper is made of a .keras file, a model and its recipe, or recipe.derive('step'); "
            f"given: {type(source).__name__}"
        )
    if recipe is None:
        raise ValueError("a model does not hold its recipe: write Stepper(model, recipe)")
    return recipe.derive("step", source)


def plan_of(derived: Derived) -> StepPlan:
    """How the models of a step hang together."""
    if derived.plan is None:
        raise ValueError("the step model has no plan")
    return derived.plan
