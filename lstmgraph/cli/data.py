"""The command that reads data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lstmgraph.cli.shared import (
    COMMAND_LINE_IS_WRONG,
    RECIPE_IS_WRONG,
    Format,
    OutputFormat,
    RecipePath,
    SetValues,
    load_recipe,
    print_json,
)
from lstmgraph.data.problems import DataError
from lstmgraph.quiet import held_back

DataPath = Annotated[
    str,
    typer.Option("--data", metavar="DATA", help="A file or folder of data, or module:function."),
]
PartPath = Annotated[str | None, typer.Option(metavar="DATA", help="Its own data, not a part.")]


def data(  # noqa: PLR0913, PLR0917 - the options of the command
    recipe: RecipePath,
    source: DataPath,
    validation: PartPath = None,
    test: PartPath = None,
    set_values: SetValues = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """Check data against a recipe, and show what would be trained on.

    Example: lstmgraph data recipes/speaker-classifier.yaml --data recipes/data/japanese_vowels.npz
    """
    loaded = load_recipe(recipe, set_values, output_format)
    from lstmgraph.data.functions import source_of  # noqa: PLC0415 - imports NumPy
    from lstmgraph.data.summary import summarized  # noqa: PLC0415 - as above
    from lstmgraph.data.tf_datasets import is_saved_dataset  # noqa: PLC0415 - as above

    given = {"validation": validation, "test": test}
    if any(is_saved_dataset(Path(text)) for text in (source, *given.values()) if text):
        with held_back():
            import keras  # noqa: F401, PLC0415 - TensorFlow's start-up log comes with it
    try:
        parts = {name: source_of(text) for name, text in given.items() if text is not None}
        found = loaded.load_data(source_of(source), **parts)
    except DataError as error:
        fail_data(error, output_format)
    summary = summarized(found)
    if output_format is Format.json:
        print_json({"ok": True, "recipe": loaded.name, **summary.as_dict()})
        return
    typer.echo(str(summary))
    for warning in summary.warnings:
        typer.echo(str(warning), err=True)


def fail_data(error: DataError, output_format: Format) -> NoReturn:
    """Print what is wrong with the data, and exit."""
    if output_format is Format.json:
        print_json({"ok": False, "problems": [problem.as_dict() for problem in error.problems]})
    else:
        typer.echo(str(error), err=True)
    unreadable = any(problem.code == "D101" for problem in error.problems)
    raise typer.Exit(COMMAND_LINE_IS_WRONG if unreadable else RECIPE_IS_WRONG) from None
