"""The text of a proposed recipe, with comments that say why."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import counted, shortened
from lstmgraph.proposal.roles import LOG, is_class, scale_of
from lstmgraph.proposal.survey import TEXT
from lstmgraph.proposal.windows import TEST, VALIDATION, windows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmgraph.proposal.order import Order
    from lstmgraph.proposal.roles import Roles, Wishes
    from lstmgraph.proposal.survey import ColumnFacts, Survey
    from lstmgraph.proposal.windows import Windows

_COMMENTS = 56
"""The column of the comments at the ends of lines."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def recipe_text(name: str, survey: Survey, order: Order | None, roles: Roles, wishes: Wishes) -> str:
    """Return the text of the recipe for a table whose columns have these roles."""
    if order is None:
        body = _rows(survey, roles)
    elif order.series and roles.target.name not in _varying(roles, order):
        body = _whole_series(survey, order, roles)
    else:
        body = _forecast(survey, order, roles, windows_of(order, wishes.horizon))
    return format_text("\n".join(["recipe: 1", f"name: {name}", *body]) + "\n")
