"""`lstmgraph migrate`: updates recipes of an older version of the language.

Only what differs between the versions is rewritten; comments, order and layout stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.authoring.editing.formatting import UnsafeEditError, readable, with_plain_lines
from lstmgraph.authoring.editing.read_tree import read_tree
from lstmgraph.authoring.editing.tree import Alias, Collection, Scalar
from lstmgraph.language.schema.structure import SUPPORTED_VERSION, check_structure
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.authoring.editing.tree import Entry, Node, Tree

_ANY = "*"


@dataclass(frozen=True)
class Rename:
    """The key at `path` gets a new name; ``*`` in the path stands for any name."""

    path: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class Wrap:
    """The value at `path` moves into a mapping, under `key`."""

    path: tuple[str, ...]
    key: str
    lists: bool = False
    """Whether only lists are moved."""


@dataclass(frozen=True)
class Migration:
    """The changes from `version` to the next; paths are those of the old recipe."""

    version: int
    changes: tuple[Rename | Wrap, ...]


MIGRATIONS: tuple[Migration, ...] = ()
"""The migrations from each earlier version, in order; so far there is none."""


def migrate_text(text: str, source: str = "<text>") -> str:
    """Return a recipe's text in the current version of the language, unchanged if it is current.

    Other mistakes of the recipe are neither fixed nor reported; ``validate`` reports them.

    Args:
        text: The recipe; lines may end with ``\\r\\n``, those of the result end with ``\\n``.
        source: The name of the recipe for messages.

    Raises:
        RecipeError: The text is not the YAML of a recipe (L1xx), before or after the migration; or
            its version is missing, not a number, or newer than this lstmgraph.
        UnsafeEditError: A comment would be lost; a bug in lstmgraph.
    """
    text = with_plain_lines(text)
    document = readable(text, source)
    version = document.data.get("recipe") if isinstance(document.data, dict) else None
    for migration in MIGRATIONS:
        if version == migration.version and not isinstance(version, bool):
            text = _migrated(text, migration)
            document = readable(text, source)
            version += 1
    if version != SUPPORTED_VERSION or isinstance(version, bool):
        raise _version_error(text, source)
    return text


def _version_error(text: str, source: str) -> RecipeError:
    document = readable(text, source)
    check_structure(document)
    mistakes = document.diagnostics.ordered()
    about_version = tuple(mistake for mistake in mistakes if mistake.path[:1] == ("recipe",))
    return RecipeError(about_version or mistakes, document.sources)


def _migrated(text: str, migration: Migration) -> str:
    tree = read_tree(text)
    edits = dict(_edits(tree, migration))
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = text[:start] + new + text[end:]
    if read_tree(text).comments != tree.comments:
        raise UnsafeEditError("not migrated, as comments of the recipe would change")
    return text


_Edit = tuple[tuple[int, int], str]
"""The start and end of the text to replace, and the new text."""


def _edits(tree: Tree, migration: Migration) -> Iterator[_Edit]:
    for entry in _entries_at(tree.root, ("recipe",)):
        yield (entry.value.start, entry.value.end), str(migration.version + 1)
    anchored: dict[str, Node] = {node.anchor: node for node in _nodes(tree.root) if node.anchor}
    wrapped: set[int] = set()
    for change in migration.changes:
        for entry in _entries_at(tree.root, change.path):
            if isinstance(change, Wrap):
                yield from _wrapping(entry.value, change, anchored, wrapped)
            elif isinstance(entry.key, Scalar):
                yield (entry.key.start, entry.key.end), change.name


def _entries_at(node: Node, path: tuple[str, ...]) -> Iterator[Entry]:
    """Yield the entries at `path`, also inside the items of lists."""
    for entry in node.entries if isinstance(node, Collection) else ():
        if not entry.key:
            yield from _entries_at(entry.value, path)
        elif path[0] in {_ANY, entry.name}:
            if len(path) == 1:
                yield entry
            else:
                yield from _entries_at(entry.value, path[1:])


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for entry in node.entries if isinstance(node, Collection) else ():
        yield from _nodes(entry.value)


def _wrapping(
    value: Node, change: Wrap, anchored: dict[str, Node], wrapped: set[int]
) -> Iterator[_Edit]:
    """Yield the edits that wrap `value`; its anchor and aliases then stand for the mapping."""
    target = anchored.get(value.name) if isinstance(value, Alias) else value
    is_list = isinstance(target, Collection) and not target.is_mapping
    if target is None or id(target) in wrapped or (change.lists and not is_list):
        return
    wrapped.add(id(value))
    if isinstance(value, Collection) and not value.flow:
        # `key:` on its own line, with the unchanged value below it.
        yield (value.start, value.start), f"{change.key}:\n{' ' * value.column}"
    else:
        yield (value.start, value.start), f"{{{change.key}: "
        yield (value.end, value.end), "}"
