"""Recognition of loops: calls of the same layers, each on what the calls before gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.interop.importing.drafting import Draft
    from lstmgraph.interop.importing.lifting import Lifted


def fold_loops(draft: Draft, lifted: Lifted) -> None:
    """Fold calls of the same layers, one after another, into a block and a loop."""
    del draft, lifted
