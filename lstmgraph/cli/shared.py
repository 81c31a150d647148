"""What commands share: options, how recipes are loaded, how results and mistakes are printed."""

from __future__ import annotations

import errno
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lstmgraph.api import load
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.terminal import print_diagnostics, print_where_more_is_said
from lstmgraph.language.text.overrides import OverrideFormatError
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.rendering.checked import CheckedFile
from lstmgraph.messages.rendering.places import MOST_SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmgraph.api import Recipe
    from lstmgraph.data.problems import DataProblem
    from lstmgraph.messages.diagnostics import Diagnostic

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
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a recipe with warnings.")]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result.")]
TableFormat = Annotated[ReportFormat, typer.Option("--format", help="How to print the result.")]
OutputFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Where the files are written.")
]


def load_recipe(
    path: Path, set_values: list[str] | None, output_format: Format, *, strict: bool = False
) -> Recipe:
    """Load a recipe, and print its warnings; where it is wrong, say so and exit."""
    try:
        recipe = _load(path, set_values or [], strict=strict)
    except RecipeError as error:
        fail(error, output_format)
    if recipe.warnings and output_format is Format.text:
        print_diagnostics(_with_warnings(path, recipe))
    return recipe


def checked_file(path: Path, set_values: list[str], *, strict: bool) -> CheckedFile:
    """A recipe file, and what is wrong with it, or its warnings."""
    try:
        return _with_warnings(path, _load(path, set_values, strict=strict))
    except RecipeError as error:
        return CheckedFile(str(path), error.diagnostics, error.sources)


def _load(path: Path, set_values: list[str], *, strict: bool) -> Recipe:
    try:
        return load(path, overrides=set_values, strict=strict)
    except OverrideFormatError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None


def _with_warnings(path: Path, recipe: Recipe) -> CheckedFile:
    return CheckedFile(str(path), recipe.warnings, recipe.compiled.document.sources)


def fail(error: RecipeError, output_format: Format) -> NoReturn:
    """Print what is wrong with a recipe, and exit."""
    if output_format is Format.json:
        print_json({"ok": False, **listed(error.diagnostics)})
        raise typer.Exit(exit_code([_found_by(error)])) from None
    raise typer.Exit(print_mistakes(error)) from None


def refuse(message: str) -> NoReturn:
    """Print what is wrong with the command line, and exit."""
    say(message, err=True)
    raise typer.Exit(COMMAND_LINE_IS_WRONG) from None


def reason(error: OSError) -> str:
    """Return what the system says, and where temporary files are, as they too need room."""
    said = error.strerror or str(error)
    if error.errno != errno.ENOSPC:
        return said
    with suppress(OSError):
        said += f"; temporary files are in {tempfile.gettempdir()}, and TMPDIR names another folder"
    return said


def print_mistakes(error: RecipeError) -> int:
    """Print what is wrong with a recipe as text, and return the exit code."""
    found = _found_by(error)
    print_diagnostics(found)
    print_where_more_is_said([found])
    return exit_code([found])


def _found_by(error: RecipeError) -> CheckedFile:
    return CheckedFile("", error.diagnostics, error.sources)


def exit_code(files: Iterable[CheckedFile]) -> int:
    """A file that cannot be read is a wrong command line; every other error is a wrong recipe."""
    codes = [d.code for each in files for d in each.diagnostics if d.severity == "error"]
    if "L101" in codes:
        return COMMAND_LINE_IS_WRONG
    return RECIPE_IS_WRONG if codes else 0


def listed(
    found: Sequence[Diagnostic] | Sequence[DataProblem], key: str = "diagnostics"
) -> dict[str, Any]:
    """What was found as plain data: the first 100, and how many are left out."""
    shown = [each.as_dict() for each in found[:MOST_SHOWN]]
    left = len(found) - len(shown)
    more = f"more_{key}" if key.endswith("warnings") else "more"
    return {key: shown, more: left} if left else {key: shown}
