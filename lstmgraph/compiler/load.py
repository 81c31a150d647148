"""Load a compiled recipe from a path, a text or a model file; the only loader."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lstmgraph.compiler.compile import compile_document
from lstmgraph.compiler.resolved import plain_yaml
from lstmgraph.language.compose import changed, composed
from lstmgraph.language.text.document import parse_document, read_document
from lstmgraph.language.text.embedded import MODEL_SUFFIX
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.language.text.plain_data import plain_data
from lstmgraph.messages.diagnostics import MAPPING, as_errors
from lstmgraph.messages.errors import ModelFileError, RecipeError

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
    source: str | Path | Mapping[str, Any],
    *,
    overrides: Overrides = (),
    strict: bool = False,
    folder: str | Path | None = None,
) -> CompiledRecipe:
    """Read, check and compile a recipe; see ``lstmgraph.load``.

    Raises:
        RecipeError: with every mistake in the recipe; if there is none and `strict` is true, with
            every warning.
        OverrideFormatError: if an override is not ``path=value``.
        PlainDataError: if `source` is a mapping that holds what no recipe can.
        ValueError: if `folder` is given for a path, which has its own.
    """
    below = None if folder is None else Path(folder)
    if isinstance(source, Mapping):
        document = parse_document(plain_yaml(plain_data(source)), MAPPING)
    elif is_text(source):
        document = parse_document(str(source))
    elif below is not None:
        raise ValueError("`folder` is for a mapping or a text: a file's bases lie beside it")
    elif not isinstance(source, str | PathLike):
        kind = type(source).__name__
        raise TypeError(f"a recipe is a path, a text or a mapping, not of type {kind}")
    else:
        model = model_file(source)
        below = None if model else Path(source).parent
        document = read_document(model or Path(source))
    return compile_read(document, below, overrides=overrides, strict=strict)


def compile_read(
    document: Document, folder: Path | None, *, overrides: Overrides = (), strict: bool = False
) -> CompiledRecipe:
    """Check and compile a document that was read, whose ``extends:`` are files of `folder`.

    Raises:
        RecipeError, OverrideFormatError: as ``load_compiled`` does.
    """
    return _checked(composed(document, folder, overrides), strict=strict)


def with_overrides(
    compiled: CompiledRecipe, overrides: Overrides, *, strict: bool = False
) -> CompiledRecipe:
    """Compile a recipe again with other values in it; see ``Recipe.with_overrides``.

    Raises:
        RecipeError: as ``load_compiled`` does.
        OverrideFormatError: if an override is not ``path=value``.
    """
    return _checked(changed(compiled.written, overrides), strict=strict)


def _checked(whole: Document, *, strict: bool) -> CompiledRecipe:
    compiled = compile_document(whole)
    if strict and compiled.warnings:
        raise RecipeError(as_errors(compiled.warnings), whole.sources)
    return compiled


def model_file(source: object) -> Path | None:
    """Return the ``.keras`` file that `source` names, or the one in a training's folder.

    None for the path of anything else, and for what is no path.
    """
    if not isinstance(source, str | PathLike) or is_text(source):
        return None
    try:
        path = model_path(source)
    except ModelFileError:
        return None  # why, the reader of the recipe says
    return path if path.suffix == MODEL_SUFFIX else None


def is_text(source: object) -> bool:
    """Return whether `source` is the text of a recipe: it has several lines or is JSON."""
    return isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{"))
