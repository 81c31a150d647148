"""The nodes that TensorFlow's and Keras's texts mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node

CALLING = re.compile(r"Exception encountered when calling (\w+)\.call\(\)\.?")


def named_node(graph: Graph, text: str) -> Node | None:
    """Return the node named in a path such as ``model_1/pooled_1/MaxPool``, or by its class."""
    places = {
        match.start(): node
        for node in graph.nodes
        for match in re.finditer(rf"/{re.escape(node.keras_name)}(_\d+)?/", text)
    }
    if places:
        return places[min(places)]
    calling = CALLING.search(text)
    return next((node for node in graph.nodes if calling and node.op == calling[1]), None)
