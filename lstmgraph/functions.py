"""What stands beside ``load``: tune in one call, load a model, find a recipe of the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from lstmgraph.api import Recipe, load
from lstmgraph.resources import folder

if TYPE_CHECKING:
    import keras

    from lstmgraph.overrides import Overrides
    from lstmgraph.tuning.options import TuneOptions
    from lstmgraph.tuning.result import TuneResult


def tune(
    recipe: str | Path | Recipe,
    data: Any,
    *,
    overrides: Overrides = (),
    **options: Unpack[TuneOptions],
) -> TuneResult:
    """Search a recipe's space: ``load(recipe, overrides=overrides).tune(data, **options)``.

    Args:
        recipe: a path, a recipe's text, or a recipe.
        data: what ``Recipe.load_data`` takes.
        overrides: see ``load``; of a path or a text only.
        options: see ``Recipe.tune``.

    Raises:
        RecipeError: the recipe is wrong; and what ``Recipe.tune`` raises.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load(recipe, overrides=overrides)
    return loaded.tune(data, **options)


def load_model(path: str | Path, *, recipe: Recipe | None = None) -> keras.Model:
    """Load a ``.keras`` file to run on this machine as its recipe says.

    Keras's own ``load_model`` forgets which kernel a layer is kept to: it stores no ``use_cudnn``.

    Args:
        path: a file that ``lstmgraph build`` or ``Recipe.save`` wrote.
        recipe: the recipe, for a file without one in it, such as ``model.save`` writes.

    Raises:
        RecipeError: the file holds no recipe, or this machine cannot run it as the recipe says.
        ValueError: the file is not whole, or holds another model than the recipe's.
    """
    compiled = (recipe or load(Path(path)))._compiled
    from lstmgraph.model_files import load_as  # noqa: PLC0415 - imports TensorFlow

    return load_as(compiled, Path(path))


def packaged_recipe(name: str) -> Path:
    """The path of a recipe that comes with the package: ``packaged_recipe("speaker-classifier")``.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.
    """
    found = {path.stem: path for path in sorted(folder("recipes").glob("*.yaml"))}
    if name not in found:
        raise ValueError(f"no packaged recipe '{name}'; there are: {', '.join(found)}")
    return found[name]
