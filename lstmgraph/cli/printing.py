"""The one place that prints: nothing in a text from elsewhere moves the cursor or hides itself.

Names of columns, layers and files, values of recipes and the words of other libraries may hold
escapes of a terminal, and characters that turn text round. Every command prints through here.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from lstmgraph.messages.rendering.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator


def say(text: str, *, err: bool = False) -> None:
    """Print lines for a person: what no one could see is written out, such as ``\\x1b``."""
    typer.echo(printable_lines(text), err=err)


def say_rendered(text: str, *, colour: bool) -> None:
    """Print on standard error what ``rendering`` made printable; its colours are escapes."""
    typer.echo(text, err=True, color=colour)


def hand_over(text: str | bytes) -> None:
    """Print a text that is a file's: as it is into a file or pipe, as `say` on a terminal."""
    if sys.stdout.isatty():
        text = printable_lines(text.decode("utf-8") if isinstance(text, bytes) else text)
    typer.echo(text, nl=False)


def print_json(value: Any) -> None:
    """Print one JSON value, in ASCII alone: all else is escaped, as JSON allows."""
    typer.echo(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))


class Commands(TyperGroup):
    """The commands. What Typer says of a wrong command line repeats words of it."""

    def make_context(self, info_name: str | None, *args: Any, **extra: Any) -> Any:
        """See Typer; here the group's own options are read."""
        with _printable_errors():
            return super().make_context(printable(info_name or ""), *args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """See Typer; here a command's options are read, and it is run."""
        with _printable_errors():
            return super().invoke(ctx)


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:  # the base of all that Typer prints itself
        if isinstance(getattr(error, "message", None), str):
            error.message = printable_lines(error.message)
        raise
