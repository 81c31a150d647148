"""The command that writes a model as Keras code."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.exit_codes import RECIPE_IS_WRONG
from lstmgraph.cli.output import fail_model
from lstmgraph.cli.printing import hand_over, print_json, say
from lstmgraph.cli.shared import (
    Force,
    Format,
    OutputFormat,
    SetValues,
    fail,
    fail_with,
    load_recipe,
    reason,
    refuse,
    require_writable,
)
from lstmgraph.cli.stdin import is_stdin
from lstmgraph.cli.verbosity import Quiet, Verbose, Verbosity
from lstmgraph.files import atomic_path, made_folder
from lstmgraph.messages.errors import ModelFileError, RecipeError

if TYPE_CHECKING:
    from lstmgraph.interop.code import Code


def code(  # noqa: PLR0913, PLR0917 - the options of a command
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A recipe, or a model of Keras: a .keras or .h5 file, or a configuration as "
            ".json; - reads a recipe from standard input.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.py",
            help="Where to write the result: a file that ends in .py.  [default: standard output]",
        ),
    ] = None,
    set_values: SetValues = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Write the model as plain Keras code that builds it without lstmgraph.

    The code is for a person to read and to go on with. What it does not do as the recipe does is
    said on standard error.

    Example: lstmgraph code recipe.yaml -o model.py
    """
    verbosity = Verbosity(quiet=quiet, verbose=verbose)
    target = None if output is None or str(output) == "-" else output
    if target is not None:
        if target.suffix != ".py":
            raise typer.BadParameter(f"{target} does not end in .py", param_hint="--output")
        require_writable(target.parent, [target], overwrite=force)
    try:
        found = _code(source, set_values, output_format, verbosity)
    except RecipeError as error:
        fail(error, output_format)
    except (ModelFileError, OSError) as error:
        fail_model(source, error, output_format)
    except ValueError as error:
        fail_with(str(error), output_format)
    if target is not None:
        _write(found, target)
    if output_format is Format.json:
        own = {"ok": True, "file": str(target) if target else None}
        text = {} if target else {"code": found.text}
        print_json({**own, **text, "notes": [note.as_dict() for note in found.notes]})
        return
    if not quiet:
        for note in found.notes:
            say(str(note), err=True)
    if target is None:
        hand_over(found.text)
    else:
        say(f"wrote {target}")


def _write(found: Code, target: Path) -> None:
    try:
        with made_folder(target.parent), atomic_path(target) as path:
            path.write_text(found.text, "utf-8", newline="\n")
    except OSError as error:
        say(f"cannot write {error.filename or target}: {reason(error)}", err=True)
        raise typer.Exit(RECIPE_IS_WRONG) from None


def _code(
    source: Path, set_values: list[str] | None, output_format: Format, verbosity: Verbosity
) -> Code:
    from lstmgraph.interop.code import is_keras_file, keras_code  # noqa: PLC0415 - one command's
    from lstmgraph.interop.code.recipes import recipe_code  # noqa: PLC0415 - as above

    if not is_stdin(source) and is_keras_file(source):
        if set_values:
            refuse("--set changes values of a recipe, and this file holds none")
        with verbosity.library_step("read the model"):
            return keras_code(source)
    with verbosity.step("check the recipe"):
        recipe = load_recipe(source, set_values, output_format, quiet=verbosity.quiet)
    with verbosity.library_step("build the model"):
        return recipe_code(recipe.compiled)
