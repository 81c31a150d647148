"""Commands that train."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import Annotated

import typer

from lstmgraph.cli.shared import (
    INTERRUPTED,
    RECIPE_IS_WRONG,
    Format,
    OutputFormat,
    RecipePath,
    SetValues,
    fail,
    load_recipe,
    print_json,
)
from lstmgraph.diagnostics import RecipeError
from lstmgraph.quiet import held_back


def train(  # noqa: PLR0913, PLR0917 - each option is one
    recipe: RecipePath,
    data: Annotated[
        Path, typer.Option("--data", metavar="FILE.npz", help="Arrays by the recipe's names.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the training lies.")
    ],
    validation: Annotated[
        Path | None, typer.Option("--validation", metavar="FILE.npz", help="Data to evaluate.")
    ] = None,
    validation_split: Annotated[
        float,
        typer.Option("--validation-split", min=0, max=0.99, help="Evaluate this last share."),
    ] = 0.0,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="For the recipe's.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew.")] = False,
    set_values: SetValues = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """Train the model. The same command again goes on where a killed training was.

    Example: lstmgraph train recipes/store-forecaster.yaml --data sales.npz -o runs/first
    """
    if validation and validation_split:
        raise typer.BadParameter("give --validation or --validation-split", param_hint="--data")
    loaded = load_recipe(recipe, set_values, output_format)
    with held_back():
        from lstmgraph.training import epochs_done  # noqa: PLC0415 - imports TensorFlow

    is_text = output_format is Format.text
    try:
        parts = loaded.read_npz(data, validation, validation_split)
        bar = int(is_text and sys.stdout.isatty())
        result = loaded.train(*parts, folder=output, epochs=epochs, restart=restart, verbose=bar)
    except RecipeError as error:
        fail(error, output_format)
    except (ValueError, ArithmeticError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    except OSError as error:
        typer.echo(f"{error.filename or output}: {error.strerror or error}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None
    except KeyboardInterrupt:
        done = epochs_done(output)
        typer.echo(f"\ninterrupted; the same command goes on after epoch {done}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if is_text:
        wrote = [f"wrote {path}" for path in result.files.values()]
        typer.echo("\n".join([str(result), *wrote]))
    else:
        print_json(result.as_dict())
