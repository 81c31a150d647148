"""Diagnostics on a terminal: in colour where it takes colours, and where to read more."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from lstmgraph.cli.printing import say, say_rendered
from lstmgraph.messages.rendering.text import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.messages.rendering.checked import CheckedFile


def print_diagnostics(found: CheckedFile) -> None:
    """Print the diagnostics of one file to standard error."""
    colour = wants_colour(sys.stderr, os.environ)
    say_rendered(render_text(found.diagnostics, found.sources, colour=colour), colour=colour)


def print_where_more_is_said(wrong: Sequence[CheckedFile]) -> None:
    """Print how to read more about the first code; only on a terminal, for a person."""
    if wrong and sys.stderr.isatty():
        code = wrong[0].diagnostics[0].code
        say(f"`lstmgraph explain-code {code}` says more.", err=True)


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether to colour the output to `stream`: on a terminal, unless turned off.

    As Python's own tracebacks: https://no-color.org, then https://force-color.org, then a terminal
    that says it can do nothing.
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return environment.get("TERM") != "dumb" and stream.isatty()
