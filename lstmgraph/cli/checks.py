"""Commands that read recipes, without importing TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.explaining import (
    BatchRows,
    OpenSizes,
    ShowBlame,
    TimeSteps,
    explained,
    refuse_sizes_beside_blame,
)
from lstmgraph.cli.output import CheckFormat, print_report
from lstmgraph.cli.printing import print_json, say, say_table
from lstmgraph.cli.shared import (
    Format,
    OutputFormat,
    RecipePath,
    RecipePaths,
    ReportFormat,
    SetValues,
    Strict,
    TableFormat,
    checked_file,
    exit_code,
    listed,
    load_recipe,
)

if TYPE_CHECKING:
    from lstmgraph.explain.blame import Blame
    from lstmgraph.explain.explanation import Explanation


def validate(
    recipes: RecipePaths,
    set_values: SetValues = None,
    strict: Strict = False,
    output_format: Annotated[
        CheckFormat, typer.Option("--format", help="How to print the result.")
    ] = CheckFormat.text,
) -> None:
    """Check recipes and report every mistake and warning, without importing TensorFlow.

    Example: lstmgraph validate *.yaml
    """
    every = sorted(set(recipes))
    files = [checked_file(path, set_values or [], strict=strict) for path in every]
    print_report(files, output_format)
    raise typer.Exit(exit_code(files))


def explain(  # noqa: PLR0913, PLR0917 - each option is one
    recipe: RecipePath,
    set_values: SetValues = None,
    strict: Strict = False,
    batch: BatchRows = None,
    time: TimeSteps = None,
    sizes: OpenSizes = None,
    blame: ShowBlame = False,
    output_format: TableFormat = ReportFormat.text,
) -> None:
    """Show the shape, parameters, mask, initial state and kernel of every call of the model.

    With --batch, also how much memory training and prediction take. TensorFlow is not imported.

    Example: lstmgraph explain recipe.yaml --batch 64 --time 100
    """
    if blame:
        refuse_sizes_beside_blame(batch, time, sizes)
    loaded = load_recipe(recipe, set_values, output_format.of_mistakes, strict=strict)
    explanation: Blame | Explanation
    explanation = loaded.blame() if blame else explained(loaded, batch, time, sizes)
    if output_format is ReportFormat.json:
        print_json({**explanation.as_dict(), **listed(loaded.warnings, "warnings")})
    elif output_format is ReportFormat.markdown:
        say(explanation.markdown())
    else:
        say_table(explanation)


def space(
    recipe: RecipePath,
    set_values: SetValues = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """List what the recipe leaves open for a search, with ranges, defaults and conditions.

    TensorFlow is not imported.

    Example: lstmgraph space recipe.yaml
    """
    loaded = load_recipe(recipe, set_values, output_format)
    if output_format is Format.json:
        own = {"recipe": loaded.name, **loaded.space().as_dict()}
        print_json({**own, **listed(loaded.warnings, "warnings")})
    else:
        say_table(loaded.space())


def schema() -> None:
    """Print the JSON Schema of recipes, for editors and other tools.

    Example: lstmgraph schema > recipe.schema.json
    """
    from lstmgraph.authoring.editor_schema import published_schema  # noqa: PLC0415 - what one command needs

    print_json(published_schema())
