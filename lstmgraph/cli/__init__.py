"""The commands. The only room that prints or exits."""

from __future__ import annotations

import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from lstmgraph import __version__
from lstmgraph.cli import checks, editing, jobs, models, searches
from lstmgraph.cli.codes import explain_code
from lstmgraph.cli.data import data
from lstmgraph.cli.diff import diff
from lstmgraph.cli.graph import graph
from lstmgraph.cli.printing import Commands, say
from lstmgraph.cli.shared import RECIPE_IS_WRONG
from lstmgraph.cli.starting import init
from lstmgraph.cli.streams import discard_output, open_closed_streams
from lstmgraph.cli.transfer import transfer

app = typer.Typer(
    name="lstmgraph",
    cls=Commands,
    help="Declare recurrent Keras models in YAML; check, explain and build them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for command in (
    checks.validate,
    checks.explain,
    graph,
    diff,
    models.build,
    models.export,
    transfer,
    jobs.train,
    checks.space,
    searches.tune,
    searches.report,
    data,
    checks.schema,
    explain_code,
    init,
    editing.fmt,
    editing.migrate,
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"lstmgraph {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Declare recurrent Keras models in YAML; check, explain and build them."""


def main() -> None:
    """The entry point ``lstmgraph``."""
    open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):  # names in letters that the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has what it wants
        discard_output()
    except OSError as error:  # such as a full disk
        name = f"{error.filename}: " if error.filename else ""
        _fail(f"{name}{error.strerror or error}")
    except MemoryError:
        _fail("there is not enough memory")


def _fail(message: str) -> NoReturn:
    discard_output()
    with suppress(OSError):  # there is no room for that either
        say(f"Error: {message}", err=True)
    sys.exit(RECIPE_IS_WRONG)
