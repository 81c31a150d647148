"""The command that reads data."""

from __future__ import annotations

from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import (
    Format,
    OutputFormat,
    RecipePath,
    SetValues,
    listed,
    load_recipe,
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
        own |= listed(summary.warnings, "warnings")
        print_json({**own, **listed(loaded.warnings, "recipe_warnings")})
        return
    say(str(summary))
    print_warnings(found)
