"""Compile a document: every step from text to graph, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.data import check_data
from lstmgraph.compiler.checks.embeddings import check_embeddings
from lstmgraph.compiler.checks.runtime import check_runtime
from lstmgraph.compiler.checks.search import check_search
from lstmgraph.compiler.checks.training import check_training
from lstmgraph.compiler.checks.vocabularies import check_vocabularies
from lstmgraph.compiler.derive import further_models, main_graph
from lstmgraph.compiler.graph import Parameters
from lstmgraph.compiler.lint import (
    Checked,
    apply_silences,
    find_warnings,
    names_in_searches,
    read_silences,
)
from lstmgraph.compiler.passes import run_passes
from lstmgraph.compiler.wiring.expand import expand
from lstmgraph.compiler.wiring.resolve import resolve
from lstmgraph.keras_facts.dtypes import compute_dtype
from lstmgraph.keras_facts.layers import layer_facts, places
from lstmgraph.language.declaration.calls import check_calls
from lstmgraph.language.declaration.check_blocks import check_blocks
from lstmgraph.language.declaration.defaults import complete
from lstmgraph.language.declaration.read_recipe import read_recipe
from lstmgraph.language.schema.structure import check_structure
from lstmgraph.language.space.collect import Collected, collect
from lstmgraph.language.space.fill import fill
from lstmgraph.language.space.variants import check_variants, described
from lstmgraph.messages.diagnostics import OPTION, Diagnostics
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.derive import FurtherModel
    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.compiler.lint import Silence, Silenced
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Diagnostic


@dataclass(frozen=True)
class CompiledRecipe:
    """A recipe without mistakes, with its graph."""

    declaration: RecipeDeclaration
    """`completed` as typed values; ``with_sections`` changes both."""
    graph: Graph
    completed: dict[str, Any]
    """The recipe's data with every default written out."""
    document: Document
    """The document that was compiled, with searched values filled in."""
    written: Document
    """The recipe as written."""
    collected: Collected
    """The recipe's search space."""
    models: Mapping[str, FurtherModel] = field(default_factory=dict)
    """The further models by name."""
    warnings: tuple[Diagnostic, ...] = ()
    """Warnings in the order of the text."""
    silenced: tuple[Silenced, ...] = ()
    """Warnings that comments in the recipe silence."""

    def with_sections(self, **sections: dict[str, Any] | None) -> CompiledRecipe:
        """Return the recipe with other sections, such as ``runtime``, that do not change the graph.

        Args:
            sections: the new sections by name, with every default; None removes a section.
        """
        changed = {name: s for name, s in {**self.completed, **sections}.items() if s is not None}
        declaration = read_recipe(changed, self.document.data)
        return replace(self, declaration=declaration, completed=changed)

    def with_arguments(self, layers: Mapping[str, Mapping[str, Any]]) -> CompiledRecipe:
        """Return the recipe with other arguments of layers that do not change any shape.

        Args:
            layers: the changed arguments of layers under ``layers:``, by their names.
        """
        own = self.completed["layers"]
        changed = {**own, **{name: {**own[name], **given} for name, given in layers.items()}}
        models = {
            name: replace(model, graph=_with_arguments(model.graph, layers))
            for name, model in self.models.items()
        }
        graph = _with_arguments(self.graph, layers)
        return replace(self.with_sections(layers=changed), graph=graph, models=models)

    def part(self, name: str) -> CompiledRecipe:
        """Return the recipe with its further model `name` as the only model, for export."""
        return replace(self, graph=self.models[name].graph, models={})


def _with_arguments(graph: Graph, layers: Mapping[str, Mapping[str, Any]]) -> Graph:
    def changed(node: Node) -> Node:
        given = layers.get(str(node.path[1])) if node.path[0] == "layers" else None
        if given is None or len(node.path) != 2 or not node.is_layer:
            return node
        own = {**node.arguments, **given}
        inputs = [graph.specs[port] for port in node.inputs]
        facts = layer_facts(node.op, own, inputs, compute_dtype(node.dtype_policy))
        counts = Parameters(facts.trainable, facts.non_trainable)
        return replace(node, arguments=own, parameters=counts, weights=places(facts.weights))

    return graph.with_nodes([changed(node) for node in graph.nodes])


def compile_document(document: Document) -> CompiledRecipe:
    """Return the compiled recipe; searched values have their defaults.

    Raises:
        RecipeError: with every mistake in the recipe.
    """
    collected = collect(document)
    filled = fill(document, collected, collected.space.defaults())
    if filled is not document:  # mistakes in the text may make a part look unused
        filled.diagnostics.found += document.diagnostics.found
        filled.diagnostics.warnings += document.diagnostics.warnings
    compiled = _checked(filled, collected, document)
    if filled is not document:
        _check_space(document, filled, collected)
    silences = read_silences(document)
    if compiled is None or document.diagnostics:
        raise _error(document)
    is_overridden = any(source.startswith(OPTION) for source in document.sources)
    own_source = None if is_overridden or collected.is_searched else document.source
    return _linted(compiled, document, silences, own_source)


def compile_at(compiled: CompiledRecipe, values: Mapping[str, Any]) -> CompiledRecipe:
    """Return the compiled recipe at a point of the space.

    Args:
        compiled: the recipe with its space.
        values: values of dimensions by name; the other dimensions get their defaults.

    Raises:
        SpaceError: if `values` are not a point of the space.
        RecipeError: if the recipe has a mistake at this point.
    """
    return _at(compiled.written, compiled.collected, values)


def compile_point(document: Document, values: Mapping[str, Any]) -> CompiledRecipe:
    """Return the compiled recipe at a point of the space, without checking the space again.

    Raises:
        SpaceError: if `values` are not a point of the space.
        RecipeError: if the recipe has a mistake at this point.
    """
    return _at(document, collect(document), values)


def _at(document: Document, collected: Collected, values: Mapping[str, Any]) -> CompiledRecipe:
    filled = fill(document, collected, collected.space.point(values))
    concrete = _checked(filled, Collected(), filled)
    if concrete is None or filled.diagnostics:
        raise _error(filled)
    return _linted(concrete, document, read_silences(filled), None)


def _checked(document: Document, collected: Collected, written: Document) -> CompiledRecipe | None:
    """Check and compile a concrete document; return None if its structure cannot be compiled."""
    unread = document.data is None and bool(written.diagnostics)
    at_fault = None if unread else check_structure(document, collected.broken)
    if at_fault is None:
        return None
    completed = complete(document.data, check_blocks(document, check_calls(document, at_fault)))
    declaration = read_recipe(completed, document.data)
    document.blocks = declaration.written
    expanded = expand(declaration, resolve(declaration, document), document)
    document.ports = expanded.written_names()
    graph = run_passes(expanded, document)
    models: dict[str, FurtherModel] = {}
    if declaration.models and not document.diagnostics:
        models = further_models(graph, declaration.models, document)
        graph = main_graph(graph)
    check_runtime(declaration.runtime, document)
    meant = check_training(declaration, graph, document)
    check_embeddings(graph, document)
    check_vocabularies(graph, declaration.runtime, document)
    check_data(meant, graph, document)
    check_search(meant, graph, document)
    return CompiledRecipe(declaration, graph, completed, document, written, collected, models)


def _linted(
    compiled: CompiledRecipe, written: Document, silences: list[Silence], own_source: str | None
) -> CompiledRecipe:
    # The document may be compiled again with other values, so it keeps no warnings of rules.
    diagnostics = Diagnostics(warnings=[*compiled.document.diagnostics.warnings])
    checked = Checked(
        compiled.declaration,
        compiled.graph,
        tuple(model.graph for model in compiled.models.values()),
        replace(compiled.document, diagnostics=diagnostics),
        names_in_searches(written.data),
    )
    warnings, silenced = apply_silences(find_warnings(checked), silences, own_source)
    return replace(compiled, warnings=warnings, silenced=silenced)


def _check_space(document: Document, filled: Document, collected: Collected) -> None:
    """Report mistakes with the defaults, and with every other value filled in alone.

    If the defaults have mistakes, only the structure is checked for other values, so that one
    mistake is not reported for each of them.
    """
    usual = filled.diagnostics.ordered()
    for diagnostic in usual:
        document.diagnostics.add(described(diagnostic, document, collected.space))
    check = _check_structure_only if document.diagnostics else _check_all
    check_variants(document, collected, usual, check)


def _check_structure_only(document: Document, collected: Collected) -> None:
    check_structure(document, collected.broken)


def _check_all(document: Document, collected: Collected) -> None:
    _checked(document, collected, document)


def _error(document: Document) -> RecipeError:
    return RecipeError(document.diagnostics.ordered(), document.sources)
