"""`lstmgraph migrate`: recipes of an older version of the language, rewritten where it differs.

Nothing else of the text changes: comments, order and layout stay as they are.
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
    """The key at `path` has another name now; ``*`` in the path stands for every name."""

    path: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class Wrap:
    """The value at `path` stands in a mapping under `key` now."""

    path: tuple[str, ...]
    key: str
    lists: bool = False
    """Whether only values that are lists do."""


@dataclass(frozen=True)
class Migration:
    """What is new in the version after `version`. Paths are those of the old recipe."""

    version: int
    changes: tuple[Rename | Wrap, ...]


MIGRATIONS = (
    # Version 0 was never released. It holds one change of each kind, so that all of this is
    # proven before a version 2 needs it; docs/tools.md describes it.
    Migration(
        0,
        (
            Wrap(("inputs", _ANY), "shape", lists=True),
            Rename(("layers", _ANY, "from"), "input"),
            Rename(("layers", _ANY, "hidden_size"), "units"),
            Rename(("layers", _ANY, "num_layers"), "depth"),
            Rename(("layers", _ANY, "lengths"), "mask"),
            Wrap(("layers", _ANY, "lengths"), "lengths"),
            Rename(("layers", _ANY, "init"), "initial_state"),
            Rename(("layers", _ANY, "init", "features"), "static"),
        ),
    ),
)
"""Every version before the current one, in order."""


def migrate_text(text: str, source: str = "<text>") -> str:
    """A recipe's text in the current version of the language; one that is current comes back.

    What else is wrong with the recipe stays so: it is for ``validate`` to say.

    Args:
        text: a recipe; lines may end with ``\\r\\n``, those of the result end with ``\\n``.
        source: what messages call it.

    Raises:
        RecipeError: the text is not a recipe's YAML (L1xx), before or after; or its version is
            missing, no number, or newer than this lstmgraph.
        UnsafeEditError: a comment would be lost, which lstmgraph has not foreseen.
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
        raise _of_no_known_version(text, source)
    return text


def _of_no_known_version(text: str, source: str) -> RecipeError:
    document = readable(text, source)
    check_structure(document)
    found = document.diagnostics.ordered()
    of_version = tuple(diagnostic for diagnostic in found if diagnostic.path[:1] == ("recipe",))
    return RecipeError(of_version or found, document.sources)


def _migrated(text: str, migration: Migration) -> str:
    tree = read_tree(text)
    edits = dict(_edits(tree, migration))
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = text[:start] + new + text[end:]
    if read_tree(text).comments != tree.comments:
        raise UnsafeEditError("not migrated: the recipe would hold other comments then")
    return text


_Edit = tuple[tuple[int, int], str]
"""Where text is replaced, and by what."""


def _edits(tree: Tree, migration: Migration) -> Iterator[_Edit]:
    for entry in _found(tree.root, ("recipe",)):
        yield (entry.value.start, entry.value.end), str(migration.version + 1)
    anchored: dict[str, Node] = {node.anchor: node for node in _nodes(tree.root) if node.anchor}
    wrapped: set[int] = set()
    for change in migration.changes:
        for entry in _found(tree.root, change.path):
            if isinstance(change, Wrap):
                yield from _wrapping(entry.value, change, anchored, wrapped)
            elif isinstance(entry.key, Scalar):
                yield (entry.key.start, entry.key.end), change.name


def _found(node: Node, path: tuple[str, ...]) -> Iterator[Entry]:
    """The entries at `path`; the items of a list each stand for the list."""
    for entry in node.entries if isinstance(node, Collection) else ():
        if not entry.key:
            yield from _found(entry.value, path)
        elif path[0] in {_ANY, entry.name}:
            if len(path) == 1:
                yield entry
            else:
                yield from _found(entry.value, path[1:])


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for entry in node.entries if isinstance(node, Collection) else ():
        yield from _nodes(entry.value)


def _wrapping(
    value: Node, change: Wrap, anchored: dict[str, Node], wrapped: set[int]
) -> Iterator[_Edit]:
    """Yield the edits that wrap `value`, after its anchor: aliases mean the wrapped value."""
    meant = anchored.get(value.name) if isinstance(value, Alias) else value
    is_list = isinstance(meant, Collection) and not meant.is_mapping
    if meant is None or id(meant) in wrapped or (change.lists and not is_list):
        return
    wrapped.add(id(value))
    if isinstance(value, Collection) and not value.flow:
        # `key:` on a line of its own, the value as it is below.
        yield (value.start, value.start), f"{change.key}:\n{' ' * value.column}"
    else:
        yield (value.start, value.start), f"{{{change.key}: "
        yield (value.end, value.end), "}"
