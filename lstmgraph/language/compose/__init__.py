"""Compose one recipe from several texts: bases, then overrides, then variables."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.language.compose.extends import with_bases
from lstmgraph.language.compose.variables import escaped, may_substitute, substitute
from lstmgraph.language.text.overrides import apply_overrides
from lstmgraph.messages.diagnostics import Diagnostics
from lstmgraph.messages.wording import Guesses

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.language.text.document import Document
    from lstmgraph.language.text.overrides import Overrides


def composed(document: Document, folder: Path | None = None, overrides: Overrides = ()) -> Document:
    """Return a recipe with its bases, overrides and variables filled in.

    Mistakes are reported in the diagnostics of the returned document.

    Args:
        document: the document as it was read; it may be changed.
        folder: the folder of its file; None for text, which can extend only presets.
        overrides: as ``apply_overrides`` takes them. They win over bases and may name variables.

    Raises:
        OverrideFormatError: if an override is not ``path=value``.
    """
    whole = with_bases(document, folder)
    whole.folder = folder and folder.absolute()
    own = document.data if whole is not document and not overrides else None
    _put_in(whole, overrides)
    whole.extending = own
    return whole


def changed(document: Document, overrides: Overrides) -> Document:
    """Return a copy of what ``composed`` returned, with further values put in before variables.

    Raises:
        OverrideFormatError: an override is not ``path=value``.
    """
    whole = _before_variables(document)
    _put_in(whole, overrides)
    return whole


def written_data(document: Document) -> dict[str, Any]:
    """Return a recipe's data as it was written, with `extends`, variables and searches.

    Where it extends others and values were put in, they stand in the data of all together.
    """
    if document.extending is not None:
        return deepcopy(document.extending)
    data: dict[str, Any] = _before_variables(document).data
    return data


def _put_in(whole: Document, overrides: Overrides) -> None:
    apply_overrides(whole, overrides)
    if isinstance(whole.data, dict) and "extends" in whole.data:
        hint = "write `extends:` in the recipe file itself"
        whole.report("L131", ("extends",), "`extends` cannot be an override", hint=hint)
        del whole.data["extends"]
    if may_substitute(whole):
        whole.unfilled = _copied(whole)
        substitute(whole)


def _before_variables(document: Document) -> Document:
    if document.unfilled is not None:
        return _copied(document.unfilled)
    copy = _copied(document)
    copy.data = escaped(copy.data)  # texts in which variables were filled in, if there were any
    return copy


def _copied(document: Document) -> Document:
    """Return a copy whose parts can be changed, with empty diagnostics of its own."""
    origins = document.origins
    return replace(
        document,
        data=deepcopy(document.data),
        values=dict(document.values),
        keys=dict(document.keys),
        sources=dict(document.sources),
        diagnostics=Diagnostics(),
        origins=replace(
            origins,
            variables=dict(origins.variables),
            searched={},  # found again where variables are filled in
            forms={},
            deleted=dict(origins.deleted),
            unknown=set(origins.unknown),
        ),
        guesses=Guesses(),
        overridden=dict(document.overridden),
        unfilled=None,
        extending=None,
    )
