"""What commands share: options, how recipes are loaded, how results and mistakes are printed."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lstmgraph.diagnostics import Diagnostic, RecipeError, render_text
from lstmgraph.functions import load
from lstmgraph.overrides import OverrideFormatError

if TYPE_CHECKING:
    from lstmgraph.api import Recipe

RECIPE_IS_WRONG = 1
COMMAND_LINE_IS_WRONG = 2
INTERRUPTED = 130
"""What shells give for Ctrl-C."""


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


class ReportFormat(StrEnum):
    """How tables are printed."""

    text = "text"
    markdown = "markdown"
    json = "json"

    @property
    def of_mistakes(self) -> Format:
        """How mistakes are printed then."""
        return Format.json if self is ReportFormat.json else Format.text


RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file.")]
RecipePaths = Annotated[list[Path], typer.Argument(metavar="RECIPE...", help="Recipe files.")]
SetValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Put a value into the recipe. Repeatable."),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result.")]
TableFormat = Annotated[ReportFormat, typer.Option("--format", help="How to print the result.")]
OutputFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Where the files are written.")
]


def load_recipe(path: Path, set_values: list[str] | None, output_format: Format) -> Recipe:
    """Load a recipe; where it is wrong, say so and exit."""
    try:
        return load(path, overrides=set_values or [])
    except RecipeError as error:
        fail(error, output_format)
    except OverrideFormatError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None


def mistakes_in(path: Path, set_values: list[str]) -> RecipeError | None:
    """What is wrong with a recipe, or None."""
    try:
        load(path, overrides=set_values)
    except RecipeError as error:
        return error
    except OverrideFormatError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
    return None


def fail(error: RecipeError, output_format: Format) -> NoReturn:
    """Print what is wrong with a recipe, and exit."""
    if output_format is Format.json:
        print_json({"ok": False, "diagnostics": as_dicts(error)})
    else:
        typer.echo(render_text(error.diagnostics, error.sources), err=True)
    raise typer.Exit(exit_code(error)) from None


def exit_code(error: RecipeError) -> int:
    """A file that cannot be read is a wrong command line; everything else is a wrong recipe."""
    unreadable = any(found.code == "L101" for found in error.diagnostics)
    return COMMAND_LINE_IS_WRONG if unreadable else RECIPE_IS_WRONG


def as_dicts(error: RecipeError | None) -> list[dict[str, Any]]:
    """Diagnostics as plain data."""
    diagnostics: tuple[Diagnostic, ...] = error.diagnostics if error else ()
    return [diagnostic.as_dict() for diagnostic in diagnostics]


def print_json(value: Any) -> None:
    """Print one JSON value."""
    typer.echo(json.dumps(value, indent=2))
