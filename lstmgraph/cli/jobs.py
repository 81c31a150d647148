"""The command that trains."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstmgraph.cli.exit_codes import INTERRUPTED, RECIPE_IS_WRONG
from lstmgraph.cli.printing import print_json, say, say_table
from lstmgraph.cli.progress import epochs_shown
from lstmgraph.cli.shared import (
    Format,
    Fresh,
    OutputFormat,
    RecipePath,
    SetValues,
    Strict,
    Weights,
    begun_with,
    fail,
    listed,
    load_recipe,
    print_warnings_of,
    reason,
    require_writable,
)
from lstmgraph.cli.sources import (
    DataPath,
    TestPath,
    ValidationPath,
    print_warnings,
    read_sources,
)
from lstmgraph.cli.stdin import shown_name
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.compiler.machine.importing import quick_imports
from lstmgraph.messages.errors import RecipeError
from lstmgraph.root_error import is_of_library

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.api import Recipe
    from lstmgraph.data.loading import Data
    from lstmgraph.training import TrainingResult


def train(  # noqa: PLR0913, PLR0917 - each option is one
    recipe: RecipePath,
    data: DataPath,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where to write the result: a folder, made if missing, which also holds what the "
            "training needs to go on.",
        ),
    ],
    validation: ValidationPath = None,
    test: TestPath = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="How many epochs to train, earlier runs included.  [default: the recipe's]",
        ),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Start over: delete what DIR holds of an earlier training."),
    ] = False,
    weights: Weights = None,
    fresh: Fresh = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Measure where the time of each epoch goes: input, compiling, steps, callbacks, "
            "checkpoints, validation. Prints a table and writes profile.svg.",
        ),
    ] = False,
    set_values: SetValues = None,
    strict: Strict = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Train the model; if it is killed, the same command goes on from the last checkpoint.

    Each epoch prints a line with its metrics and its time.

    Example: lstmgraph train recipe.yaml --data examples.npz -o runs/first
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    with verbosity.step("check the recipe"):
        loaded = load_recipe(recipe, set_values, output_format, strict=strict, quiet=quiet)
    require_writable(output)
    is_text = output_format is Format.text
    try:
        if loaded.training is None:
            raise ValueError(f"{shown_name(recipe)}: the recipe has no `training:` section")
        given = begun_with(loaded, weights, fresh=fresh)
        found = read_sources(loaded, data, validation, test, output_format, verbosity)
        if is_text and not quiet:
            print_warnings(found)
        with verbosity.library_step("import TensorFlow"), quick_imports():
            import lstmgraph.training  # noqa: PLC0415 - TensorFlow's log comes with it
            from lstmgraph.models.given_weights import (  # noqa: PLC0415 - as above
                given_weights,
                warned_of,
            )
        with verbosity.shown_step("train"):
            if restart or not lstmgraph.training.epochs_done(output):
                begun = given_weights(loaded.compiled, given) if given else None
                if begun is not None:
                    say(str(begun), err=not is_text)
                if is_text and not quiet:
                    print_warnings_of(recipe, loaded, warned_of(loaded.compiled, begun))
            options = {
                **{"epochs": epochs, "restart": restart, "weights": given or False},
                "profile": profile,
            }
            result = _train(loaded, found, output, options, is_text, verbosity)
    except RecipeError as error:
        fail(error, output_format)
    except (ValueError, ArithmeticError) as error:
        refused = f"{shown_name(recipe)}: Keras or TensorFlow refuses this model or its data: "
        say(f"{refused if is_of_library(error) else ''}{error}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    except OSError as error:
        say(f"{error.filename or output}: {reason(error)}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    except KeyboardInterrupt:
        say(f"\ninterrupted; {_how_to_go_on(output)}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if is_text:
        wrote = [f"wrote {path}" for path in result.files.values()]
        say(str(result))
        if result.profile is not None:
            say_table(result.profile)
        say("\n".join(wrote))
    else:
        warnings = (*loaded.warnings, *result.warnings)
        print_json({**result.as_dict(), **listed(warnings, "warnings")})


def _how_to_go_on(folder: Path) -> str:
    """Return what the same command does next; nothing is imported, which would delay the end."""
    training = sys.modules.get("lstmgraph.training")
    if training is None:
        return f"nothing in {folder} was changed"
    if done := training.epochs_done(folder):
        return f"the same command goes on after epoch {done}"
    return "no epoch was saved, so the same command begins anew"


def _train(  # noqa: PLR0913, PLR0917 - what the command was given
    recipe: Recipe,
    data: Data,
    folder: Path,
    options: Mapping[str, Any],
    is_text: bool,
    verbosity: Verbosity,
) -> TrainingResult:
    """Train, and show the progress: Keras's own bar too with ``--verbose``, nothing if quiet."""
    if verbosity.quiet:
        return recipe.train(data, folder=folder, **options)
    from rich.console import Console  # noqa: PLC0415 - what one command needs

    console = Console(stderr=verbosity.verbose or not is_text)
    keras_bar = int(verbosity.verbose and console.is_terminal)
    total = options["epochs"] or (recipe.training or {})["epochs"]
    with epochs_shown(total, console, bar=not keras_bar) as on_epoch:
        return recipe.train(data, folder=folder, on_epoch=on_epoch, verbose=keras_bar, **options)
