"""Comparison of two compiled recipes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.explain.diff import facts
from lstmgraph.explain.diff.items import Change, Changed, Difference, changes, compare_items
from lstmgraph.explain.diff.renames import (
    graph_in_names,
    layer_names,
    renamed_inputs,
    renamed_nodes,
    renamed_outputs,
)
from lstmgraph.explain.diff.result import Comparison, Counts
from lstmgraph.explain.loops import once
from lstmgraph.explain.models import model_rows
from lstmgraph.explain.weight_fit import fit_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph


def compare(first: CompiledRecipe, second: CompiledRecipe) -> Comparison:
    """Return the differences between two recipes' models, and which of the first's weights fit.

    Calls are matched by name; a renamed call is recognized by its type, output, weights and inputs.
    For searched values, the defaults and the search spaces are compared.
    """
    shown = once(first.graph), once(second.graph)
    one, two = (whole.graph for whole in shown)
    inputs = renamed_inputs(one, two)
    nodes = renamed_nodes(one, two, inputs)
    layers = layer_names(one, two, nodes)
    nodes |= _calls_of(layers, one, two, nodes)
    names = {**{o: n for o, n in layers.items() if o not in one.by_name}, **inputs, **nodes}
    outputs = renamed_outputs(one, two, names)
    own = graph_in_names(one, names)
    return Comparison(
        names=(first.declaration.name, second.declaration.name),
        inputs=_compared(facts.input_items(own), facts.input_items(two), inputs),
        layers=_with_reasons(
            _compared(
                facts.call_items(own, facts.fed_back(shown[0].loops, names)),
                facts.call_items(two, facts.fed_back(shown[1].loops, {})),
                nodes,
            ),
            own,
            two,
        ),
        outputs=compare_items(facts.output_items(own), facts.output_items(two), outputs),
        models=compare_items(
            facts.model_items(model_rows(first)), facts.model_items(model_rows(second)), {}
        ),
        space=compare_items(
            facts.dimension_items(first.collected.space),
            facts.dimension_items(second.collected.space),
            {},
        ),
        settings=tuple(changes(facts.settings(first), facts.settings(second))),
        parameters=(_counts(one), _counts(two)),
        weights=fit_weights(weights_by_layer(one), weights_by_layer(two)),
    )


def _calls_of(
    layers: Mapping[str, str], one: Graph, two: Graph, nodes: Mapping[str, str]
) -> dict[str, str]:
    """Return the new names of calls that are whole layers, for layers with other renamed calls."""
    taken = {*one.by_name, *nodes.values()}
    return {
        own: other
        for own, other in layers.items()
        if own in one.by_name and own not in nodes and other in two.by_name and other not in taken
    }


def weights_by_layer(graph: Graph) -> dict[str, Mapping[str, tuple[int, ...]]]:
    """Return the shapes of each layer's weights by their paths, as in a weights file."""
    return {node.keras_name: node.weights for node in graph.nodes if node.weights}


def _compared(before: facts.Items, after: facts.Items, renamed: Mapping[str, str]) -> Difference:
    """Compare items whose names on the first side are replaced by the new ones already."""
    difference = compare_items(before, after, {})
    return replace(difference, renamed=tuple(renamed.items()))


def _with_reasons(difference: Difference, first: Graph, second: Graph) -> Difference:
    """Add to each changed kernel the reasons for the kernels on both sides."""

    def explained(changed: Changed) -> Changed:
        return Changed(changed.name, tuple(_kernel(changed.name, c) for c in changed.changes))

    def _kernel(name: str, change: Change) -> Change:
        if change.key != "kernel":
            return change
        kernels = [
            node.recurrence.kernel if node.recurrence else None
            for node in (first.by_name[name], second.by_name[name])
        ]
        texts = [kernel and f"{kernel.name} ({kernel.reason})" for kernel in kernels]
        return Change("kernel", *texts)

    return replace(difference, changed=tuple(map(explained, difference.changed)))


def _counts(graph: Graph) -> Counts:
    return Counts(graph.parameters.trainable, graph.parameters.non_trainable)
