"""The command that reads data."""

from __future__ import annotations

import typer

from lstmgraph.cli.shared import (
    Format,
    OutputFormat,
    RecipePath,
    SetValues,
    as_dicts,
    load_recipe,
    print_json,
)
from lstmgraph.cli.sources import DataPath, PartPath, print_warnings, read_sources


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
    found = read_sources(loaded, source, validation, test, output_format)
    from lstmgraph.data.summary import summarized  # noqa: PLC0415 - imports NumPy

    summary = summarized(found)
    if output_format is Format.json:
        own = {"ok": True, "recipe": loaded.name, **summary.as_dict()}
        print_json({**own, "recipe_warnings": as_dicts(loaded)})
        return
    typer.echo(str(summary))
    print_warnings(found)
