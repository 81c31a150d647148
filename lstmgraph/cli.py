"""The commands. The only room that prints or exits."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lstmgraph import __version__
from lstmgraph.api import Recipe, load
from lstmgraph.build_files import BuildFiles, build_files, write_build
from lstmgraph.data.problems import DataError
from lstmgraph.diagnostics import Diagnostic, RecipeError, render_text
from lstmgraph.overrides import OverrideFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE_IS_WRONG = 1
COMMAND_LINE_IS_WRONG = 2

app = typer.Typer(
    name="lstmgraph",
    help="Declare recurrent Keras models in YAML; check, explain and build them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file.")]
RecipePaths = Annotated[list[Path], typer.Argument(metavar="RECIPE...", help="Recipe files.")]
SetValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Put a value into the recipe. Repeatable."),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lstmgraph {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Declare recurrent Keras models in YAML; check, explain and build them."""


@app.command()
def validate(
    recipes: RecipePaths,
    set_values: SetValues = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """Check recipes and report every mistake in them. TensorFlow is not imported.

    Example: lstmgraph validate recipes/*.yaml
    """
    results = [(path, _mistakes(path, set_values or [])) for path in recipes]
    if output_format is Format.json:
        _print_json(
            {
                "ok": not any(error for _, error in results),
                "files": [
                    {"file": str(path), "ok": error is None, "diagnostics": _as_dicts(error)}
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
        raise typer.Exit(max(_exit_code(error) for error in errors))


@app.command()
def explain(
    recipe: RecipePath,
    set_values: SetValues = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """Show every call of the model: shape, parameters, mask, initial state, kernel and why.

    TensorFlow is not imported.

    Example: lstmgraph explain recipes/store-forecaster.yaml
    """
    explanation = _load(recipe, set_values, output_format).explain()
    if output_format is Format.json:
        _print_json(explanation.as_dict())
    else:
        typer.echo(str(explanation))


@app.command()
def build(
    recipe: RecipePath,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the files are written.")
    ] = Path(),
    set_values: SetValues = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of a build.")] = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Build the model: writes NAME.keras, NAME.config.json and NAME.resolved.yaml.

    Example: lstmgraph build recipes/speaker-classifier.yaml -o models
    """
    loaded = _load(recipe, set_values, output_format)
    files = build_files(output, loaded.name)
    _check_writable(files, force=force)
    explanation = loaded.explain()
    if output_format is Format.text:
        typer.echo(str(explanation))
    _import_keras_quietly()
    try:
        write_build(loaded, files)
    except RecipeError as error:
        _fail(error, output_format)
    except OSError as error:
        typer.echo(f"cannot write {error.filename or output}: {error.strerror or error}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    if output_format is Format.json:
        _print_json({"files": files.as_dict(), "explanation": explanation.as_dict()})
    else:
        typer.echo("\n".join(f"wrote {path}" for path in files.as_dict().values()))


DataPath = Annotated[
    str,
    typer.Option("--data", metavar="DATA", help="A file or folder of data, or module:function."),
]
PartPath = Annotated[str | None, typer.Option(metavar="DATA", help="Its own data, not a part.")]


@app.command()
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
    loaded = _load(recipe, set_values, output_format)
    from lstmgraph.data.functions import source_of  # noqa: PLC0415 - imports NumPy
    from lstmgraph.data.summary import summarized  # noqa: PLC0415 - as above
    from lstmgraph.data.tf_datasets import is_saved_dataset  # noqa: PLC0415 - as above

    given = {"validation": validation, "test": test}
    if any(is_saved_dataset(Path(text)) for text in (source, *given.values()) if text):
        _import_keras_quietly()
    try:
        parts = {name: source_of(text) for name, text in given.items() if text is not None}
        found = loaded.load_data(source_of(source), **parts)
    except DataError as error:
        _fail_data(error, output_format)
    summary = summarized(found)
    if output_format is Format.json:
        _print_json({"ok": True, "recipe": loaded.name, **summary.as_dict()})
        return
    typer.echo(str(summary))
    for warning in summary.warnings:
        typer.echo(str(warning), err=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors and other tools.

    Example: lstmgraph schema > recipe.schema.json
    """
    from lstmgraph.schema import bundled_schema  # noqa: PLC0415 - what one command needs

    _print_json(bundled_schema())


def main() -> None:
    """The entry point ``lstmgraph``."""
    try:
        app()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has what it wants
        _discard_output()
    except OSError as error:  # such as a full disk
        _discard_output()
        name = f"{error.filename}: " if error.filename else ""
        typer.echo(f"Error: {name}{error.strerror or error}", err=True)
        sys.exit(RECIPE_IS_WRONG)


def _discard_output() -> None:
    """What is still to be written to the standard output would fail again at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _load(path: Path, set_values: list[str] | None, output_format: Format) -> Recipe:
    try:
        return load(path, overrides=set_values or [])
    except RecipeError as error:
        _fail(error, output_format)
    except OverrideFormatError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None


def _mistakes(path: Path, set_values: list[str]) -> RecipeError | None:
    try:
        load(path, overrides=set_values)
    except RecipeError as error:
        return error
    except OverrideFormatError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
    return None


def _fail(error: RecipeError, output_format: Format) -> NoReturn:
    if output_format is Format.json:
        _print_json({"ok": False, "diagnostics": _as_dicts(error)})
    else:
        typer.echo(render_text(error.diagnostics, error.sources), err=True)
    raise typer.Exit(_exit_code(error)) from None


def _fail_data(error: DataError, output_format: Format) -> NoReturn:
    if output_format is Format.json:
        _print_json({"ok": False, "problems": [problem.as_dict() for problem in error.problems]})
    else:
        typer.echo(str(error), err=True)
    unreadable = any(problem.code == "D101" for problem in error.problems)
    raise typer.Exit(COMMAND_LINE_IS_WRONG if unreadable else RECIPE_IS_WRONG) from None


def _exit_code(error: RecipeError) -> int:
    """A file that cannot be read is a wrong command line; everything else is a wrong recipe."""
    unreadable = any(found.code == "L101" for found in error.diagnostics)
    return COMMAND_LINE_IS_WRONG if unreadable else RECIPE_IS_WRONG


def _check_writable(files: BuildFiles, *, force: bool) -> None:
    problem = files.obstacle(overwrite=force)
    if problem:
        typer.echo(problem, err=True)
        raise typer.Exit(COMMAND_LINE_IS_WRONG)


def _as_dicts(error: RecipeError | None) -> list[dict[str, Any]]:
    diagnostics: tuple[Diagnostic, ...] = error.diagnostics if error else ()
    return [diagnostic.as_dict() for diagnostic in diagnostics]


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _import_keras_quietly() -> None:
    """Import Keras with TensorFlow's start-up log held back; it is shown where the import fails.

    TensorFlow logs there to the file descriptor, before any of its settings can silence it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log, _descriptor(os.dup(2)) as terminal:
        os.dup2(log.fileno(), 2)
        try:
            import keras  # noqa: F401, PLC0415 - imported for its side effect, once
        except BaseException:
            log.seek(0)
            os.write(terminal, log.read())
            raise
        finally:
            os.dup2(terminal, 2)


@contextmanager
def _descriptor(number: int) -> Iterator[int]:
    try:
        yield number
    finally:
        os.close(number)
