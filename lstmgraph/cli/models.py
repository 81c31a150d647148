"""Commands that build models and write them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lstmgraph.cli.build_files import BuildFiles, build_files, write_build
from lstmgraph.cli.exit_codes import RECIPE_IS_WRONG
from lstmgraph.cli.export_files import ExportRequest, ExportRequestError
from lstmgraph.cli.printing import print_json, say, say_table
from lstmgraph.cli.shared import (
    MODEL_HELP,
    WEIGHTS_HELP,
    Force,
    Format,
    Fresh,
    OutputFolder,
    OutputFormat,
    RecipePath,
    SetValues,
    Strict,
    Weights,
    begun_with,
    fail,
    listed,
    load_recipe,
    reason,
    refuse,
)
from lstmgraph.cli.sources import TestPath, fail_data
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.compiler.machine.importing import quick_imports
from lstmgraph.data.problems import DataError
from lstmgraph.messages.errors import RecipeError


class ExportTo(StrEnum):
    """Formats that `export` writes."""

    keras = "keras"
    saved_model = "saved_model"
    onnx = "onnx"
    litert = "litert"
    c = "c"


class ExportKernel(StrEnum):
    """Kernels of an exported model."""

    standard = "standard"
    auto = "auto"


class ExportQuantize(StrEnum):
    """Kinds of numbers of a quantized file."""

    dynamic = "dynamic"
    int8 = "int8"
    int16x8 = "int16x8"
    float16 = "float16"


class ExportDevice(StrEnum):
    """Machines that an exported file may be meant for."""

    microcontroller = "microcontroller"


def build(  # noqa: PLR0913, PLR0917 - the options of a command
    recipe: RecipePath,
    output: OutputFolder = Path(),
    set_values: SetValues = None,
    strict: Strict = False,
    derived: Annotated[
        str | None,
        typer.Option(
            "--derive",
            metavar="KINDS",
            help="Build further models too: encoder, decoder or step, several with commas.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=MODEL_HELP),
    ] = None,
    weights: Weights = None,
    fresh: Fresh = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Build the model and write NAME.keras, NAME.config.json and NAME.resolved.yaml.

    Each further model is written to NAME.MODEL.keras, and their inputs and outputs are listed in
    NAME.manifest.json.

    Example: lstmgraph build recipe.yaml --derive step -o models
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    with verbosity.step("check the recipe"):
        loaded = load_recipe(recipe, set_values, output_format, strict=strict, quiet=quiet)
    try:
        if derived is not None:
            loaded = loaded.with_derived(*(kind.strip() for kind in derived.split(",")))
        files = build_files(output, loaded.name, loaded.compiled.models, model)
    except RecipeError as error:
        fail(error, output_format)
    except ValueError as error:
        refuse(str(error))
    _check_writable(files, force=force)
    given = begun_with(loaded, weights, fresh=fresh)
    explanation = loaded.explain()
    if output_format is Format.text and not quiet:
        say_table(explanation)
    with verbosity.library_step("import TensorFlow"), quick_imports():
        import keras  # noqa: F401, PLC0415 - TensorFlow's start-up log comes with it
    try:
        with verbosity.shown_step("build and write the models"):
            write_build(loaded, files, given or False)
    except RecipeError as error:
        fail(error, output_format)
    except ValueError as error:
        refuse(str(error))
    except OSError as error:
        say(f"cannot write {error.filename or output}: {reason(error)}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    if output_format is Format.json:
        own = {"files": files.as_dict(), "weights": str(given) if given else None}
        own["explanation"] = explanation.as_dict()
        print_json({**own, **listed(loaded.warnings, "warnings")})
    else:
        said = [f"weights: {given}"] if given else []
        say("\n".join([*said, *(f"wrote {path}" for path in files.paths())]))


def export(  # noqa: PLR0913, PLR0917 - the options of a command
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A recipe, or a .keras file that holds one; - reads a recipe from standard input.",
        ),
    ],
    formats: Annotated[
        list[ExportTo], typer.Option("--to", help="Which format to write. Repeatable.")
    ],
    output: OutputFolder = Path(),
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help=f"{MODEL_HELP} Repeatable; step, encoder and decoder are derived where it has "
            "none.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"{WEIGHTS_HELP}  [default: those of a .keras SOURCE, else fresh weights]",
        ),
    ] = None,
    set_values: SetValues = None,
    strict: Strict = False,
    kernel: Annotated[
        ExportKernel,
        typer.Option(
            help="Of a SavedModel: standard runs anywhere; auto keeps cuDNN and then needs a GPU."
        ),
    ] = ExportKernel.standard,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Rows of every batch: those of a LiteRT file.  [default: 1]"
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="PARTS",
            help="How far an output of the file may differ from the model's, relative to its "
            "greatest value.  [default: by dtype, 1e-4 for float32]",
        ),
    ] = None,
    quantize: Annotated[
        ExportQuantize | None,
        typer.Option(
            help="Fewer bits, of LiteRT and ONNX: dynamic has weights in int8; int8 values too; "
            "int16x8 values in int16; float16 weights in float16.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="The data: a file, a folder, or a function as module:function, for --quantize.",
        ),
    ] = None,
    test: TestPath = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            metavar="PART",
            help="Largest relative loss allowed for a measure with --quantize, on data that was "
            "not trained on, such as 0.01.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        ExportDevice | None,
        typer.Option(
            help="What must be able to run the file: refuses what a microcontroller lacks.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Write the model for other runtimes, and check that each file computes the same.

    Example: lstmgraph export models/speaker-classifier.keras --to onnx --to litert
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    with verbosity.step("check the recipe"):
        recipe = load_recipe(source, set_values, output_format, strict=strict, quiet=quiet)
    given = weights or recipe.weights
    request = ExportRequest(
        formats=tuple(dict.fromkeys(formats)),
        folder=output,
        weights=given,
        own=given == recipe.weights,
        kernel=kernel,
        batch_size=batch_size,
        tolerance=tolerance,
        quantize=quantize,
        max_loss=max_loss,
        device=device,
        data=data,
        test=test,
        models=tuple(models or ()),
    )
    try:
        recipe = request.with_models(recipe)
        request.check(recipe, overwrite=force)
        with verbosity.library_step("build, write and check"):
            with quick_imports():
                import keras  # noqa: F401, PLC0415 - what follows needs it
            reports = request.run(recipe)
    except RecipeError as error:
        fail(error, output_format)
    except DataError as error:
        fail_data(error, output_format)
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
