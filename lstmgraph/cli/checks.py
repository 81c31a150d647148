"""Commands that read recipes, and import no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lstmgraph.cli.shared import (
    Format,
    OutputFormat,
    RecipePath,
    RecipePaths,
    SetValues,
    Strict,
    as_dicts,
    checked_recipe,
    exit_code,
    load_recipe,
    print_json,
    rendered_warnings,
)
from lstmgraph.diagnostics import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.api import Recipe


def validate(
    recipes: RecipePaths,
    set_values: SetValues = None,
    strict: Strict = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Check recipes and report every mistake and warning. TensorFlow is not imported.

    Example: lstmgraph validate recipes/*.yaml
    """
    results = [(path, checked_recipe(path, set_values or [], strict=strict)) for path in recipes]
    errors = [found for _, found in results if isinstance(found, RecipeError)]
    if output_format is Format.json:
        files = [
            {
                "file": str(path),
                "ok": not isinstance(found, RecipeError),
                "diagnostics": as_dicts(found),
            }
            for path, found in results
        ]
        print_json({"ok": not errors, "files": files})
    else:
        for path, found in results:
            _print_result(path, found)
    if errors:
        raise typer.Exit(max(exit_code(error) for error in errors))


def _print_result(path: Path, found: Recipe | RecipeError) -> None:
    if isinstance(found, RecipeError):
        typer.echo(str(found), err=True)
        return
    count = len(found.warnings)
    if count:
        typer.echo(rendered_warnings(found), err=True)
    counted = f", {count} warning{'s' if count > 1 else ''}" if count else ""
    typer.echo(f"{path}: ok{counted}")


def explain(
    recipe: RecipePath,
    set_values: SetValues = None,
    strict: Strict = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Show every call of the model: shape, parameters, mask, initial state, kernel and why.

    TensorFlow is not imported.

    Example: lstmgraph explain recipes/store-forecaster.yaml
    """
    loaded = load_recipe(recipe, set_values, output_format, strict=strict)
    explanation = loaded.explain()
    if output_format is Format.json:
        print_json({**explanation.as_dict(), "warnings": as_dicts(loaded)})
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
        own = {"recipe": loaded.name, **loaded.space().as_dict()}
        print_json({**own, "warnings": as_dicts(loaded)})
    else:
        typer.echo(str(loaded.space()))


def schema() -> None:
    """Print the JSON Schema of recipes, for editors and other tools.

    Example: lstmgraph schema > recipe.schema.json
    """
    from lstmgraph.schema import bundled_schema  # noqa: PLC0415 - what one command needs

    print_json(bundled_schema())
