"""Cast outputs to float32, so that the model returns float32 or float64 under any policy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import OUTPUT, Graph, Node, Port
from lstmgraph.keras_facts.catalogue import keras_arguments
from lstmgraph.keras_facts.dtypes import is_half
from lstmgraph.keras_facts.tensors import TensorSpec

if TYPE_CHECKING:
    from lstmgraph.language.text.document import Document


def widen_outputs(graph: Graph, _document: Document) -> Graph:
    """Return the graph with a cast after every 16-bit output, one for each port.

    NumPy has no bfloat16, and a loss computed in 16 bits is inaccurate. The cast is a layer rather
    than an operation, because a layer passes the mask on to the loss.
    """
    casts: dict[Port, Node] = {}
    outputs = dict(graph.outputs)
    for name, port in graph.outputs.items():
        spec = graph.specs.get(port)
        if spec is None or not is_half(spec.dtype):
            continue
        if port not in casts:
            casts[port] = _cast(graph, name, port, spec)
        outputs[name] = Port(casts[port].name)
    return replace(graph, nodes=(*graph.nodes, *casts.values()), outputs=outputs)


def _cast(graph: Graph, output: str, port: Port, spec: TensorSpec) -> Node:
    source = graph.by_name.get(port.node)
    return Node(
        name=f"{output}.float32",  # names in recipes have no dots, so this one is unused
        op="Identity",
        inputs=(port,),
        layer=source.layer if source else port.node,
        path=graph.output_paths[output],
        arguments=keras_arguments("Identity"),
        dtype_policy="float32",
        outputs={OUTPUT: TensorSpec(spec.shape, "float32")},
    )
