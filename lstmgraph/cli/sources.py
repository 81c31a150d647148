"""Data of commands: its options, reading it, and printing what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Protocol

import typer

from lstmgraph.cli.exit_codes import COMMAND_LINE_IS_WRONG, RECIPE_IS_WRONG
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import Format, listed
from lstmgraph.compiler.machine.importing import quick_imports
from lstmgraph.data.problems import DataError, as_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.api import Recipe
    from lstmgraph.cli.verbosity import Verbosity
    from lstmgraph.data.loading import Data
    from lstmgraph.data.problems import DataProblem


class HasWarnings(Protocol):
    """Data that was read, or the predictions for it."""

    @property
    def warnings(self) -> Sequence[DataProblem]:
        """The problems that stop nothing."""


DataPath = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        help="The data: a file, a folder, or a function as module:function.",
    ),
]
ValidationPath = Annotated[
    str | None,
    typer.Option(
        "--validation", metavar="DATA", help="Data to validate on, instead of a part of --data."
    ),
]
TestPath = Annotated[
    str | None,
    typer.Option("--test", metavar="DATA", help="Data to test on, instead of a part of --data."),
]


def read_sources(  # noqa: PLR0913, PLR0917 - what a command was given
    recipe: Recipe,
    source: str,
    validation: str | None,
    test: str | None,
    output_format: Format,
    verbosity: Verbosity,
) -> Data:
    """Read the data that a command was given, in parts; where it is wrong, say so and exit."""
    from lstmgraph.data.functions import source_of  # noqa: PLC0415 - imports NumPy
    from lstmgraph.data.tf_datasets import is_saved_dataset  # noqa: PLC0415 - as above

    given = {"validation": validation, "test": test}
    if any(is_saved_dataset(Path(text)) for text in (source, *given.values()) if text):
        with verbosity.library_step("import TensorFlow"), quick_imports():
            import keras  # noqa: F401, PLC0415 - TensorFlow's start-up log comes with it
    try:
        parts = {name: source_of(text) for name, text in given.items() if text is not None}
        with verbosity.step("read the data"):
            return recipe.load_data(source_of(source), **parts)
    except DataError as error:
        fail_data(error, output_format)


def fail_data(error: DataError, output_format: Format) -> NoReturn:
    """Print what is wrong with the data, and exit."""
    if output_format is Format.json:
        print_json({"ok": False, **listed(error.problems, "problems")})
    else:
        say(str(error), err=True)
    unreadable = any(problem.code == "D101" for problem in error.problems)
    raise typer.Exit(COMMAND_LINE_IS_WRONG if unreadable else RECIPE_IS_WRONG) from None


def print_warnings(data: HasWarnings) -> None:
    """Print the warnings about data, which stop nothing."""
    for line in as_lines(data.warnings):
        say(line, err=True)
