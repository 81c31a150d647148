"""Diagnostics as GitHub Actions workflow commands, which GitHub shows beside the lines.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.places import MOST_SHOWN, in_a_file, left_out, said_before
from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.messages.diagnostics import Diagnostic
    from lstmgraph.messages.rendering.checked import CheckedFile


def render_github(files: Iterable[CheckedFile]) -> str:
    """Return one ``::error file=...,line=...,title=L203::message`` for each diagnostic.

    For each file these are the first 100 diagnostics and a command that counts the rest.
    """
    return "\n".join(line for file in files for line in _commands(file))


def _commands(checked: CheckedFile) -> Iterator[str]:
    for diagnostic in checked.diagnostics[:MOST_SHOWN]:
        yield _command(checked.file, diagnostic)
    if more := left_out(checked.diagnostics):
        severity = checked.diagnostics[MOST_SHOWN].severity
        yield f"::{severity} file={_property(printable(checked.file))}::{_data(more)}"


def _command(file: str, diagnostic: Diagnostic) -> str:
    properties = ",".join(f"{k}={_property(v)}" for k, v in _properties(file, diagnostic))
    message = _data("\n".join(_message(diagnostic)))
    return f"::{diagnostic.severity} {properties}::{message}"


def _properties(file: str, diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    place = in_a_file(diagnostic)
    yield "file", printable(place.source if place else file)
    if place:
        span = place.span
        yield "line", str(span.line)
        yield "endLine", str(span.end_line)
        if span.line == span.end_line:  # GitHub refuses columns for several lines
            yield "col", str(span.column)
            yield "endColumn", str(max(span.column, span.end_column - 1))  # GitHub's is inclusive
    yield "title", diagnostic.code


def _message(diagnostic: Diagnostic) -> Iterator[str]:
    yield f"{said_before(diagnostic.place)}{printable(diagnostic.message)}"
    for note in diagnostic.notes:
        where = f"{printable(note.place.source)}:{note.place.span.line}:{note.place.span.column}"
        yield f"note: {where}: {printable(note.message)}"
    if diagnostic.hint:
        yield f"help: {printable(diagnostic.hint)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
