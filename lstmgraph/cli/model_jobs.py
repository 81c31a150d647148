"""What the commands that run a model on data share: options, and how they end where it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import RECIPE_IS_WRONG, Format

ModelPath = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A .keras, .onnx or .tflite file, or the folder of a training."
    ),
]
Stride = Annotated[
    int, typer.Option(metavar="N", min=1, help="The rows from one origin to the next.")
]
RecipeOfModel = Annotated[
    Path | None,
    typer.Option(metavar="RECIPE", help="The recipe of a MODEL that has none in it."),
]


def fail_job(message: str, output_format: Format) -> NoReturn:
    """Print why a model cannot be run, and exit."""
    if output_format is Format.json:
        print_json({"ok": False, "message": message})
    else:
        say(message, err=True)
    raise typer.Exit(RECIPE_IS_WRONG) from None


def origins_of(text: str | None) -> int | str | None:
    """Return how many origins ``--origins`` asks for: a number, ``all``, or None without it.

    Raises:
        typer.BadParameter: it is none of these.
    """
    if text is None or text == "all":
        return text
    if not text.isdecimal() or not int(text):
        raise typer.BadParameter(f"{text} is not a number from 1, nor all", param_hint="--origins")
    return int(text)
