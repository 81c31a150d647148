"""Document -> compiled recipe: everything up to, and without, TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.data_checks import check_data
from lstmgraph.defaults import complete
from lstmgraph.diagnostics import RecipeError
from lstmgraph.expand import expand
from lstmgraph.passes import run_passes
from lstmgraph.read_recipe import read_recipe
from lstmgraph.resolve import resolve
from lstmgraph.schema import check_structure
from lstmgraph.training_checks import check_training

if TYPE_CHECKING:
    from lstmgraph.document import Document
    from lstmgraph.graph import Graph
    from lstmgraph.recipe import RecipeDeclaration


@dataclass(frozen=True)
class CompiledRecipe:
    """A recipe without mistakes, and its graph."""

    declaration: RecipeDeclaration
    graph: Graph
    completed: dict[str, Any]
    """The recipe's data with every default written out."""
    document: Document


def compile_document(document: Document) -> CompiledRecipe:
    """Check a whole recipe and wire its graph.

    Raises:
        RecipeError: with every mistake that was found.
    """
    unread = document.data is None and bool(document.diagnostics)
    at_fault = None if unread else check_structure(document)
    if at_fault is None:
        raise _error(document)
    completed = complete(document.data, at_fault)
    declaration = read_recipe(completed, document.data)
    resolution = resolve(declaration, document)
    graph = run_passes(expand(declaration, resolution, document), document)
    check_training(declaration, graph, document)
    check_data(declaration, graph, document)
    if document.diagnostics:
        raise _error(document)
    return CompiledRecipe(declaration, graph, completed, document)


def _error(document: Document) -> RecipeError:
    return RecipeError(document.diagnostics.ordered(), document.sources)
