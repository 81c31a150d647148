"""The command that moves weights between recipes."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lstmgraph.cli.exit_codes import RECIPE_IS_WRONG
from lstmgraph.cli.printing import print_json, say, say_table
from lstmgraph.cli.shared import (
    Force,
    Format,
    OutputFormat,
    RecipePath,
    SetValues,
    fail,
    listed,
    load_recipe,
    named_model,
    reason,
    refuse,
    require_writable,
)
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.export.transfer import Transferred
from lstmgraph.export.transfer import transfer as transfer_weights
from lstmgraph.interop.torch_weights.suffixes import TORCH_SUFFIXES
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.api import Recipe


def transfer(  # noqa: PLR0913, PLR0917 - each option is one
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FROM",
            help="The file that holds the weights: .keras, .weights.h5, Keras 2's .h5, or "
            "PyTorch's .safetensors or .pt of a state dict.",
        ),
    ],
    recipe: RecipePath,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.keras",
            help="Where to write the result: a file that ends in .keras.",
        ),
    ],
    complete: Annotated[
        bool, typer.Option("--complete", help="Write nothing unless every layer fits.")
    ] = False,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="MODULE=LAYER",
            help="Give the weights of this PyTorch module to this layer. Repeatable.",
        ),
    ] = None,
    set_values: SetValues = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Write a model of RECIPE with the weights of FROM that fit, matched by the names of layers.

    It prints what happened to each layer. If no layer fits, or with --complete not every one,
    nothing is written and the exit code is 1. Modules of PyTorch are matched by names, shapes and
    order, which is shown.

    Example: lstmgraph transfer models/first.keras second.yaml -o models/second.keras
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    source = named_model(source, shown=output_format is Format.text and not quiet)
    given = _given(source, mapped or [])
    if output.suffix != ".keras":
        raise typer.BadParameter(f"{output} does not end in .keras", param_hint="--output")
    require_writable(output.parent, [output], overwrite=force)
    with verbosity.step("check the recipe"):
        loaded = load_recipe(recipe, set_values, output_format, quiet=quiet)
    try:
        with verbosity.library_step("build the model"):
            found = transfer_weights(source, loaded, modules=given)
    except RecipeError as error:
        fail(error, output_format)
    except ValueError as error:
        refuse(str(error))
    except OSError as error:
        _cannot_write(error, output)
    written = bool(found.loaded) and (found.complete or not complete)
    if written:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            with verbosity.library_step("write the model"):
                loaded.save(found.model, output)
        except OSError as error:
            _cannot_write(error, output)
    _print(found, loaded, output, written=written, output_format=output_format)
    if not written:
        raise typer.Exit(RECIPE_IS_WRONG)


def _given(source: Path, mapped: list[str]) -> dict[str, str]:
    """Return layers by modules, as ``--map`` has them."""
    parts = [each.partition("=") for each in mapped]
    if wrong := next((each for each in parts if not each[1] or not each[2]), None):
        raise typer.BadParameter(f"{wrong[0]} is not MODULE=LAYER", param_hint="--map")
    if mapped and source.suffix not in TORCH_SUFFIXES:
        problem = f"{source} holds no modules of PyTorch: its layers are matched by their names"
        raise typer.BadParameter(problem, param_hint="--map")
    return {module: layer for module, _, layer in parts}


def _cannot_write(error: OSError, output: Path) -> NoReturn:
    say(f"cannot write {error.filename or output}: {reason(error)}", err=True)
    raise typer.Exit(RECIPE_IS_WRONG) from None


def _print(
    found: Transferred,
    recipe: Recipe,
    output: Path,
    *,
    written: bool,
    output_format: Format,
) -> None:
    if output_format is Format.json:
        own = {"ok": written, "file": str(output) if written else None, **found.as_dict()}
        print_json({**own, **listed(recipe.warnings, "warnings")})
        return
    say_table(found)
    count = f"{len(found.loaded)} of {len(found.layers)} layers fit"
    if written:
        say(f"{count}; wrote {output}")
    else:
        say(f"{count}; nothing is written", err=True)
