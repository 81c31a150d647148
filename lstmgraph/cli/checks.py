"""Commands that read recipes, and import no TensorFlow."""

from __future__ import annotations

import typer

from lstmgraph.cli.explaining import BatchRows, OpenSizes, TimeSteps, explained
from lstmgraph.cli.shared import (
    Format,
    OutputFormat,
    RecipePath,
    RecipePaths,
    ReportFormat,
    SetValues,
    TableFormat,
    as_dicts,
    exit_code,
    load_recipe,
    mistakes_in,
    print_json,
)


def validate(
    recipes: RecipePaths,
    set_values: SetValues = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """Check recipes and report every mistake in them. TensorFlow is not imported.

    Example: lstmgraph validate recipes/*.yaml
    """
    results = [(path, mistakes_in(path, set_values or [])) for path in recipes]
    if output_format is Format.json:
        print_json(
            {
                "ok": not any(error for _, error in results),
                "files": [
                    {"file": str(path), "ok": error is None, "diagnostics": as_dicts(error)}
                    for path, error in results
                ],
            }
        )
    else:
        for path, error in results:
            if error is None:
                typer.echo(f"{path}: ok")
            else:
                typer.echo(str(error), err=True)
    errors = [error for _, error in results if error]
    if errors:
        raise typer.Exit(max(exit_code(error) for error in errors))


def explain(  # noqa: PLR0913, PLR0917 - each option is one
    recipe: RecipePath,
    set_values: SetValues = None,
    batch: BatchRows = None,
    time: TimeSteps = None,
    sizes: OpenSizes = None,
    output_format: TableFormat = ReportFormat.text,
) -> None:
    """Show every call of the model: shape, parameters, mask, initial state, kernel and why.

    With the size of a batch, an estimate of the memory too. TensorFlow is not imported.

    Example: lstmgraph explain recipes/store-forecaster.yaml --batch 64 --time 100
    """
    loaded = load_recipe(recipe, set_values, output_format.of_mistakes)
    explanation = explained(loaded, batch, time, sizes)
    if output_format is ReportFormat.json:
        print_json(explanation.as_dict())
    elif output_format is ReportFormat.markdown:
        typer.echo(explanation.markdown())
    else:
        typer.echo(str(explanation))


def space(
    recipe: RecipePath,
    set_values: SetValues = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """List what the recipe leaves open for a search: names, values, defaults, conditions, size.

    TensorFlow is not imported.

    Example: lstmgraph space recipes/speaker-classifier-search.yaml
    """
    loaded = load_recipe(recipe, set_values, output_format)
    if output_format is Format.json:
        print_json({"recipe": loaded.name, **loaded.space().as_dict()})
    else:
        typer.echo(str(loaded.space()))


def schema() -> None:
    """Print the JSON Schema of recipes, for editors and other tools.

    Example: lstmgraph schema > recipe.schema.json
    """
    from lstmgraph.schema import bundled_schema  # noqa: PLC0415 - what one command needs

    print_json(bundled_schema())
