"""Tell sentences, names and ids apart in columns of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.proposal.survey import ColumnFacts

LONG = 4
"""How many words the texts of a column have on average if they are read word by word."""
MOST_CATEGORIES = 5_000


def is_long(facts: ColumnFacts) -> bool:
    """Return whether the texts of a column are sentences rather than names."""
    sizes = [len(text.split()) for text in facts.words[:1000]]
    return bool(sizes) and sum(sizes) / len(sizes) >= LONG


def unread_text(facts: ColumnFacts) -> str:
    """Return why a column of texts tells nothing of its row, or an empty text."""
    rows, distinct = len(facts.values), len(facts.words)
    if distinct <= 1 and not facts.missing:
        return "always the same"
    if is_long(facts):
        return ""
    if 2 * distinct > rows - facts.missing:
        return "nearly every row has a text of its own, as an id has"
    return f"{distinct:,} different texts" if distinct > MOST_CATEGORIES else ""
