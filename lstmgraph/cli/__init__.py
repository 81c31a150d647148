"""The commands. The only package that prints or exits."""

from __future__ import annotations

import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from lstmgraph.cli.commands import Commands
from lstmgraph.cli.exit_codes import RECIPE_IS_WRONG
from lstmgraph.cli.printing import OutputError, say
from lstmgraph.cli.streams import discard_output, open_closed_streams

app = typer.Typer(
    name="lstmgraph",
    cls=Commands,
    help="Declare recurrent Keras models in YAML; check, explain and build them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from lstmgraph.cli.versions import versions_text  # noqa: PLC0415 - only where it is shown

        say(versions_text())
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the versions of lstmgraph, Keras and TensorFlow, and Keras's backend.",
        ),
    ] = False,
) -> None:
    """Declare recurrent Keras models in YAML; check, explain and build them."""


def main() -> None:
    """Run the command that the process was started with, as ``lstmgraph`` does."""
    open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):  # the terminal may lack letters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="lstmgraph")  # also for `python -m lstmgraph`: completion goes by the name
        sys.stdout.flush()
    except OutputError as error:
        _fail_of(error.reason)
    except OSError as error:  # such as a full disk
        _fail_of(error)
    except MemoryError:
        _fail("there is not enough memory")


def _fail_of(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):  # the reader, such as `head`, has closed the pipe
        discard_output()
        return
    name = f"{error.filename}: " if error.filename else ""
    _fail(f"{name}{error.strerror or error}")


def _fail(message: str) -> NoReturn:
    discard_output()
    with suppress(OutputError):  # the disk may be too full for this too
        say(f"Error: {message}", err=True)
    sys.exit(RECIPE_IS_WRONG)
