"""The command that checks data."""

from __future__ import annotations

from lstmgraph.cli.printing import print_json, say_table
from lstmgraph.cli.shared import (
    Format,
    OutputFormat,
    RecipePath,
    SetValues,
    listed,
    load_recipe,
)
from lstmgraph.cli.sources import DataPath, TestPath, ValidationPath, print_warnings, read_sources
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity


def data(  # noqa: PLR0913, PLR0917 - the options of the command
    recipe: RecipePath,
    source: DataPath,
    validation: ValidationPath = None,
    test: TestPath = None,
    set_values: SetValues = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Check data against a recipe, and show what would be trained on.

    Example: lstmgraph data recipe.yaml --data examples.npz
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    with verbosity.step("check the recipe"):
        loaded = load_recipe(recipe, set_values, output_format, quiet=quiet)
    found = read_sources(loaded, source, validation, test, output_format, verbosity)
    from lstmgraph.data.summary import summarized  # noqa: PLC0415 - imports NumPy

    summary = summarized(found)
    if output_format is Format.json:
        own = {"ok": True, "recipe": loaded.name, **summary.as_dict()}
        own |= listed(summary.warnings, "warnings")
        print_json({**own, **listed(loaded.warnings, "recipe_warnings")})
        return
    say_table(summary)
    if not quiet:
        print_warnings(found)
