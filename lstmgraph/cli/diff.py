"""The command that compares recipes, without importing TensorFlow."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.printing import print_json, say, say_table
from lstmgraph.cli.shared import ReportFormat, TableFormat, fail, read_recipe
from lstmgraph.cli.stdin import is_stdin, refuse_stdin_twice
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.api import Recipe

SIDE_HELP = "A recipe, or a .keras file that holds one; - reads a recipe from standard input."
DIFFERENT = 1
"""The exit code of `diff` where the models differ."""


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help=SIDE_HELP)],
    second: Annotated[Path, typer.Argument(metavar="B", help=SIDE_HELP)],
    output_format: TableFormat = ReportFormat.text,
) -> None:
    """Compare the models of two recipes, and say whether A's weights load into B.

    It compares layers, shapes, parameters, states, masks, kernels and settings, not text.
    TensorFlow is not imported. The exit code is 0 where nothing differs, 1 where something does or
    a recipe is wrong, and 2 for a wrong command line.

    Example: lstmgraph diff before.yaml after.yaml
    """
    from lstmgraph.explain.diff.diff import diff as diff_models  # noqa: PLC0415 - what one command needs

    refuse_stdin_twice(first, second)
    try:
        found = diff_models(_side(first), _side(second))
    except RecipeError as error:
        fail(error, output_format.of_mistakes)
    if output_format is ReportFormat.json:
        print_json({"ok": True, **found.as_dict()})
    elif output_format is ReportFormat.markdown:
        say(found.markdown())
    else:
        say_table(found)
    if not found.same:
        raise typer.Exit(DIFFERENT)


def _side(path: Path) -> Path | Recipe:
    """Return a side as ``diff`` takes it; it reads no standard input itself."""
    return read_recipe(path, []) if is_stdin(path) else path
