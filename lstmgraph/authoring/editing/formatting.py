"""`lstmgraph fmt`: the same recipe in one layout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lstmgraph.authoring.editing.layout import as_text
from lstmgraph.authoring.editing.order import put_in_order
from lstmgraph.authoring.editing.read_tree import read_tree
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.language.text.document import Document


class UnsafeEditError(Exception):
    """The text about to be written would mean something else than the recipe does."""


def format_text(text: str, source: str = "<text>") -> str:
    """Return a recipe's text in the layout of ``lstmgraph fmt``: same data, same comments.

    Keys stand in the schema's order, names in their own. A recipe with mistakes is formatted too,
    as long as its text can be read.

    Args:
        text: a recipe; lines may end with ``\\r\\n``, those of the result end with ``\\n``.
        source: what messages call it.

    Raises:
        RecipeError: the text is not a recipe's YAML (L1xx).
        UnsafeEditError: the result would say something else, which lstmgraph has not foreseen.
    """
    text = with_plain_lines(text)
    before = readable(text, source)
    tree = read_tree(text)
    put_in_order(tree.root)
    formatted = as_text(tree)
    after = parse_document(formatted, source)
    if after.diagnostics or as_json(after) != as_json(before):
        raise UnsafeEditError(f"{source}: not formatted: it would hold other data then")
    if sorted(read_tree(formatted).comments) != sorted(tree.comments):
        raise UnsafeEditError(f"{source}: not formatted: it would hold other comments then")
    return formatted


def with_plain_lines(text: str) -> str:
    """The text without a byte order mark, its lines ended as YAML's own data has them."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def readable(text: str, source: str) -> Document:
    """Return the document of a text.

    Raises:
        RecipeError: it is not a recipe's YAML.
    """
    document = parse_document(text, source)
    if document.diagnostics:
        raise RecipeError(document.diagnostics.ordered(), document.sources)
    return document


def as_json(document: Document) -> str:
    """Return data as text that tells 1 from 1.0 and true, and ignores the order of keys."""
    return json.dumps(document.data, sort_keys=True)
