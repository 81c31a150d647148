"""Pictures as Mermaid flowcharts, https://mermaid.js.org/syntax/flowchart.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.picture import DATA, INPUT, MASK, OPERATION, OUTPUT, STATE

if TYPE_CHECKING:
    from lstmgraph.explain.drawing.picture import Arrow, Box, Picture

_SHAPES = {INPUT: ("([", "])"), OUTPUT: ("{{", "}}")}
_PLAIN = {DATA: "-->", STATE: "-.->", MASK: "-.-o"}
_LABELLED = {DATA: "-- {} -->", STATE: "-. {} .->", MASK: "-. {} .-o"}


def mermaid_text(picture: Picture) -> str:
    """Return the flowchart, from top to bottom; arrows of states are dashed, of masks end in dots.

    It sets no colours, as the page that shows it has its own light or dark theme.
    """
    lines = ["flowchart TB", f"  accTitle: {_words(picture.name)}"]
    if picture.description:
        lines.append(f"  accDescr: {_words(picture.description)}")
    for group, boxes in picture.parts:
        if group is None:
            lines.append(f"  {_node(boxes[0])}")
        else:
            lines.append(f"  subgraph group_{group} [{_quoted(picture.title(group))}]")
            lines += [f"    {_node(box)}" for box in boxes]
            lines.append("  end")
    lines += [f"  {_arrow(arrow)}" for arrow in picture.arrows]
    operations = [box.id for box in picture.boxes if box.kind == OPERATION]
    if operations:
        lines.append("  classDef operation stroke-dasharray: 4 3")
        lines.append(f"  class {','.join(operations)} operation")
    return "\n".join([*lines, ""])


def _node(box: Box) -> str:
    left, right = _SHAPES.get(box.kind, ("[", "]"))
    return f"{box.id}{left}{_quoted(*box.lines)}{right}"


def _arrow(arrow: Arrow) -> str:
    link = _LABELLED[arrow.kind].format(_quoted(arrow.label)) if arrow.label else None
    return f"{arrow.source} {link or _PLAIN[arrow.kind]} {arrow.target}"


def _quoted(*lines: str) -> str:
    """Return a Mermaid string, with entity codes except for letters, digits and harmless signs."""
    return '"' + "<br/>".join(_escaped(line) for line in lines) + '"'


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c in _HARMLESS else f"#{ord(c)};" for c in text)


_HARMLESS = " _.,:+-*/()="


def _words(text: str) -> str:
    """Return the text for screen readers, on one line.

    Entity codes do not work there, so characters that may begin a comment, a directive or HTML are
    left out.
    """
    kept = "".join(c if c.isalnum() or c in " _.,:+-*/()='!?" else " " for c in text)
    return " ".join(kept.split())
