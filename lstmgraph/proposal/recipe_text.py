"""The text of a proposed recipe, with comments that say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.proposal.examples import row_lines, series_lines
from lstmgraph.proposal.forecasts import forecast_lines
from lstmgraph.proposal.roles import is_static
from lstmgraph.proposal.windows import windows_of

if TYPE_CHECKING:
    from lstmgraph.proposal.parts import Seen


def recipe_text(seen: Seen) -> str:
    """Return the text of the recipe for a table whose columns have these roles."""
    if seen.order is None:
        body = row_lines(seen)
    elif is_static(seen.roles.target, seen.order):
        body = series_lines(seen, seen.order)
    else:
        body = forecast_lines(seen, seen.order, windows_of(seen.order, seen.horizon))
    return format_text("\n".join(["recipe: 1", f"name: {seen.name}", *body]) + "\n")
