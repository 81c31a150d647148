"""Pictures of models as Mermaid, DOT and SVG, without TensorFlow.

`read_graph` determines what a picture shows; each format then writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.explain.drawing.dot import dot_text
from lstmgraph.explain.drawing.mermaid import mermaid_text
from lstmgraph.explain.drawing.read_graph import picture_of
from lstmgraph.explain.drawing.svg import svg_text
from lstmgraph.explain.drawing.svg.style import THEMES

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.machine.machine import Machine

__all__ = ["ENDINGS", "FORMATS", "THEMES", "draw", "in_file"]

FORMATS = ("svg", "mermaid", "dot")
ENDINGS = {".svg": "svg", ".mmd": "mermaid", ".md": "mermaid", ".dot": "dot", ".gv": "dot"}
"""The format of a file, by the ending of its name."""


def draw(
    compiled: CompiledRecipe,
    machine: Machine,
    format: str = "svg",  # noqa: A002 - the word of the command line
    model: str = "",
    theme: str = "auto",
) -> str:
    """Return the text of a picture, which ends with a line break.

    Args:
        compiled: The recipe.
        machine: The machine whose kernels are shown.
        format: ``svg``, ``mermaid`` or ``dot``.
        model: The name of a further model of the recipe to draw; empty for the recipe's own.
        theme: The colours of an SVG: ``light``, ``dark``, or ``auto`` for the reader's choice.

    Raises:
        ValueError: There is no such format, theme or model.
    """
    if format not in FORMATS:
        raise ValueError(f"there is no format {format}; there are: {', '.join(FORMATS)}")
    if theme not in THEMES:
        raise ValueError(f"there is no theme {theme}; there are: {', '.join(THEMES)}")
    picture = picture_of(compiled, machine, model)
    if format == "svg":
        return svg_text(picture, theme)
    return mermaid_text(picture) if format == "mermaid" else dot_text(picture)


def in_file(path: Path, text: str) -> str:
    """Return the text for the file at `path`, in Markdown with Mermaid as a fenced block."""
    return f"```mermaid\n{text}```\n" if path.suffix == ".md" else text
