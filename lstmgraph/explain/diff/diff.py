"""``diff``: the differences between the models of two recipes, without TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgraph.compiler.load import HasCompiled, load_compiled, model_file
from lstmgraph.explain.diff import Comparison, compare
from lstmgraph.language.text.embedded import embedded_model
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe

Side = str | Path | HasCompiled


def diff(first: Side, second: Side) -> Comparison:
    """Compare the models of two recipes, and check whether the first's weights fit the second.

    The meaning of the recipes is compared, not their text: comments, the order of keys and
    different spellings of the same value make no difference. TensorFlow is not imported, and no
    weights are read.

    Args:
        first: A recipe, a path to one, its text, or a ``.keras`` file that holds a recipe. If the
            file holds a further model of the recipe, that model is compared.
        second: The other side, given in the same way.

    Returns:
        The comparison: ``same`` is true if nothing differs; ``str()`` and ``markdown()`` return
        the differences.

    Raises:
        RecipeError: One or both recipes have mistakes; it holds all of them.
    """
    sides: list[tuple[CompiledRecipe, str]] = []
    errors = []
    for side in (first, second):
        try:
            sides.append(_compiled(side))
        except RecipeError as error:
            errors.append(error)
    if errors:
        mistakes = dict.fromkeys(mistake for error in errors for mistake in error.diagnostics)
        raise RecipeError(mistakes, {name: t for e in errors for name, t in e.sources.items()})
    if any(further for _, further in sides):  # compare one model of each side, and no others
        sides = [(replace(compiled, models={}), further) for compiled, further in sides]
    return compare(sides[0][0], sides[1][0])


def _compiled(side: Side) -> tuple[CompiledRecipe, str]:
    """Return a compiled side, and the name of the further model if its file holds one."""
    if not isinstance(side, str | Path):
        return side.compiled, ""
    compiled = load_compiled(side)
    file = model_file(side)
    if file is None:
        return compiled, ""
    further = embedded_model(file)
    return (compiled.part(further) if further in compiled.models else compiled), further
