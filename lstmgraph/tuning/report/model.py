"""The best model: its table of calls and its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.load import load_compiled
from lstmgraph.compiler.machine.machine import this_machine
from lstmgraph.explain.explanation import explain
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.wording import shortened
from lstmgraph.tuning.report.frame import figure, label, note
from lstmgraph.tuning.report.layout import Edge, lay_out
from lstmgraph.tuning.report.markup import Markup, joined, pixels, svg, table, tag

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.explain.explanation import Explanation, LayerRow, TensorRow
    from lstmgraph.tuning.report.layout import Layout
    from lstmgraph.tuning.search.results import SearchResults

BOX = 40.0
ROW = 84.0
LONGEST_NAME = 28
LETTER = 7.0
"""Width of a letter in pixels, about."""
ARROW = Markup(
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)


def model_figure(results: SearchResults) -> Markup:
    """The best recipe's model as graph and table, or why there is none."""
    title = "Model of the best trial"
    if not results.best_recipe:
        return figure(title, note("There is no best trial yet."))
    try:
        compiled = load_compiled(results.best_recipe)
    except RecipeError as error:
        why = tag("pre", shortened(str(error), 4000))
        return figure(title, note("This version of lstmgraph does not accept its recipe:"), why)
    explanation = explain(compiled, this_machine())
    text = "Arrows carry tensors; dashed arrows carry initial states."
    picture = tag("div", graph_picture(compiled.graph, explanation), class_="scroll graph")
    return figure(title, picture, note(text), _calls(explanation))


def _calls(explanation: Explanation) -> Markup:
    headings = ["call", "type", "output", "dtype", "parameters", "mask", "initial state", "kernel"]
    rows: list[list[object]] = [
        [row.name, "input", shape(row), row.dtype, "", "", "", ""] for row in explanation.inputs
    ]
    rows += [_call(row) for row in explanation.layers]
    total = explanation.trainable_parameters + explanation.non_trainable_parameters
    text = (
        f"{len(explanation.layers)} calls, {total:,} parameters, "
        f"{explanation.trainable_parameters:,} of them trainable."
    )
    return joined(table(headings, rows, class_="calls"), note(text))


def _call(row: LayerRow) -> list[object]:
    states = row.initial_state or {}
    alike = set(states.values())
    written = alike.pop() if len(alike) == 1 else ", ".join(f"{k}: {v}" for k, v in states.items())
    count = f"{row.parameters:,}"
    kernel = row.kernel and tag("span", row.kernel, title=row.kernel_reason)
    return [row.name, row.type, shape(row), row.dtype, count, row.mask or "", written, kernel or ""]


def shape(row: LayerRow | TensorRow) -> str:
    """``(batch, time, 32)``."""
    return f"({', '.join(str(dim) for dim in row.shape)})"


def graph_picture(graph: Graph, explanation: Explanation) -> Markup:
    """Boxes in layers from inputs to outputs; edges of states are dashed."""
    texts = {row.name: (row.name, f"input {shape(row)}") for row in explanation.inputs}
    texts |= {row.name: (row.name, f"{row.type} {shape(row)}") for row in explanation.layers}
    ends = {f"output {name}": port for name, port in graph.outputs.items()}
    texts |= {end: (end.removeprefix("output "), "output") for end in ends}
    edges = _edges(graph)
    edges += [Edge(port.node, end, text=_port(port.output)) for end, port in ends.items()]
    widths = {name: _width(lines) for name, lines in texts.items()}
    layout = lay_out(widths, list(dict.fromkeys(edges)))
    height = len(layout.layers) * ROW - (ROW - BOX) + 20
    lines = [_edge(edge, layout) for edge in layout.lanes]
    boxes = [_box(name, lines_, widths[name], layout) for name, lines_ in texts.items()]
    pieces = (ARROW, *lines, *boxes)
    return svg(layout.width, height, f"Graph of {graph.name}", *pieces, class_="layers")


def _edges(graph: Graph) -> list[Edge]:
    edges = []
    for node in graph.nodes:
        edges += [Edge(port.node, node.name, text=_port(port.output)) for port in node.inputs]
        for state in node.recurrence.states if node.recurrence else ():
            if state.source:
                edges.append(Edge(state.source.node, node.name, is_state=True, text=state.slot))
    return edges


def _port(output: str) -> str:
    return "" if output == "output" else output


def _width(lines: tuple[str, str]) -> float:
    longest = max(min(len(line), LONGEST_NAME + 8 * index) for index, line in enumerate(lines))
    return longest * LETTER + 16


def _top(name: str, layout: Layout) -> float:
    return 10 + layout.depth[name] * ROW


def _box(name: str, lines: tuple[str, str], width: float, layout: Layout) -> Markup:
    x, y = layout.x[name], _top(name, layout)
    kind = lines[1].split(" ")[0] if lines[1].startswith(("input ", "output")) else "call"
    return tag(
        "g",
        tag("title", f"{lines[0]}: {lines[1]}"),
        tag("rect", x=x - width / 2, y=y, width=width, height=BOX, rx=5),
        tag("g", label(lines[0], x, y + 17, longest=LONGEST_NAME), class_="name"),
        label(lines[1], x, y + 32, longest=LONGEST_NAME + 8),
        class_=f"box {kind}",
    )


def _edge(edge: Edge, layout: Layout) -> Markup:
    """Down through the edge's lanes; straight beside boxes, curved between layers."""
    x, y = layout.x[edge.source], _top(edge.source, layout) + BOX
    commands = [f"M{pixels(x)} {pixels(y)}"]
    for stop in (*layout.lanes[edge], edge.target):
        above, x, y = x, layout.x[stop], _top(stop, layout)
        bend = pixels(y - (ROW - BOX) / 2)
        ends_at = f"{pixels(x)} {pixels(y)}"
        commands.append(f"C{pixels(above)} {bend} {pixels(x)} {bend} {ends_at}")
        if stop != edge.target:
            commands.append(f"V{pixels(y + BOX)}")
    drawn = tag("path", d="".join(commands), class_="line", marker_end="url(#arrow)")
    source = f"{edge.source}.{edge.text}" if edge.text and not edge.is_state else edge.source
    target = f"{edge.target}, initial {edge.text}" if edge.is_state else edge.target
    kind = "edge state" if edge.is_state else "edge"
    return tag("g", tag("title", f"{source} to {target}"), drawn, class_=kind)
