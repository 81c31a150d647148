"""The command that audits an existing Keras model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.exit_codes import RECIPE_IS_WRONG
from lstmgraph.cli.output import CheckFormat, fail_model, print_report
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import named_model
from lstmgraph.cli.verbosity import Verbosity
from lstmgraph.messages.errors import ModelFileError
from lstmgraph.messages.rendering.checked import CheckedFile

if TYPE_CHECKING:
    from lstmgraph.interop.auditing import Audit


def audit(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A Keras model: a .keras or .h5 file, or what model.to_json() returns in a file.",
        ),
    ],
    run: Annotated[
        bool,
        typer.Option(
            "--run", help="Run the model on small random data, for numbers that show the findings."
        ),
    ] = False,
    output_format: Annotated[
        CheckFormat, typer.Option("--format", help="How to print the result.")
    ] = CheckFormat.text,
) -> None:
    """Find where an existing Keras model computes something other than its code seems to say.

    Masks, states, shapes, losses and seeds are followed by Keras's own rules. Nothing of the model
    runs and TensorFlow is not imported, unless --run is given. The exit code is 1 if a finding is
    certain or likely, and 0 if all are only possible.

    Example: lstmgraph audit model.keras --run
    """
    from lstmgraph.interop.auditing import audit as audit_model  # noqa: PLC0415 - what one command needs

    model = named_model(model, shown=output_format is CheckFormat.text)
    try:
        if run:
            with Verbosity(quiet=False, verbose=False).library_step("run the model"):
                found = audit_model(model, run=True)
        else:
            found = audit_model(model)
    except (ModelFileError, OSError) as error:
        fail_model(model, error, output_format)
    else:
        _print(model, found, output_format)
        raise typer.Exit(0 if found.ok else RECIPE_IS_WRONG)


def _print(model: Path, found: Audit, output_format: CheckFormat) -> None:
    if output_format is CheckFormat.json:
        print_json(found.as_dict())
    elif output_format is CheckFormat.text:
        say(str(found))
    else:
        shown = found.diagnostics()
        if output_format is CheckFormat.github:  # GitHub's word for a note
            words = {"note": "notice"}
            shown = tuple(replace(d, severity=words.get(d.severity, d.severity)) for d in shown)
        print_report([CheckedFile(str(model), shown)], output_format)
