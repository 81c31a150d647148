"""What a Stepper is made from: a file, a model and its recipe, or models derived already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import keras

from lstmgraph.compiler.compile import CompiledRecipe
from lstmgraph.compiler.load import load_compiled
from lstmgraph.models.derived import Derived, derive
from lstmgraph.models.files import load_as

if TYPE_CHECKING:
    from typing import TypeAlias

    from lstmgraph.compiler.derive import StepPlan
    from lstmgraph.compiler.load import HasCompiled

    Source: TypeAlias = str | Path | keras.Model | Derived


def step_models(source: Source, recipe: HasCompiled | None) -> Derived:
    """The step model of `source`, with its weights.

    Raises:
        RecipeError: the recipe cannot run step by step (L834), or the file holds none.
        ValueError: `source` is none of what a Stepper takes, or not of `recipe`.
    """
    if recipe is not None and not _is_recipe(recipe):
        raise ValueError(f"recipe= is what lstmgraph.load gives; given: {type(recipe).__name__}")
    if isinstance(source, Derived):
        if source.kind != "step":
            raise ValueError(f"a Stepper runs a model derived as step, not as {source.kind}")
        return source
    if _is_recipe(source):
        raise ValueError('a recipe has no weights: give recipe.derive("step"), with fresh ones')
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix != ".keras":
            raise ValueError(f"{path}: a Stepper reads .keras files")
        compiled = recipe.compiled if recipe else load_compiled(path)
        return derive(compiled, "step", load_as(compiled, path))
    if not isinstance(source, keras.Model):
        raise ValueError(
            "a Stepper is made of a .keras file, a model and its recipe, or recipe.derive('step'); "
            f"given: {type(source).__name__}"
        )
    if recipe is None:
        raise ValueError("a model does not hold its recipe: write Stepper(model, recipe)")
    return derive(recipe.compiled, "step", source)


def plan_of(derived: Derived) -> StepPlan:
    """Return the plan of a step: how its models are connected."""
    if derived.plan is None:
        raise ValueError("the step model has no plan")
    return derived.plan


def _is_recipe(value: object) -> bool:
    """Return whether `value` is a ``Recipe``: Keras's models too have a ``compiled``."""
    return isinstance(getattr(value, "compiled", None), CompiledRecipe)
