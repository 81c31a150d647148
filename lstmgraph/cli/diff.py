"""The command that compares recipes; it imports no TensorFlow."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import Annotated

import typer

from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import ReportFormat, TableFormat, fail
from lstmgraph.messages.errors import RecipeError

DIFFERENT = 1
"""What `diff` gives where files differ."""


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A recipe, or a .keras file.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    output_format: TableFormat = ReportFormat.text,
) -> None:
    """Compare the models of two recipes, and say whether A's weights load into B.

    Not text: layers, shapes, parameters, states, masks, kernels and settings. A .keras file stands
    for the recipe in it. TensorFlow is not imported. The exit code is 0 where nothing differs, 1
    where anything does or a recipe is wrong, and 2 for a wrong command line.

    Example: lstmgraph diff recipes/store-forecaster.yaml mine.yaml
    """
    from lstmgraph.explain.diff.diff import diff as diff_models  # noqa: PLC0415 - what one command needs

    try:
        found = diff_models(first, second)
    except RecipeError as error:
        fail(error, output_format.of_mistakes)
    if output_format is ReportFormat.json:
        print_json({"ok": True, **found.as_dict()})
    elif output_format is ReportFormat.markdown:
        say(found.markdown())
    else:
        say(str(found))
    if not found.same:
        raise typer.Exit(DIFFERENT)
