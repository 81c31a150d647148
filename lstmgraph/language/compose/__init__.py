"""Compose one recipe from several texts: bases, then overrides, then variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.language.compose.extends import with_bases
from lstmgraph.language.compose.variables import substitute
from lstmgraph.language.text.overrides import apply_overrides

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
    apply_overrides(whole, overrides)
    if isinstance(whole.data, dict) and "extends" in whole.data:
        hint = "write `extends:` in the recipe file itself"
        whole.report("L131", ("extends",), "`extends` cannot be an override", hint=hint)
        del whole.data["extends"]
    substitute(whole)
    return whole
