"""Mistakes that an export meets, as diagnostics at the recipe's lines."""

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
    """What is wrong, and at which part of the recipe."""

    code: str
    path: Path
    message: str
    hint: str | None = None


def export_error(compiled: CompiledRecipe, mistakes: Iterable[ExportMistake]) -> RecipeError:
    """All of `mistakes` as one error; the recipe's own document is left as it is."""
    document = replace(compiled.document, diagnostics=Diagnostics())
    for mistake in mistakes:
        document.report(mistake.code, mistake.path, mistake.message, hint=mistake.hint)
    return RecipeError(document.diagnostics.ordered(), document.sources)
