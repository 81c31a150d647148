"""A recipe with the numbers that were fitted for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import RecipeDeclaration


def unfitted_columns(compiled: CompiledRecipe) -> list[str]:
    """Return the columns with ``scale:`` whose numbers are not known yet."""
    data = compiled.declaration.data
    columns = data.columns.values() if data else ()
    return [column.name for column in columns if column.scale and not column.fitted]


def with_fitted(
    compiled: CompiledRecipe, numbers: Mapping[str, tuple[float, float]]
) -> CompiledRecipe:
    """Return the recipe with center and spread of columns, by the column's name.

    Its resolved recipe has them as `fitted:`, and its graph scales by them.
    """
    if not numbers:
        return compiled
    section = compiled.completed["data"]
    columns = {
        name: {**column, "fitted": list(numbers[name])} if name in numbers else column
        for name, column in section["columns"].items()
    }
    found = compiled.with_sections(data={**section, "columns": columns})
    models = {
        name: replace(model, graph=_with_arguments(model.graph, found.declaration))
        for name, model in compiled.models.items()
    }
    return replace(found, graph=_with_arguments(found.graph, found.declaration), models=models)


def _with_arguments(graph: Graph, recipe: RecipeDeclaration) -> Graph:
    """Return the graph whose ``Normalization`` layers have the arguments that `recipe` says."""
    return graph.with_nodes(
        [
            replace(node, arguments=recipe.layers[node.name].arguments)
            if node.op == "Normalization" and node.name in recipe.layers
            else node
            for node in graph.nodes
        ]
    )
