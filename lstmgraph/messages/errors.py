"""The root of lstmgraph's exceptions, and the error of a wrong recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.messages.rendering.text import render_text
from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lstmgraph.messages.diagnostics import Diagnostic


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


class FolderError(LstmgraphError, ValueError):
    """The folder of a training, or a file in it, is not this training's, or cannot be one's."""


class DivergedError(LstmgraphError, ArithmeticError):
    """The loss became NaN or infinite; nothing of that epoch was written."""


class StateFileError(LstmgraphError, ValueError):
    """A file holds no streams, or those of another model."""


class WeightsFileError(LstmgraphError, ValueError):
    """A file does not hold weights as Keras 3 writes them."""


class OtherModelError(LstmgraphError, ValueError):
    """The model of a file is not that of the recipe."""


class ModelFileError(LstmgraphError, ValueError):
    """A file or a ``keras.Model`` is no model that can be read or run, or has no recipe.

    `diagnostics` holds what cannot be read of an existing Keras model, each with its layer.
    """

    def __init__(self, message: str, diagnostics: Iterable[Diagnostic] = ()) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(message, self.diagnostics)

    def __str__(self) -> str:
        return str(self.args[0])
