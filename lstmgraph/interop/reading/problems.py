"""What cannot be read in a model's file or configuration, collected and reported together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.messages.diagnostics import START, Diagnostic, Diagnostics, Place
from lstmgraph.messages.errors import ModelFileError
from lstmgraph.messages.rendering.text import render_text

if TYPE_CHECKING:
    from typing import NoReturn

MOST = 1000
"""The most problems that are kept: a file can have millions of layers."""


class Problems:
    """Collects the problems of one model. docs/errors.md lists the codes."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.found = Diagnostics()

    def add(self, code: str, message: str, hint: str, path: tuple[str, ...] = ()) -> None:
        """Add a problem of the layer that `path` names from the outermost model inwards."""
        if len(self.found.found) >= MOST:
            return
        where = f"layer '{'/'.join(path)}': " if path else ""
        place = Place(self.source, START)
        keys = tuple(key for name in path for key in ("layers", name))
        self.found.add(Diagnostic(code, where + message, keys, place, hint))

    def stop(self, code: str, message: str, hint: str, path: tuple[str, ...] = ()) -> NoReturn:
        """Add a problem after which nothing more can be read.

        Raises:
            ModelFileError: with every problem so far.
        """
        self.add(code, message, hint, path)
        raise self.error()

    def error(self) -> ModelFileError:
        """Return the error that tells every problem so far."""
        found = tuple(self.found.found)
        return ModelFileError(render_text(found, {}), found)

    def raise_found(self) -> None:
        """Raise the problems that were found, if any.

        Raises:
            ModelFileError: there are problems.
        """
        if self.found:
            raise self.error()
