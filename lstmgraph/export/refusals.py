"""What TensorFlow and the exporters say when they cannot go on, brought to the recipe's line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstmgraph.export.mistakes import ExportMistake

if TYPE_CHECKING:
    from lstmgraph.graph import Graph, Node

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LACKING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_CALLING = re.compile(r"calling (\w+)\.call\(\)")
_LONGEST = 300


def as_refusal(graph: Graph, title: str, error: Exception) -> ExportMistake:
    """The error of an exporter: at the layer that its text names, in as few words as there are."""
    text = _COLOURS.sub("", str(error))
    node = _named_node(graph, text)
    lacking = sorted(set(_LACKING.findall(text)))
    if lacking:
        what = f"LiteRT has no operators of its own for TensorFlow's {', '.join(lacking)}"
        what += " on numbers of this dtype or rank"
    else:
        lines = [line.strip() for line in text.splitlines()]
        telling = [line for line in lines if line and not _CALLING.search(line)]
        what = " ".join(telling)[:_LONGEST] or type(error).__name__
    path = node.path if node else ()
    name = f"'{node.name}' ({node.op})" if node else f"'{graph.name}'"
    hint = "use another layer, give its input fixed sizes, or choose another format"
    return ExportMistake("L802", path, f"{title} cannot hold {name}: {what}", hint)


def _named_node(graph: Graph, text: str) -> Node | None:
    """The node whose name stands in a path such as ``model_1/pooled_1/MaxPool``, or its class."""
    places = {
        match.start(): node
        for node in graph.nodes
        for match in re.finditer(rf"/{re.escape(node.name)}(_\d+)?/", text)
    }
    if places:
        return places[min(places)]
    calling = _CALLING.search(text)
    return next((node for node in graph.nodes if calling and node.op == calling[1]), None)
