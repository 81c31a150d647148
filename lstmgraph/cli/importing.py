"""The command that turns an existing Keras model into a recipe."""

from __future__ import annotations

import errno
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.exit_codes import RECIPE_IS_WRONG
from lstmgraph.cli.output import fail_model
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import (
    Force,
    Format,
    OutputFormat,
    fail,
    listed,
    named_model,
    reason,
    require_writable,
)
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.files import atomic_path
from lstmgraph.messages.errors import ModelFileError, RecipeError

if TYPE_CHECKING:
    from lstmgraph.interop.importing import Imported


def import_(  # noqa: PLR0913, PLR0917 - each option is one
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A Keras model: a .keras or .h5 file, or what model.to_json() returns in a file.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="RECIPE.yaml", help="Where to write the result: a recipe."
        ),
    ],
    fix: Annotated[
        bool, typer.Option("--fix", help="Keep masks that the model loses silently.")
    ] = False,
    weights_to: Annotated[
        Path | None,
        typer.Option(
            "--weights-to",
            metavar="NAME.keras",
            help="Where to write the weights; by default beside the recipe, as its name says, "
            "or NAME-imported.keras where that is MODEL.",
        ),
    ] = None,
    no_weights: Annotated[
        bool, typer.Option("--no-weights", help="Write the recipe alone.")
    ] = False,
    no_training: Annotated[
        bool, typer.Option("--no-training", help="Leave out how the model was compiled.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Write the recipe that builds the Keras model MODEL, and a model of it with MODEL's weights.

    Both models are run on random inputs, and must give the same. Where that fails, or where a
    recipe cannot say what the model does, nothing is written, and the exit code is 1.

    Example: lstmgraph import model.keras -o recipe.yaml
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    model = named_model(model, shown=output_format is Format.text and not quiet)
    if output.suffix not in {".yaml", ".yml"}:
        message = f"{output} does not end in .yaml, as a recipe's name does"
        raise typer.BadParameter(message, param_hint="--output")
    if no_weights and weights_to is not None:
        raise typer.BadParameter("not with --no-weights", param_hint="--weights-to")
    target = weights_to or output.with_suffix(".keras")
    if weights_to is None and target.resolve() == model.resolve():
        target = output.with_name(f"{output.stem}-imported.keras")
    if target.suffix != ".keras":
        raise typer.BadParameter(f"{target} does not end in .keras", param_hint="--weights-to")
    if not no_weights and target.resolve() == model.resolve():
        message = f"{target} is the model itself: choose another name with --weights-to"
        raise typer.BadParameter(message, param_hint="--weights-to")
    files = [output] if no_weights else [output, target]
    require_writable(output.parent, files, overwrite=force)
    try:
        with verbosity.library_step("read the model, and compare it with the recipe's"):
            from lstmgraph.interop.importing import import_source  # noqa: PLC0415 - Keras

            found = import_source(model, fix=fix, training=not no_training)
    except (ModelFileError, OSError) as error:
        fail_model(model, error, output_format)
    except RecipeError as error:
        fail(error, output_format)
    written = not found.check.ran or found.check.ok
    with_model = found.model is not None and not no_weights
    if written:
        try:
            _write(found, output, target if with_model else None)
        except OSError as error:
            say(f"cannot write {error.filename or output}: {reason(error)}", err=True)
            raise typer.Exit(RECIPE_IS_WRONG) from None
    _print(found, output, target if with_model else None, written=written, form=output_format)
    if not written:
        raise typer.Exit(RECIPE_IS_WRONG)


def _write(found: Imported, output: Path, target: Path | None) -> None:
    """Write the recipe and the model: both, or none."""
    if not output.parent.is_dir():
        output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(output) as temporary:
        temporary.write_text(found.text, "utf-8")
        if target is not None:
            if not target.parent.is_dir():
                raise FileNotFoundError(errno.ENOENT, "no such folder", str(target.parent))
            found.save(target)


def _print(
    found: Imported, output: Path, target: Path | None, *, written: bool, form: Format
) -> None:
    if form is Format.json:
        print_json(
            {
                "ok": written,
                "recipe": str(output) if written else None,
                "model": str(target) if written and target else None,
                "check": found.check.as_dict(),
                "notes": list(found.notes),
                **listed(found.compiled.warnings, "warnings"),
            }
        )
        return
    for note in found.notes:
        say(note)
    say(str(found.check), err=not written)
    if written:
        say(f"wrote {output}" + (f" and {target}" if target else ""))
    else:
        say("nothing is written", err=True)
