"""Export mistakes, reported as diagnostics at the recipe's lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lstmgraph.messages.diagnostics import Diagnostics
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.messages.diagnostics import Path


@dataclass(frozen=True)
class ExportMistake:
    """A mistake found by an export, and the part of the recipe that it is about."""

    code: str
    path: Path
    message: str
    hint: str | None = None


def export_error(compiled: CompiledRecipe, mistakes: Iterable[ExportMistake]) -> RecipeError:
    """Return one error with all `mistakes`; the recipe's own document does not change."""
    document = replace(compiled.document, diagnostics=Diagnostics())
    for mistake in mistakes:
        document.report(mistake.code, mistake.path, mistake.message, hint=mistake.hint)
    return RecipeError(document.diagnostics.ordered(), document.sources)
