"""Named things of one kind on two sides: which were added, removed, renamed and changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Facts = dict[str, Any]
"""What is known of a thing: plain values by key."""


@dataclass(frozen=True)
class Item:
    """A thing with a name, such as a call of a layer."""

    name: str
    summary: str
    """What it is, in a few words."""
    facts: Facts

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, **self.facts}


@dataclass(frozen=True)
class Change:
    """A value that differs; None where a side has none."""

    key: str
    before: Any
    after: Any

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"key": self.key, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Changed:
    """A thing that both sides have, by the name of the second, and what differs in it."""

    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Difference:
    """All differences between things of one kind."""

    added: tuple[Item, ...] = ()
    removed: tuple[Item, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    """Names of the first side, and those of the second."""
    changed: tuple[Changed, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.removed or self.renamed or self.changed)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as docs/json.md describes it."""
        return {
            "added": [item.as_dict() for item in self.added],
            "removed": [item.as_dict() for item in self.removed],
            "renamed": [{"before": before, "after": after} for before, after in self.renamed],
            "changed": [
                {"name": each.name, "changes": [change.as_dict() for change in each.changes]}
                for each in self.changed
            ],
        }


def compare_items(
    before: Mapping[str, Item], after: Mapping[str, Item], renamed: Mapping[str, str]
) -> Difference:
    """Compare things by their names.

    Args:
        before: the first side's, by name.
        after: the second side's.
        renamed: of a thing of the first side, its name on the second, where it has another.
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
        changed=tuple(each for each in changed if each.changes),
    )


def changes(before: Facts, after: Facts) -> Iterator[Change]:
    """Values that differ. Of things of two types, only what both types have is compared."""
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
    """The leaves of nested mappings, by dotted path; mappings in a list count from 1."""
    if isinstance(value, list | tuple) and any(isinstance(each, dict) for each in value):
        value = {str(number): each for number, each in enumerate(value, start=1)}
    if not isinstance(value, dict):
        yield path, list(value) if isinstance(value, tuple) else value
        return
    for key, each in value.items():
        yield from flattened(each, f"{path}.{key}" if path else str(key))
