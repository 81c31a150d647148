"""A recipe with the numbers that were fitted for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import BY_SERIES, BY_WINDOW, CLIP, INTERVALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.data import Column
    from lstmgraph.language.declaration.recipe import RecipeDeclaration

FITTED = frozenset({"Normalization", "StringLookup", BY_SERIES, BY_WINDOW, CLIP, INTERVALS})
"""Layers and operations that columns are prepared by, and that hold fitted numbers."""


def unfitted_columns(compiled: CompiledRecipe) -> list[str]:
    """Return the columns with ``scale:`` whose numbers are not known yet."""
    data = compiled.declaration.data
    columns = data.columns.values() if data else ()
    return [column.name for column in columns if column.needs_fitting]


def with_fitted(compiled: CompiledRecipe, found: Mapping[str, Column]) -> CompiledRecipe:
    """Return the recipe with the numbers that were found for columns, by the column's name.

    Its resolved recipe has them as `fitted:`, and its graph scales by them.
    """
    if not found:
        return compiled
    section = compiled.completed["data"]
    columns = {
        name: {**column, **_written(found[name])} if name in found else column
        for name, column in section["columns"].items()
    }
    return _with_layers_of(compiled.with_sections(data={**section, "columns": columns}))


def _written(column: Column) -> dict[str, Any]:
    """Return the numbers of a column as a recipe writes them."""
    written: dict[str, Any] = {}
    if column.quantiles and column.limits:
        written["clip"] = {"quantiles": list(column.quantiles), "fitted": list(column.limits)}
    if column.fitted:
        written["fitted"] = list(column.fitted)
    if column.fitted_series:
        centers, spreads = zip(*column.fitted_series.values(), strict=True)
        own = {"center": list(centers), "spread": list(spreads)}
        written["fitted_series"] = {"names": list(column.fitted_series), **own}
    return written


def with_intervals(
    compiled: CompiledRecipe, numbers: Mapping[str, Mapping[str, Any]]
) -> CompiledRecipe:
    """Return the recipe with how the quantiles of outputs are calibrated, by the output's name."""
    if not numbers:
        return compiled
    section = {**compiled.completed["training"], "intervals": dict(numbers)}
    return _with_layers_of(compiled.with_sections(training=section))


def without_offsets(compiled: CompiledRecipe) -> CompiledRecipe:
    """Return the recipe with intervals that are still to be calibrated."""
    given = compiled.completed["training"].get("intervals")
    if not isinstance(given, dict):
        return compiled
    kept = {name: {k: own[k] for k in own if k == "season"} for name, own in given.items()}
    return with_intervals(compiled, kept)


def _with_layers_of(compiled: CompiledRecipe) -> CompiledRecipe:
    """Return the recipe whose graphs have the numbers of its declaration."""
    recipe = compiled.declaration
    models = {
        name: replace(model, graph=_with_arguments(model.graph, recipe))
        for name, model in compiled.models.items()
    }
    return replace(compiled, graph=_with_arguments(compiled.graph, recipe), models=models)


def _with_arguments(graph: Graph, recipe: RecipeDeclaration) -> Graph:
    """Return the graph whose layers of numbers have the arguments that `recipe` says."""
    return graph.with_nodes(
        [
            replace(node, arguments=recipe.layers[node.name].arguments)
            if node.op in FITTED and node.name in recipe.layers
            else node
            for node in graph.nodes
        ]
    )
