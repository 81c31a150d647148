"""A recipe from standard input, which ``-`` stands for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from lstmgraph.cli.printing import say
from lstmgraph.language.text.document import Document, decode_document, unreadable
from lstmgraph.language.text.nodes import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path

STDIN = "-"
STDIN_NAME = "<stdin>"
"""What messages call it."""


def is_stdin(path: str | Path) -> bool:
    """Return whether a command was given ``-`` in place of a file."""
    return str(path) == STDIN


def read_stdin() -> bytes:
    """Return what standard input holds, up to one byte more than a recipe may have.

    Raises:
        OSError: it cannot be read, such as a folder.
    """
    if sys.stdin.isatty():
        say("reading a recipe from the terminal; Ctrl-D on a new line ends it", err=True)
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def read_stdin_document() -> Document:
    """Read a recipe from standard input; what is wrong with it is in the document's diagnostics."""
    try:
        return decode_document(read_stdin(), STDIN_NAME)
    except OSError as error:
        message = f"cannot read standard input: {error.strerror or error}"
        return unreadable(STDIN_NAME, "L101", message, hint="write `lstmgraph COMMAND - < FILE`")


def shown_name(path: Path) -> str:
    """Return what messages call a recipe."""
    return STDIN_NAME if is_stdin(path) else str(path)


def refuse_stdin_twice(*paths: Path) -> None:
    """Refuse a command line that reads standard input twice: the second would find it empty."""
    if sum(map(is_stdin, paths)) > 1:
        raise typer.BadParameter("standard input can be read only once: name - once")
