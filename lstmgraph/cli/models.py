"""Commands that build models and write them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lstmgraph.cli.build_files import BuildFiles, build_files, write_build
from lstmgraph.cli.export_files import ExportRequest, ExportRequestError
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.quiet import held_back
from lstmgraph.cli.shared import (
    RECIPE_IS_WRONG,
    Format,
    OutputFolder,
    OutputFormat,
    RecipePath,
    SetValues,
    Strict,
    fail,
    listed,
    load_recipe,
    reason,
    refuse,
)
from lstmgraph.messages.errors import RecipeError


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


def build(  # noqa: PLR0913, PLR0917 - the options of a command
    recipe: RecipePath,
    output: OutputFolder = Path(),
    set_values: SetValues = None,
    strict: Strict = False,
    derived: Annotated[
        str | None,
        typer.Option("--derive", metavar="KINDS", help="Further models: encoder,decoder,step."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Write this one model of the recipe, and nothing else."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .keras or .weights.h5 file of the recipe's model; its weights are matched by "
            "the names of layers. Without it they are fresh.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of a build.")] = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Build the model: writes NAME.keras, NAME.config.json and NAME.resolved.yaml.

    Further models are NAME.MODEL.keras each, and NAME.manifest.json says what they take and give.

    Example: lstmgraph build recipes/speaker-classifier.yaml --derive step -o models
    """
    loaded = load_recipe(recipe, set_values, output_format, strict=strict)
    try:
        if derived is not None:
            loaded = loaded.with_derived(*(kind.strip() for kind in derived.split(",")))
        files = build_files(output, loaded.name, loaded.compiled.models, model)
    except RecipeError as error:
        fail(error, output_format)
    except ValueError as error:
        refuse(str(error))
    _check_writable(files, force=force)
    if weights is not None and not weights.is_file():
        refuse(f"there is no file {weights}")
    explanation = loaded.explain()
    if output_format is Format.text:
        say(str(explanation))
    with held_back():
        import keras  # noqa: F401, PLC0415 - TensorFlow's start-up log comes with it
    try:
        write_build(loaded, files, weights)
    except RecipeError as error:
        fail(error, output_format)
    except ValueError as error:
        refuse(str(error))
    except OSError as error:
        say(f"cannot write {error.filename or output}: {reason(error)}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    if output_format is Format.json:
        own = {"files": files.as_dict(), "explanation": explanation.as_dict()}
        print_json({**own, **listed(loaded.warnings, "warnings")})
    else:
        say("\n".join(f"wrote {path}" for path in files.paths()))


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
    strict: Strict = False,
    kernel: Annotated[
        ExportKernel,
        typer.Option(
            help="For saved_model: standard runs anywhere; auto keeps cuDNN, and then needs a GPU."
        ),
    ] = ExportKernel.standard,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="For litert: rows of each batch.  [default: 1]"),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="PARTS",
            help="How far an output may be off, in parts of its greatest value.  "
            "[default: by dtype, 1e-4 for float32]",
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
    recipe = load_recipe(source, set_values, output_format, strict=strict)
    given = weights or (source if source.suffix == ".keras" else None)
    request = ExportRequest(
        formats=tuple(dict.fromkeys(formats)),
        folder=output,
        weights=given,
        own=given == source,
        kernel=kernel,
        batch_size=batch_size,
        tolerance=tolerance,
    )
    try:
        request.check(recipe, overwrite=force)
        with held_back():
            reports = request.run(recipe)
    except RecipeError as error:
        fail(error, output_format)
    except ExportRequestError as error:
        refuse(str(error))
    if output_format is Format.json:
        exports = [report.as_dict() for report in reports]
        own = {"ok": True, "weights": str(given) if given else None, "exports": exports}
        print_json({**own, **listed(recipe.warnings, "warnings")})
    else:
        say("\n".join(str(report) for report in reports))
        say(f"weights: {given or 'fresh ones; --weights FILE gives trained ones'}")


def _check_writable(files: BuildFiles, *, force: bool) -> None:
    problem = files.obstacle(overwrite=force)
    if problem:
        refuse(problem)
