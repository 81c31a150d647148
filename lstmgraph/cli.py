"""The commands. The only room that prints or exits."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from lstmgraph import __version__
from lstmgraph.api import Recipe, load
from lstmgraph.build_files import BuildFiles, build_files, write_build
from lstmgraph.diagnostics import Diagnostic, RecipeError, render_text
from lstmgraph.export_files import ExportRequest, ExportRequestError
from lstmgraph.overrides import OverrideFormatError
from lstmgraph.quiet import held_back

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


class ExportTo(StrEnum):
    """What `export` writes."""

    keras = "keras"
    saved_model = "saved_model"
    onnx = "onnx"
    litert = "litert"


class ExportKernel(StrEnum):
    """What an exported model runs on."""

    standard = "standard"
    auto = "auto"


RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file.")]
RecipePaths = Annotated[list[Path], typer.Argument(metavar="RECIPE...", help="Recipe files.")]
SetValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Put a value into the recipe. Repeatable."),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result.")]
OutputFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Where the files are written.")
]


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
    output: OutputFolder = Path(),
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
    with held_back():
        import keras  # noqa: F401, PLC0415 - TensorFlow's start-up log comes with it
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


@app.command()
def export(  # noqa: PLR0913, PLR0917 - the options of a command
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", help="A recipe, or a .keras file that holds its recipe."),
    ],
    formats: Annotated[list[ExportTo], typer.Option("--format", help="What to write. Repeatable.")],
    output: OutputFolder = Path(),
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .keras or .weights.h5 file; its weights are matched by the names of layers. "
            "Without it, those of a .keras SOURCE, or fresh ones.",
        ),
    ] = None,
    set_values: SetValues = None,
    kernel: Annotated[
        ExportKernel,
        typer.Option(
            help="For saved_model: standard runs anywhere; auto keeps cuDNN, and then needs a GPU."
        ),
    ] = ExportKernel.standard,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="For litert: rows of each batch.  [default: 1]")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="How far an output may be off, in parts of its greatest value.  "
            "[default: by dtype, 1e-4 for float32]"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    output_format: Annotated[
        Format, typer.Option("--print", help="How to print the result; --format is the file's.")
    ] = Format.text,
) -> None:
    """Write the model for other runtimes; every file is run and compared before it gets its name.

    Example: lstmgraph export models/speaker-classifier.keras --format onnx --format litert
    """
    recipe = _load(source, set_values, output_format)
    given = weights or (source if source.suffix == ".keras" else None)
    request = ExportRequest(
        formats=tuple(dict.fromkeys(formats)),
        folder=output,
        weights=given,
        kernel=kernel,
        batch_size=batch_size,
        tolerance=tolerance,
    )
    try:
        request.check(recipe, overwrite=force)
        with held_back():
            reports = request.run(recipe)
    except RecipeError as error:
        _fail(error, output_format)
    except ExportRequestError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(COMMAND_LINE_IS_WRONG) from None
    if output_format is Format.json:
        exports = [report.as_dict() for report in reports]
        _print_json({"ok": True, "weights": str(given) if given else None, "exports": exports})
    else:
        typer.echo("\n".join(str(report) for report in reports))
        typer.echo(f"weights: {given or 'fresh ones; --weights FILE gives trained ones'}")


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
