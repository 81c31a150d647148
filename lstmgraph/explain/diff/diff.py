"""``diff``: what two recipes' models differ in, before TensorFlow is imported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgraph.compiler.load import HasCompiled, is_text, load_compiled
from lstmgraph.explain.diff import Comparison, compare
from lstmgraph.language.text.embedded import MODEL_SUFFIX, embedded_model
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe

Side = str | Path | HasCompiled


def diff(first: Side, second: Side) -> Comparison:
    """Compare the models of two recipes, and say whether the first's weights load into the second.

    Names of things are compared, not text: comments, the order of keys and the ways to write one
    thing make no difference. TensorFlow is not imported, and no weights are read.

    Args:
        first: a recipe, a path to one, its text, or a ``.keras`` file with a recipe in it. Of a
            file that holds a further model, that model.
        second: the same.

    Returns:
        Its ``same`` says whether nothing differs, ``str()`` and ``markdown()`` what does.

    Raises:
        RecipeError: with every mistake of either recipe.
    """
    sides: list[tuple[CompiledRecipe, str]] = []
    errors = []
    for side in (first, second):
        try:
            sides.append(_compiled(side))
        except RecipeError as error:
            errors.append(error)
    if errors:
        found = dict.fromkeys(mistake for error in errors for mistake in error.diagnostics)
        raise RecipeError(found, {name: t for e in errors for name, t in e.sources.items()})
    if any(further for _, further in sides):  # one model on either side, and no others
        sides = [(replace(compiled, models={}), further) for compiled, further in sides]
    return compare(sides[0][0], sides[1][0])


def _compiled(side: Side) -> tuple[CompiledRecipe, str]:
    """A side, and of a file that holds a further model, that model and its name."""
    if not isinstance(side, str | Path):
        return side.compiled, ""
    compiled = load_compiled(side)
    if is_text(side) or Path(side).suffix != MODEL_SUFFIX:
        return compiled, ""
    further = embedded_model(Path(side))
    return (compiled.part(further) if further in compiled.models else compiled), further
