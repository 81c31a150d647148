"""What commands share: options, loading recipes, printing mistakes, exit codes."""

from __future__ import annotations

import errno
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lstmgraph.api import Recipe, load
from lstmgraph.cli.exit_codes import COMMAND_LINE_IS_WRONG, RECIPE_IS_WRONG
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.stdin import is_stdin, read_stdin_document, shown_name
from lstmgraph.cli.terminal import print_diagnostics, print_where_more_is_said
from lstmgraph.compiler.load import compile_read
from lstmgraph.files import obstacle
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.language.text.overrides import OverrideFormatError
from lstmgraph.messages.errors import ModelFileError, RecipeError
from lstmgraph.messages.rendering.checked import CheckedFile
from lstmgraph.messages.rendering.places import MOST_SHOWN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lstmgraph.data.problems import DataProblem
    from lstmgraph.messages.diagnostics import Diagnostic


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
        """The format of mistakes: JSON where the tables are JSON, else text."""
        return Format.json if self is ReportFormat.json else Format.text


MODEL_HELP = "Take only this one of the recipe's models."
RECIPE_HELP = "A recipe file; - reads standard input."
RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help=RECIPE_HELP)]
RecipePaths = Annotated[
    list[Path], typer.Argument(metavar="RECIPE...", help="Recipe files; - reads standard input.")
]
SetValues = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a value of the recipe, such as layers.encoder.units=32. Repeatable.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a recipe that has warnings.")]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result.")]
TableFormat = Annotated[ReportFormat, typer.Option("--format", help="How to print the result.")]
OutputFolder = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Where to write the result: a folder, made if missing.  [default: the current one]",
        show_default=False,
    ),
]
WEIGHTS_HELP = (
    "Take the weights of this .keras, .weights.h5 or Keras 2 .h5 file, matched by the names of "
    "layers."
)
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help=f"{WEIGHTS_HELP}  [default: those of a .keras RECIPE, else fresh weights]",
    ),
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Begin with fresh weights, also where RECIPE is a .keras file with others."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]


def begun_with(recipe: Recipe, weights: Path | None, *, fresh: bool) -> Path | None:
    """Return the file whose weights a command begins with: `weights`, else that of the recipe.

    Where the options contradict each other, or there is no such file, say so and exit.
    """
    if weights is None:
        return None if fresh else recipe.weights
    if fresh:
        raise typer.BadParameter("leave one of the two out", param_hint="--weights, --fresh")
    weights = named_model(weights, shown=True)
    if not weights.is_file():
        refuse(f"there is no file {weights}")
    return weights


def load_recipe(
    path: Path,
    set_values: list[str] | None,
    output_format: Format,
    *,
    strict: bool = False,
    quiet: bool = False,
) -> Recipe:
    """Load a recipe and, unless `quiet`, print its warnings; where it is wrong, say so and exit."""
    path = named_model(path, shown=output_format is Format.text and not quiet)
    try:
        recipe = read_recipe(path, set_values or [], strict=strict)
    except RecipeError as error:
        fail(error, output_format)
    if recipe.warnings and output_format is Format.text and not quiet:
        print_diagnostics(_with_warnings(path, recipe))
    return recipe


def named_model(path: Path, *, shown: bool) -> Path:
    """Return the file that a command reads; of a training's folder, say which one unless hidden."""
    if is_stdin(path):
        return path
    try:
        found = model_path(path)
    except ModelFileError:
        return path  # why, its reader says
    if shown and found != path:
        say(f"reading {found}", err=True)
    return found


def print_warnings_of(path: Path, recipe: Recipe, warnings: tuple[Diagnostic, ...]) -> None:
    """Print warnings about what a command does with a recipe, at the recipe's lines."""
    if warnings:
        sources = recipe.compiled.document.sources
        print_diagnostics(CheckedFile(shown_name(path), warnings, sources))


def checked_file(path: Path, set_values: list[str], *, strict: bool) -> CheckedFile:
    """Load a recipe file and return its mistakes, or its warnings."""
    path = named_model(path, shown=False)
    try:
        return _with_warnings(path, read_recipe(path, set_values, strict=strict))
    except RecipeError as error:
        return CheckedFile(shown_name(path), error.diagnostics, error.sources)


def read_recipe(path: Path, set_values: list[str], *, strict: bool = False) -> Recipe:
    """Load a recipe from a file or, for ``-``, from standard input.

    Raises:
        RecipeError: it is wrong or, with `strict`, has warnings.
    """
    try:
        if is_stdin(path):
            document = read_stdin_document()
            return Recipe(compile_read(document, Path(), overrides=set_values, strict=strict))
        return load(path, overrides=set_values, strict=strict)
    except OverrideFormatError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None


def _with_warnings(path: Path, recipe: Recipe) -> CheckedFile:
    return CheckedFile(shown_name(path), recipe.warnings, recipe.compiled.document.sources)


def fail_with(message: str, output_format: Format, code: int = RECIPE_IS_WRONG) -> NoReturn:
    """Print why a command cannot do its work, and exit."""
    if output_format is Format.json:
        print_json({"ok": False, "error": message})
    else:
        say(message, err=True)
    raise typer.Exit(code) from None


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


def require_writable(folder: Path, files: Collection[Path] = (), *, overwrite: bool = True) -> None:
    """Refuse files in a folder, by default any, that cannot be written; see ``obstacle``."""
    if problem := obstacle(folder, files, overwrite=overwrite):
        refuse(problem)


def reason(error: OSError) -> str:
    """Return what the system says; of a full disk, also where temporary files are."""
    text = error.strerror or str(error)
    if error.errno != errno.ENOSPC:
        return text
    with suppress(OSError):
        text += f"; temporary files are in {tempfile.gettempdir()}; set TMPDIR for another folder"
    return text


def print_mistakes(error: RecipeError) -> int:
    """Print what is wrong with a recipe as text, and return the exit code."""
    found = _found_by(error)
    print_diagnostics(found)
    print_where_more_is_said([found])
    return exit_code([found])


def _found_by(error: RecipeError) -> CheckedFile:
    return CheckedFile("", error.diagnostics, error.sources)


def exit_code(files: Iterable[CheckedFile]) -> int:
    """Return 2 where a file cannot be read, 1 for any other error, else 0."""
    codes = [d.code for each in files for d in each.diagnostics if d.severity == "error"]
    if "L101" in codes:
        return COMMAND_LINE_IS_WRONG
    return RECIPE_IS_WRONG if codes else 0


def listed(found: Sequence[Diagnostic | DataProblem], key: str = "diagnostics") -> dict[str, Any]:
    """Return the first 100 diagnostics as plain data, and how many are left out."""
    shown = [each.as_dict() for each in found[:MOST_SHOWN]]
    left = len(found) - len(shown)
    more = f"more_{key}" if key.endswith("warnings") else "more"
    return {key: shown, more: left} if left else {key: shown}
