"""Commands that train."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import Annotated

import typer

from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.quiet import held_back
from lstmgraph.cli.shared import (
    INTERRUPTED,
    RECIPE_IS_WRONG,
    Format,
    OutputFormat,
    RecipePath,
    SetValues,
    Strict,
    fail,
    listed,
    load_recipe,
    reason,
)
from lstmgraph.cli.sources import DataPath, PartPath, print_warnings, read_sources
from lstmgraph.messages.errors import RecipeError


def train(  # noqa: PLR0913, PLR0917 - each option is one
    recipe: RecipePath,
    data: DataPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the training lies.")
    ],
    validation: PartPath = None,
    test: PartPath = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", min=1, help="For the recipe's.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew.")] = False,
    set_values: SetValues = None,
    strict: Strict = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Train the model. The same command again goes on where a killed training was.

    Example: lstmgraph train recipes/next-frame.yaml --data recipes/data/japanese_vowels.parquet
    -o runs/first
    """
    loaded = load_recipe(recipe, set_values, output_format, strict=strict)
    is_text = output_format is Format.text
    try:
        if loaded.training is None:
            raise ValueError(f"{recipe}: the recipe has no `training:` section")
        found = read_sources(loaded, data, validation, test, output_format)
        if is_text:
            print_warnings(found)
        with held_back():
            import lstmgraph.training  # noqa: F401, PLC0415 - TensorFlow's log comes with it
        bar = int(is_text and sys.stdout.isatty())
        result = loaded.train(found, folder=output, epochs=epochs, restart=restart, verbose=bar)
    except RecipeError as error:
        fail(error, output_format)
    except (ValueError, ArithmeticError) as error:
        say(str(error), err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    except OSError as error:
        say(f"{error.filename or output}: {reason(error)}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    except KeyboardInterrupt:
        from lstmgraph.training import epochs_done  # noqa: PLC0415 - imports TensorFlow

        done = epochs_done(output)
        say(f"\ninterrupted; the same command goes on after epoch {done}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if is_text:
        wrote = [f"wrote {path}" for path in result.files.values()]
        say("\n".join([str(result), *wrote]))
    else:
        print_json({**result.as_dict(), **listed(loaded.warnings, "warnings")})
