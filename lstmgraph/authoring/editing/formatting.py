"""`lstmgraph fmt`: recipes in a uniform layout."""

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
    """The edited text would not have the same data or comments as the recipe."""


def format_text(text: str, source: str = "<text>") -> str:
    """Return a recipe's text in the layout of ``lstmgraph fmt``, with the same data and comments.

    Keys are in the schema's order; names keep theirs. A recipe with mistakes is formatted too, as
    long as its text can be parsed.

    Args:
        text: The recipe; lines may end with ``\\r\\n``, those of the result end with ``\\n``.
        source: The name of the recipe for messages.

    Raises:
        RecipeError: The text is not the YAML of a recipe (L1xx).
        UnsafeEditError: The result would have other data or comments; a bug in lstmgraph.
    """
    text = with_plain_lines(text)
    before = readable(text, source)
    tree = read_tree(text)
    put_in_order(tree.root)
    formatted = as_text(tree)
    after = parse_document(formatted, source)
    if after.diagnostics or as_json(after) != as_json(before):
        raise UnsafeEditError(f"{source}: not formatted, as its data would change")
    if sorted(read_tree(formatted).comments) != sorted(tree.comments):
        raise UnsafeEditError(f"{source}: not formatted, as its comments would change")
    return formatted


def with_plain_lines(text: str) -> str:
    """Return the text without a byte order mark, and with ``\\n`` as the end of every line."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def readable(text: str, source: str) -> Document:
    """Return the document of a text.

    Raises:
        RecipeError: The text is not the YAML of a recipe.
    """
    document = parse_document(text, source)
    if document.diagnostics:
        raise RecipeError(document.diagnostics.ordered(), document.sources)
    return document


def as_json(document: Document) -> str:
    """Return data as text that depends on types (1, 1.0, true) but not on the order of keys."""
    return json.dumps(document.data, sort_keys=True)
