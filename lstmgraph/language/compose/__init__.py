"""One recipe of several texts: bases, what is put in, and variables, in this order."""

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
    """`document` as one recipe that stands alone; what is wrong is in its diagnostics.

    Args:
        document: as it was read; it may be changed.
        folder: where its file lies; None where it is text, which extends presets only.
        overrides: as ``apply_overrides`` takes them: over the bases, and before variables.

    Raises:
        OverrideFormatError: an override is not ``path=value``.
    """
    whole = with_bases(document, folder)
    apply_overrides(whole, overrides)
    if isinstance(whole.data, dict) and "extends" in whole.data:
        hint = "write `extends:` in the recipe's file"
        whole.report("L131", ("extends",), "`extends` cannot be put into a recipe", hint=hint)
        del whole.data["extends"]
    substitute(whole)
    return whole
