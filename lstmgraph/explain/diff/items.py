"""Comparison of named items: which were added, removed, renamed and changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.wording import flow, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Facts = dict[str, Any]
"""The facts of an item: plain values by key."""


@dataclass(frozen=True)
class Item:
    """An item with a name, such as a call of a layer."""

    name: str
    summary: str
    """A short description."""
    facts: Facts

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"name": self.name, **self.facts}


@dataclass(frozen=True)
class Change:
    """A value that differs; None on a side that does not have it."""

    key: str
    before: Any
    after: Any

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"key": self.key, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Changed:
    """An item of both sides, by its name on the second, and its changes."""

    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Difference:
    """All differences between items of one kind; false if there are none."""

    added: tuple[Item, ...] = ()
    removed: tuple[Item, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    """Pairs of the names on the first and on the second side."""
    changed: tuple[Changed, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return bool(self.added or self.removed or self.renamed or self.changed)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, described in docs/json.md."""
        return {
            "added": [item.as_dict() for item in self.added],
            "removed": [item.as_dict() for item in self.removed],
            "renamed": [{"before": before, "after": after} for before, after in self.renamed],
            "changed": [
                {"name": item.name, "changes": [change.as_dict() for change in item.changes]}
                for item in self.changed
            ],
        }


LONGEST_VALUE = 200
"""The most characters of a value in a line."""


def compare_items(
    before: Mapping[str, Item], after: Mapping[str, Item], renamed: Mapping[str, str]
) -> Difference:
    """Compare items by their names.

    Args:
        before: The items of the first side, by name.
        after: The items of the second side, by name.
        renamed: The new names on the second side, by the name on the first.
    """
    pairs = {renamed.get(name, name): name for name in before}
    changed = [
        Changed(name, tuple(changes(before[pairs[name]].facts, after[name].facts)))
        for name in after
        if name in pairs
    ]
    return Difference(
        added=tuple(item for name, item in after.items() if name not in pairs),
        removed=tuple(before[own] for name, own in pairs.items() if name not in after),
        renamed=tuple((own, name) for own, name in renamed.items() if own in before),
        changed=tuple(item for item in changed if item.changes),
    )


def changes(before: Facts, after: Facts) -> Iterator[Change]:
    """Yield the values that differ; if the types differ, only of facts that both types have."""
    other_type = before.get("type") != after.get("type")
    for key in {**before, **after}:
        if other_type and (key not in before or key not in after):
            continue
        if not alike(before.get(key), after.get(key)):
            yield Change(key, before.get(key), after.get(key))


def alike(one: Any, other: Any) -> bool:
    """Return whether two plain values are the same: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings by dotted path; mappings in a list count from 1."""
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        value = {str(number): item for number, item in enumerate(value, start=1)}
    if not isinstance(value, dict):
        yield path, list(value) if isinstance(value, tuple) else value
        return
    for key, inner in value.items():
        yield from flattened(inner, f"{path}.{key}" if path else str(key))


def changed_lines(before: Any, after: Any) -> Iterator[str]:
    """Yield ``-path: value`` and ``+path: value`` for each value of nested data that differs."""
    old, new = dict(flattened(before)), dict(flattened(after))
    for path in {**old, **new}:
        if path in old and path in new and alike(old[path], new[path]):
            continue
        for sign, values in (("-", old), ("+", new)):
            if path in values:
                yield f"{sign}{path}: {shortened(flow(values[path]), LONGEST_VALUE)}"
