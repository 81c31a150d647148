"""The command that draws a model, without importing TensorFlow."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import Annotated

import typer

from lstmgraph.cli.printing import hand_over, say
from lstmgraph.cli.shared import (
    MODEL_HELP,
    Force,
    Format,
    RecipePath,
    SetValues,
    load_recipe,
    refuse,
    require_writable,
)
from lstmgraph.files import atomic_path, made_folder


class Drawing(StrEnum):
    """Formats of a picture."""

    svg = "svg"
    mermaid = "mermaid"
    dot = "dot"


class Theme(StrEnum):
    """The colours of an SVG."""

    auto = "auto"
    light = "light"
    dark = "dark"


def graph(  # noqa: PLR0913, PLR0917 - the options of a command
    recipe: RecipePath,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write the result: a file, whose ending says the format: .svg, .mmd, "
            ".md, .dot or .gv.  [default: standard output]",
        ),
    ] = None,
    drawing: Annotated[
        Drawing | None,
        typer.Option(
            "--to", help="Which format to write.  [default: by the ending of FILE, else mermaid]"
        ),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help=MODEL_HELP)] = "",
    theme: Annotated[
        Theme,
        typer.Option(
            help="The colours of an SVG: light, dark, or auto for the viewer's preference."
        ),
    ] = Theme.auto,
    force: Force = False,
    set_values: SetValues = None,
) -> None:
    """Draw the model: layers, shapes, parameters, kernels, initial states and masks.

    Without -o, the picture is printed. TensorFlow is not imported.

    Example: lstmgraph graph recipe.yaml -o picture.svg
    """
    chosen = _format(output, drawing)
    if output:
        require_writable(output.parent, [output], overwrite=force)
    loaded = load_recipe(recipe, set_values, Format.text)
    try:
        picture = loaded.graph(chosen, model=model, theme=theme)
    except ValueError as error:
        refuse(str(error))
    if output is None:
        hand_over(picture)
        return
    from lstmgraph.explain.drawing import in_file  # noqa: PLC0415 - what one command needs

    with made_folder(output.parent), atomic_path(output) as path:
        path.write_text(in_file(output, picture), "utf-8", newline="\n")
    say(f"wrote {output}")


def _format(output: Path | None, drawing: Drawing | None) -> str:
    """Return the format that is asked for, or that the ending of the file says."""
    from lstmgraph.explain.drawing import ENDINGS  # noqa: PLC0415 - what one command needs

    known = ENDINGS.get(output.suffix) if output else Drawing.mermaid
    if drawing is not None and (output is None or known in {None, drawing}):
        return drawing
    if output and known is None:
        refuse(f"{output} ends in none of {', '.join(ENDINGS)}; add --to")
    if output and drawing is not None:
        name = f"{output} would not be a file of format {drawing}"
        refuse(f"{name}: leave out --to, or choose another ending")
    return known or Drawing.mermaid
