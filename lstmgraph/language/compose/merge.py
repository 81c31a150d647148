"""Lay one document over another: mappings are merged key by key, other values are replaced."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.language.text.document import Document
from lstmgraph.language.text.origins import DELETE, Origins
from lstmgraph.messages.diagnostics import Diagnostics
from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from lstmgraph.messages.diagnostics import Path, Place

WHOLE = ("mask", "initial_state")
"""Keys of a layer whose mappings are single values in one of several forms: not merged."""


def overlay(lower: Document, upper: Document) -> Document:
    """Return `upper` laid over `lower`, with the positions and diagnostics of both.

    Both are mappings, and neither is changed. Where a value of `upper` is ``$delete``, the result
    has no such key.
    """
    result = Document(
        values=dict(lower.values),
        keys=dict(lower.keys),
        sources={**lower.sources, **upper.sources},
        diagnostics=Diagnostics([*lower.diagnostics.found, *upper.diagnostics.found]),
        source=upper.source,
        origins=Origins(
            upper.origins.extended,
            deleted=dict(lower.origins.deleted),
            unknown=set(lower.origins.unknown),
        ),
    )
    merging = _Merging(result, upper)
    result.data = merging.mapping(lower.data, upper.data, ())
    result.values |= {p: v for p, v in upper.values.items() if p not in merging.deleted}
    result.keys |= {p: v for p, v in upper.keys.items() if p not in merging.deleted}
    for path, key in merging.useless:
        _report_nothing_to_delete(result, path, key)
    return result


def without(document: Document, *keys: str) -> Document:
    """Return `document`, which is a mapping, without some of its keys; it is not changed."""
    deleted = [(key,) for key in keys]
    return replace(
        document,
        data={key: value for key, value in document.data.items() if key not in keys},
        values={path: at for path, at in document.values.items() if path[:1] not in deleted},
        keys={path: at for path, at in document.keys.items() if path[:1] not in deleted},
    )


def check_deletions(document: Document) -> None:
    """Report each ``$delete`` in a document that extends nothing."""
    merging = _Merging(document, document)
    merging.fresh(document.data, ())
    for path, _ in merging.useless:
        _report_nothing_to_delete(document, path, None)


@dataclass
class _Merging:
    result: Document
    upper: Document
    deleted: set[Path] = field(default_factory=set)
    """Paths of `upper` that hold ``$delete``."""
    useless: list[tuple[Path, list[str] | None]] = field(default_factory=list)
    """Paths of a ``$delete`` without effect, each with the keys that are inherited there."""

    def mapping(self, lower: dict[str, Any], upper: dict[str, Any], path: Path) -> dict[str, Any]:
        data = {key: self.copied(value) for key, value in lower.items() if key not in upper}
        merged = {key: self.entry(lower, upper, key, path) for key in upper}
        # Inherited keys come first, in their order, as if the base had been edited.
        order = dict.fromkeys((*lower, *upper))
        values = {**data, **merged}
        return {key: values[key] for key in order if (*path, key) not in self.deleted}

    def entry(self, lower: dict[str, Any], upper: dict[str, Any], key: str, path: Path) -> Any:
        own, at = upper[key], (*path, key)
        if own == DELETE and key in lower:
            self.drop_positions(lower[key], at)
            self.deleted.add(at)
            self.result.origins.deleted[at] = self.upper.place(at, at_key=True)
        elif own == DELETE:
            self.useless.append((at, list(lower)))
        elif key in lower and merges(lower[key], own, at):
            return self.mapping(lower[key], own, at)
        elif key in lower:
            self.drop_positions(lower[key], at)
            return self.fresh(own, at)
        else:
            self.result.origins.deleted.pop(at, None)
            return self.fresh(own, at)
        return own

    def drop_positions(self, data: Any, path: Path) -> None:
        """Remove the positions of `data`, which is replaced."""
        tables: tuple[dict[Path, Place], ...] = (self.result.values, self.result.keys)
        for table in tables:
            table.pop(path, None)
        for key, inner in _entries(data):
            self.drop_positions(inner, (*path, key))

    def fresh(self, data: Any, path: Path) -> Any:
        """Return a copy of a value that inherits nothing; a ``$delete`` in it is a mistake."""
        if data == DELETE:
            self.useless.append((path, None))
        if isinstance(data, dict):
            return {key: self.fresh(inner, (*path, key)) for key, inner in data.items()}
        if isinstance(data, list):
            return [self.fresh(inner, (*path, index)) for index, inner in enumerate(data)]
        return data

    def copied(self, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: self.copied(inner) for key, inner in data.items()}
        return [self.copied(inner) for inner in data] if isinstance(data, list) else data


def _entries(data: Any) -> list[tuple[Any, Any]]:
    if isinstance(data, dict):
        return list(data.items())
    return list(enumerate(data)) if isinstance(data, list) else []


def merges(lower: Any, upper: Any, path: Path) -> bool:
    """Return whether `upper` is merged with `lower` key by key; else it replaces it."""
    if not (isinstance(lower, dict) and isinstance(upper, dict)):
        return False
    if path[-3:-2] == ("layers",) and len(path) in (3, 5) and path[-1] in WHOLE:
        return False
    return not (_is_form(lower) or _is_form(upper))


def _is_form(data: dict[str, Any]) -> bool:
    """Return whether `data` is a ``$search`` or a ``$choose``, which stands for a value."""
    return any(key.startswith("$") for key in data)


def _report_nothing_to_delete(document: Document, path: Path, beside: list[str] | None) -> None:
    key = path[-1] if path else ""
    if isinstance(key, int):
        message = f"`{DELETE}` cannot remove an entry of a list"
        hint = "a list is replaced as a whole: write it without the entry"
    elif beside:
        message = f"no '{key}' is inherited here{document.guesses.did_you_mean(key, beside)}"
        hint = f"inherited here: {listed(beside[:30])}"
    else:
        message = f"nothing is inherited here that `{DELETE}` could remove"
        hint = "remove the line; `$delete` removes what a file under `extends:` defines"
    document.report("L136", path, message, hint=hint)
    document.origins.unknown.add(path)
