"""Check `search:` against `training:`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.metric_names import VALIDATION, logged_names
from lstmgraph.messages.wording import did_you_mean

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.text.document import Document

MODEL_OBJECTIVES = ("parameters",)
"""Objectives that are not Keras metrics."""


def check_search(recipe: RecipeDeclaration, graph: Graph, document: Document) -> None:
    """Report a search without training, objectives that are not logged, and double pruning."""
    search = recipe.search
    if search is None:
        return
    if recipe.training is None and "training" not in document.data:
        hint = "add `training:` with a loss; each trial trains with these settings"
        document.report("L811", ("search",), "a search needs training", hint=hint, at_key=True)
    if search.oracle["type"] == "hyperband" and search.pruning["type"] != "none":
        hint = "remove `pruning`: Hyperband stops trials early by itself"
        message = "Hyperband and another pruning would both stop trials"
        notes = (document.note(("search", "oracle", "type"), "Hyperband is chosen here"),)
        path = ("search", "pruning")
        document.report("L812", path, message, hint=hint, at_key=True, notes=notes)
    if recipe.training is not None:
        names = logged_names(recipe.training, list(graph.outputs))
        logged = {*names, *(f"{VALIDATION}{name}" for name in names), *MODEL_OBJECTIVES}
        written = document.data["search"].get("objective")
        for index, objective in enumerate(search.objective):
            metric = objective["metric"]
            if metric not in logged:
                place = (index,) if isinstance(written, list) else ()
                near = did_you_mean(metric, logged)
                document.report(
                    "L813",
                    ("search", "objective", *place, "metric"),
                    f"training logs no metric '{metric}'{near}",
                    hint=f"write one of: {', '.join(sorted(logged))}",
                )
