"""What a Stepper is made from: a file, a model with its recipe, or a derived step model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import keras

from lstmgraph.compiler.compile import CompiledRecipe
from lstmgraph.compiler.load import load_compiled
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.models.derived import Derived, derive
from lstmgraph.models.files import load_as

if TYPE_CHECKING:
    from typing import TypeAlias

    from lstmgraph.compiler.derive import StepPlan
    from lstmgraph.compiler.load import HasCompiled

    Source: TypeAlias = str | Path | keras.Model | Derived


def step_models(source: Source, recipe: HasCompiled | None) -> Derived:
    """Return the step model of `source`, with its weights.

    Args:
        source: a ``.keras`` file, a model of `recipe`, or a derived step model.
        recipe: the recipe of a model, or of a file that does not hold one.

    Raises:
        RecipeError: the recipe cannot run step by step (L834), or the file holds no recipe.
        ValueError: a Stepper cannot be made from `source`, or `source` does not match `recipe`.
    """
    if recipe is not None and not _is_recipe(recipe):
        raise ValueError(f"recipe= takes what lstmgraph.load returns, not: {type(recipe).__name__}")
    if isinstance(source, Derived):
        if source.kind != "step":
            raise ValueError(f"a Stepper takes a model derived as step, not as {source.kind}")
        return source
    if _is_recipe(source):
        raise ValueError(
            'a recipe has no weights: give recipe.derive("step"), which makes new ones'
        )
    if isinstance(source, str | Path):
        path = model_path(source)
        if path.suffix != ".keras":
            raise ValueError(f"a Stepper reads .keras files only, not {path}")
        compiled = recipe.compiled if recipe else load_compiled(path)
        return derive(compiled, "step", load_as(compiled, path))
    if not isinstance(source, keras.Model):
        raise ValueError(
            "a Stepper is made from a .keras file, a model with its recipe, or "
            f"recipe.derive('step'), not from: {type(source).__name__}"
        )
    if recipe is None:
        raise ValueError("a model does not hold its recipe: give both, Stepper(model, recipe)")
    return derive(recipe.compiled, "step", source)


def plan_of(derived: Derived) -> StepPlan:
    """Return the plan that says how the parts of a step model fit together."""
    if derived.plan is None:
        raise ValueError("the step model has no plan")
    return derived.plan


def _is_recipe(value: object) -> bool:
    """Return whether `value` is a ``Recipe``; a Keras model has an attribute ``compiled`` too."""
    return isinstance(getattr(value, "compiled", None), CompiledRecipe)
