"""The root of lstmgraph's exceptions, and the error of a wrong recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.messages.rendering.text import render_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lstmgraph.messages.diagnostics import Diagnostic


class LstmgraphError(Exception):
    """The base class of the errors about recipes, data, folders and searches."""


class RecipeError(LstmgraphError):
    """Raised for a recipe with mistakes. Its text is what the command prints.

    The text shows the first 100 mistakes and counts the rest; `diagnostics` holds them all.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return render_text(self.diagnostics, self.sources)

    def __reduce__(self) -> tuple[type[RecipeError], tuple[Any, ...]]:
        return (type(self), (self.diagnostics, self.sources))
