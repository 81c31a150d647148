"""Printing, so that no text from elsewhere moves the cursor or hides itself.

Names of columns, layers and files, values of recipes and messages of other libraries may contain
terminal escapes, and characters that reverse the direction of text. Every command prints through
this module.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

import typer

from lstmgraph.messages.rendering.printable import printable_lines
from lstmgraph.messages.tables import fitted


class OutputError(Exception):
    """Raised where nothing can be printed: a full disk, or a reader that has closed the pipe.

    It is no OSError, as the work of a command may raise one for another reason.
    """

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason
        """The system's error; Keras drops the cause of what a callback raises."""


def _print(
    text: str | bytes, *, err: bool = False, nl: bool = True, color: bool | None = None
) -> None:
    try:
        typer.echo(text, err=err, nl=nl, color=color)
    except OSError as error:
        raise OutputError(error) from error


def say(text: str, *, err: bool = False) -> None:
    """Print lines for a person, with invisible characters written out, such as ``\\x1b``."""
    _print(printable_lines(text), err=err)


def say_table(shown: object) -> None:
    """Print an object whose ``str()`` has tables: on a terminal, no wider than that."""
    is_terminal = sys.stdout.isatty()
    with fitted(shutil.get_terminal_size().columns if is_terminal else None):
        say(str(shown))


def say_rendered(text: str, *, colour: bool) -> None:
    """Print on standard error a text that ``rendering`` made printable; its colours are escapes."""
    _print(text, err=True, color=colour)


def hand_over(text: str | bytes) -> None:
    """Print the content of a file: unchanged into a file or pipe, as `say` does on a terminal."""
    if sys.stdout.isatty():
        text = printable_lines(text.decode("utf-8") if isinstance(text, bytes) else text)
    _print(text, nl=False)


def print_json(value: Any) -> None:
    """Print one JSON value in ASCII; other characters are escaped, as JSON allows."""
    _print(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))
