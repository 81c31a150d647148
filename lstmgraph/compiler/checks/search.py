"""Check `search:` against `training:`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.metric_names import watchable
from lstmgraph.compiler.checks.training import output_names
from lstmgraph.language.declaration.defaults import complete_search
from lstmgraph.messages.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

MODEL_OBJECTIVES = {"parameters": "min"}
"""Objectives that are not Keras metrics, and whether a small or a large one is better."""


def check_search(recipe: RecipeDeclaration, graph: Graph, document: Document) -> None:
    """Report a search without training, unknown objectives or directions, and double pruning."""
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
        names = _directions(recipe.training, output_names(graph, document))
        if document.diagnostics.has_errors_in("training", "outputs"):
            return  # what is wrong there may be the metric
        several = isinstance(document.data["search"].get("objective"), list)
        for index, objective in enumerate(search.objective):
            path = ("search", "objective", *((index,) if several else ()), "metric")
            _check_objective(objective, path, names, document)


def _check_objective(
    objective: Mapping[str, str], path: Path, names: Mapping[str, str | None], document: Document
) -> None:
    metric = objective["metric"]
    if metric not in names:
        document.report(
            "L813",
            path,
            f"training logs no metric '{metric}'{did_you_mean(metric, names)}",
            hint=f"write one of: {', '.join(sorted(names))}",
        )
    elif objective["direction"] == "auto" and names[metric] is None:
        document.report(
            "L827",
            path,
            f"Keras does not define whether a small or a large '{metric}' is better",
            hint="write `direction: min` or `direction: max` next to it",
        )


def directed_objectives(recipe: RecipeDeclaration, graph: Graph) -> tuple[dict[str, str], ...]:
    """Return the objectives of a search without mistakes, each with ``min`` or ``max``.

    A direction of ``auto`` becomes that of the metric.
    """
    assert recipe.training is not None
    names = directions(recipe.training, graph)
    objectives = recipe.search.objective if recipe.search else complete_search({})["objective"]
    return tuple(
        {**each, "direction": names[each["metric"]] or each["direction"]}
        if each["direction"] == "auto"
        else dict(each)
        for each in objectives
    )


def directions(training: Training, graph: Graph) -> dict[str, str | None]:
    """Return the better direction of every possible objective; None where Keras has none."""
    return _directions(training, list(graph.outputs))


def _directions(training: Training, outputs: list[str]) -> dict[str, str | None]:
    return {**watchable(training, outputs), **MODEL_OBJECTIVES}
