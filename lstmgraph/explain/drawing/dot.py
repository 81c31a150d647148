"""Pictures as Graphviz graphs, https://graphviz.org/doc/info/lang.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.picture import INPUT, LAYER, MASK, OPERATION, OUTPUT, STATE
from lstmgraph.explain.drawing.text import printable

if TYPE_CHECKING:
    from lstmgraph.explain.drawing.picture import Arrow, Box, Picture

_SHAPES = {
    INPUT: 'shape=box, style="rounded"',
    LAYER: "shape=box",
    OPERATION: 'shape=box, style="dashed"',
    OUTPUT: "shape=hexagon",
}
_ARROWS = {STATE: 'style="dashed"', MASK: 'style="dotted", arrowhead="odot"'}


def dot_text(picture: Picture) -> str:
    """Return the graph in the DOT language, from top to bottom, with recipe layers as clusters."""
    lines = [
        f"digraph {_quoted(picture.name)} {{",
        f"  graph [rankdir=TB, tooltip={_quoted(picture.description or picture.name)}]",
        '  node [fontname="Helvetica", fontsize=11]',
        '  edge [fontname="Helvetica", fontsize=10]',
    ]
    for group, boxes in picture.parts:
        if group is None:
            lines.append(f"  {_node(boxes[0])}")
        else:
            lines.append(f"  subgraph {_quoted(f'cluster_{group}')} {{")
            title = _quoted(picture.title(group))
            lines.append(f'    graph [label={title}, color="gray", style="rounded"]')
            lines += [f"    {_node(box)}" for box in boxes]
            lines.append("  }")
    lines += [f"  {_arrow(arrow)}" for arrow in picture.arrows]
    return "\n".join([*lines, "}", ""])


def _node(box: Box) -> str:
    label, tooltip = _quoted(*box.lines), _quoted(*box.details.splitlines())
    return f"{_quoted(box.id)} [{_SHAPES[box.kind]}, label={label}, tooltip={tooltip}]"


def _arrow(arrow: Arrow) -> str:
    style = [_ARROWS[arrow.kind]] if arrow.kind in _ARROWS else []
    label = [f"label={_quoted(arrow.label)}"] if arrow.label else []
    attributes = f" [{', '.join(style + label)}]" if style + label else ""
    return f"{_quoted(arrow.source)} -> {_quoted(arrow.target)}{attributes}"


def _quoted(*lines: str) -> str:
    """Return a DOT string of one or more lines.

    In labels and tooltips, a backslash begins an escape, and an ampersand an HTML entity.
    """
    return '"' + "\\n".join(_escaped(line) for line in lines) + '"'


def _escaped(text: str) -> str:
    written = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return written.replace("&", "&amp;")
