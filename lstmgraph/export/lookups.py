"""Models without their lookups, for formats that hold no texts: ids become the inputs instead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.cut import Sources, cut
from lstmgraph.compiler.graph import OUTPUT, GraphInput, Port
from lstmgraph.data.vocabularies import Prepared, makers_of
from lstmgraph.export.formats import FORMATS, OF_LITERT, ONNX
from lstmgraph.export.mistakes import ExportMistake, export_error
from lstmgraph.keras_facts.layers.lookups import LOOKUPS, STRING, TENSORFLOW_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Node

WITHOUT_TEXTS = OF_LITERT | {ONNX}
"""Formats that hold no texts and no tables of them."""


def without_lookups(
    compiled: CompiledRecipe, name: str
) -> tuple[CompiledRecipe, Mapping[str, Prepared]]:
    """Return the recipe from the ids on, for a format, and what makes them of the recipe's inputs.

    The ids are inputs with the names of the layers that gave them.

    Raises:
        RecipeError: the ids cannot be computed outside of TensorFlow (L801).
    """
    graph = compiled.graph
    lookups = [node for node in graph.nodes if node.op in TENSORFLOW_ONLY]
    if name not in WITHOUT_TEXTS or not lookups:
        return compiled, {}
    mistakes = [
        ExportMistake("L801", node.path, f"{FORMATS[name].title} {message}", hint)
        for node in lookups
        for message, hint in _obstacles(node, compiled)
    ]
    if mistakes:
        raise export_error(compiled, mistakes)
    makers = makers_of(graph)
    by_name = graph.by_name
    ports = {
        Port(maker): GraphInput(maker, by_name[maker].outputs[OUTPUT], by_name[maker].path)
        for maker in makers
    }
    outputs = {output: (port, graph.output_paths[output]) for output, port in graph.outputs.items()}
    rest = cut(graph, outputs, Sources(ports), lambda _node, _port, mask: mask)
    return replace(compiled, graph=rest), makers


def _obstacles(node: Node, compiled: CompiledRecipe) -> Iterator[tuple[str, str]]:
    """Yield why the values of a layer cannot be computed outside of TensorFlow, and the fix."""
    hint = "use a layer with a vocabulary, or choose another format"
    if node.op not in LOOKUPS:
        yield f"cannot hold {node.op}, which is computed by TensorFlow alone", hint
        return
    source = node.inputs[0]
    maker = compiled.graph.by_name.get(source.node)
    if maker is not None and maker.op not in LOOKUPS:
        yield f"needs the ids of '{node.layer}' as inputs, but it reads '{source}'", hint
    elif maker is None and compiled.graph.inputs[source.node].time_major:
        yield f"needs the ids of '{node.layer}' as inputs, but '{source}' is time-major", hint
    of_texts = node.op == "StringLookup" or compiled.graph.specs[source].dtype == STRING
    if of_texts and node.arguments.get("num_oov_indices", 1) > 1:
        message = f"cannot hold the hashes by which '{node.layer}' tells unknown values apart"
        yield message, "write `num_oov_indices: 1`"
