"""What a search needs of the recipe and of the data, before any trial starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.callbacks import watching
from lstmgraph.compiler.checks.metric_names import VALIDATION
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.messages.diagnostics import Path
    from lstmgraph.tuning.search.results import Objective

MEND = "give validation data: --validation FILE, or `data: {split: {validation: 0.2}}`"


def check_searchable(recipe: CompiledRecipe) -> None:
    """Refuse recipes without training, and those that leave nothing open.

    Raises:
        ValueError: the recipe is one of these.
    """
    name = recipe.declaration.name
    if recipe.declaration.training is None:
        raise ValueError(f"the recipe '{name}' has no `training:` section, so nothing can be tried")
    if not recipe.collected.space.dimensions:
        raise ValueError(
            f"the recipe '{name}' leaves nothing open: write, for one, `units: {{$search: "
            "{{int: [16, 64]}}}}` in place of `units: 64`, or train it with `lstmgraph train`"
        )


def check_watched(
    recipe: CompiledRecipe, objectives: Sequence[Objective], *, validates: bool
) -> None:
    """Refuse objectives and callbacks that watch validation data where there is none.

    Raises:
        RecipeError: with each of them (L764).
    """
    training = recipe.declaration.training
    if validates or training is None:
        return
    watched: list[tuple[str, str, Path]] = [
        ("the search", objective.metric, ("search", "objective")) for objective in objectives
    ]
    for name, arguments in watching(training).items():
        path = ("training", "callbacks", name, "monitor")
        watched.append((f"`{name}`", arguments["monitor"], path))
    found = [
        Diagnostic(
            "L764",
            f"{what} watches '{metric}', and there is no validation data",
            path,
            recipe.document.place(path),
            MEND,
            notes=recipe.document.origins.notes(path, recipe.document.place(path)),
        )
        for what, metric, path in watched
        if metric.startswith(VALIDATION)
    ]
    if found:
        raise RecipeError(found, recipe.document.sources)
