"""Load a compiled recipe from a path, a text or a model file; the only loader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lstmgraph.compiler.compile import compile_document
from lstmgraph.language.compose import composed
from lstmgraph.language.text.document import parse_document, read_document
from lstmgraph.language.text.embedded import MODEL_SUFFIX
from lstmgraph.messages.diagnostics import as_errors
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.language.text.document import Document
    from lstmgraph.language.text.overrides import Overrides


class HasCompiled(Protocol):
    """An object with a compiled recipe, such as ``lstmgraph.Recipe``."""

    @property
    def compiled(self) -> CompiledRecipe:
        """The compiled recipe."""


def load_compiled(
    source: str | Path, *, overrides: Overrides = (), strict: bool = False
) -> CompiledRecipe:
    """Read, check and compile a recipe; see ``lstmgraph.load``.

    Raises:
        RecipeError: with every mistake in the recipe; if there is none and `strict` is true, with
            every warning.
        OverrideFormatError: if an override is not ``path=value``.
    """
    if is_text(source):
        document, folder = parse_document(str(source)), None
    else:
        path = Path(source)
        document = read_document(path)
        folder = None if path.suffix == MODEL_SUFFIX else path.parent
    return compile_read(document, folder, overrides=overrides, strict=strict)


def compile_read(
    document: Document, folder: Path | None, *, overrides: Overrides = (), strict: bool = False
) -> CompiledRecipe:
    """Check and compile a document that was read, whose ``extends:`` are files of `folder`.

    Raises:
        RecipeError, OverrideFormatError: as ``load_compiled`` does.
    """
    whole = composed(document, folder, overrides)
    compiled = compile_document(whole)
    if strict and compiled.warnings:
        raise RecipeError(as_errors(compiled.warnings), whole.sources)
    return compiled


def is_text(source: str | Path) -> bool:
    """Return whether `source` is the text of a recipe: it has several lines or is JSON."""
    return isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{"))
