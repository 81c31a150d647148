"""Derive the graphs of a recipe's further models, without Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.derived import derived_models
from lstmgraph.compiler.derive.plan import NEXT, Context, FurtherModel, StepPlan, StepState
from lstmgraph.compiler.derive.written import written_model
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.passes.mistakes import GraphMistake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import ModelDeclaration
    from lstmgraph.language.text.document import Document

__all__ = [
    "NEXT",
    "Context",
    "FurtherModel",
    "StepPlan",
    "StepState",
    "further_models",
    "main_graph",
]


def main_graph(graph: Graph) -> Graph:
    """Return `graph` without the nodes that only further models need."""
    needed = needed_names(graph, graph.outputs.values())
    return graph.with_nodes([node for node in graph.nodes if node.name in needed])


def further_models(
    graph: Graph, models: Mapping[str, ModelDeclaration], document: Document
) -> dict[str, FurtherModel]:
    """Return all further models by name; report mistakes in `document`.

    Args:
        graph: the graph of all models together, after the passes, without mistakes.
        models: the declarations of the further models.
        document: where mistakes are reported.
    """
    further: dict[str, FurtherModel] = {}
    for model in models.values():
        if model.name == graph.name:
            message = f"'{model.name}' is the name of the recipe's own model"
            hint = "choose another name"
            notes = (document.note(("name",), "the recipe is named here"),)
            document.report("L835", model.path, message, hint=hint, at_key=True, notes=notes)
            continue
        try:
            if model.derive:
                own = list(derived_models(graph, model, document))
            else:
                written = written_model(graph, model, document)
                own = [written] if written else []
        except GraphMistake as mistake:
            derived = (*model.path, "derive")
            is_written = derived in document.values  # not asked for by `Recipe.derive`
            note = (derived, f"the model '{model.name}' is derived here")
            mistake.report(document, *((note,) if is_written else ()))
            continue
        further |= {part.name: part for part in own}
    return further
