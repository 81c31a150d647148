"""Beside `Recipe`: load one, load a model that has its recipe in it, search in one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from lstmgraph.api import Recipe
from lstmgraph.compiler.compile import compile_document
from lstmgraph.language.compose import composed
from lstmgraph.language.text.document import parse_document, read_document
from lstmgraph.language.text.embedded import MODEL_SUFFIX
from lstmgraph.messages.diagnostics import as_errors
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    import keras

    from lstmgraph.language.text.overrides import Overrides
    from lstmgraph.tuning.options import TuneOptions
    from lstmgraph.tuning.result import TuneResult


def load(source: str | Path, *, overrides: Overrides = (), strict: bool = False) -> Recipe:
    """Read and check a recipe. TensorFlow is not imported.

    Nothing is printed: ``Recipe.warnings`` has what is legal and probably not meant.

    Args:
        source: a path, or the text of a recipe (text has more than one line). Of a ``.keras`` file
            that this package wrote, the recipe in it.
        overrides: values to put in, by path: ``{"layers.encoder.units": 32}``, or texts such as
            ``"layers.encoder.units=32"``.
        strict: refuse a recipe with warnings, too.

    Raises:
        RecipeError: with every mistake in the recipe, each with its line and column; with `strict`,
            of a recipe without a mistake, with every warning.
        OverrideFormatError: an override is not ``path=value``.
    """
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        whole = composed(parse_document(source), None, overrides)
    else:
        path = Path(source)
        folder = None if path.suffix == MODEL_SUFFIX else path.parent
        whole = composed(read_document(path), folder, overrides)
    recipe = Recipe(compile_document(whole))
    if strict and recipe.warnings:
        raise RecipeError(as_errors(recipe.warnings), whole.sources)
    return recipe


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
    from lstmgraph.models.files import load_as  # noqa: PLC0415 - imports TensorFlow

    return load_as(compiled, Path(path))


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
