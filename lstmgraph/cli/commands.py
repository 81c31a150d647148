"""The commands by name; each is imported, and Typer reads its options, when it is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from lstmgraph.cli.old_spellings import CommandWithOldSpellings
from lstmgraph.messages.rendering.printable import printable, printable_lines

FUNCTIONS = {
    "validate": "checks:validate",
    "explain": "checks:explain",
    "graph": "graph:graph",
    "diff": "diff:diff",
    "build": "models:build",
    "export": "models:export",
    "code": "code:code",
    "transfer": "transfer:transfer",
    "audit": "auditing:audit",
    "train": "jobs:train",
    "predict": "predicting:predict",
    "evaluate": "evaluating:evaluate",
    "space": "checks:space",
    "tune": "searches:tune",
    "report": "searches:report",
    "data": "data:data",
    "schema": "checks:schema",
    "explain-code": "codes:explain_code",
    "init": "starting:init",
    "fmt": "editing:fmt",
    "migrate": "editing:migrate",
    "import": "importing:import_",
}
"""By the name of a command, in the order of the help: a module of this package and a function."""
LONGEST_HELP = 200
"""The most characters that a command has in the list of commands."""


def _function(name: str) -> Callable[..., None]:
    module, _, function = FUNCTIONS[name].partition(":")
    found: Callable[..., None] = getattr(import_module(f"lstmgraph.cli.{module}"), function)
    return found


class _Built(Mapping[str, Any]):
    """Commands as Typer wants them, each built from its function when it is looked up."""

    def __init__(self) -> None:
        self._command = cache(_built)

    def __getitem__(self, name: str) -> Any:
        return self._command(name)

    def __contains__(self, name: object) -> bool:
        return name in FUNCTIONS

    def __iter__(self) -> Iterator[str]:
        return iter(FUNCTIONS)

    def __len__(self) -> int:
        return len(FUNCTIONS)


def _built(name: str) -> Any:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, cls=CommandWithOldSpellings)(_function(name))
    return typer.main.get_command(alone)


class Commands(TyperGroup):
    """The commands. Typer's messages on a wrong command line repeat it, so are made printable."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": _Built()})

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
        """Return the names; Typer's own looks each command up."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands with their whole first sentences, folded to the terminal."""
        helps = {name: inspect.getdoc(_function(name)) for name in self.list_commands(ctx)}
        rows = [
            (name, TyperCommand(name, help=text).get_short_help_str(LONGEST_HELP))
            for name, text in helps.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def make_context(self, info_name: str | None, *args: Any, **extra: Any) -> Any:
        """Read the group's own options; see Typer."""
        with _printable_errors():
            return super().make_context(printable(info_name or ""), *args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read a command's options and run it; see Typer."""
        with _printable_errors():
            return super().invoke(ctx)


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:  # the base of all errors that Typer prints
        if isinstance(getattr(error, "message", None), str):
            error.message = printable_lines(error.message)
        raise
