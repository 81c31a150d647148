"""The origin of each value of a completed recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lstmgraph.messages.diagnostics import MAPPING
from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from lstmgraph.language.space.collect import Collected
    from lstmgraph.language.text.document import Document
    from lstmgraph.language.text.origins import Variable
    from lstmgraph.messages.diagnostics import Path, Place
    from lstmgraph.messages.tables import Section

_WIDEST = 40


@dataclass(frozen=True)
class Origin:
    """The origin of one value of the completed recipe."""

    path: Path
    value: Any
    source: str
    """``default``; ``recipe``, ``base`` or ``preset`` for a value in a file; ``set`` for ``--set``;
    ``search`` for the default of a search."""
    place: Place | None = None
    """The place where it is written; None for a default."""
    variables: tuple[Variable, ...] = ()
    """The variables that it was made from, with the places of their definitions."""
    deleted: Place | None = None
    """For a default, the place where an inherited value was deleted."""

    @property
    def name(self) -> str:
        """The path as ``--set`` takes it, such as ``layers.encoder.units``."""
        return ".".join(str(part) for part in self.path)

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints, described in docs/json.md."""
        made = [{"name": each.name, **_spot(each.place)} for each in self.variables]
        return {
            "path": list(self.path),
            "value": self.value,
            "source": self.source,
            **_spot(self.place),
            "variables": made,
            "deleted": _spot(self.deleted) if self.deleted else None,
        }

    def __str__(self) -> str:
        """Return the origin as text: ``recipes/base.yaml:12, vars.size at --set vars.size``."""
        where = "default" if self.place is None else _shown(self.place)
        if self.source == "search":
            where += ", the default of a search"
        if self.deleted is not None:
            where += f", deleted at {_shown(self.deleted)}"
        made = [f"vars.{each.name} at {_shown(each.place)}" for each in self.variables]
        return ", ".join([where, *made])


@dataclass(frozen=True)
class Blame:
    """The origin of every value of a recipe, in the recipe's order; ``str()`` returns the table."""

    recipe: str
    values: tuple[Origin, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {"recipe": self.recipe, "values": [each.as_dict() for each in self.values]}

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown."""
        from lstmgraph.messages.tables import as_markdown  # noqa: PLC0415 - only when printed

        return as_markdown([self._section()])

    def _section(self) -> Section:
        from lstmgraph.messages.tables import Section  # noqa: PLC0415 - as above

        rows = [(each.name, _short(each.value), str(each)) for each in self.values]
        return Section(self.recipe, headings=("value", "is", "from"), rows=rows)

    def __repr__(self) -> str:
        written = sum(each.source != "default" for each in self.values)
        return f"<Blame of {self.recipe}: {len(self.values):,} values, {written:,} of them written>"

    def _repr_html_(self) -> str:
        from lstmgraph.messages.notebook import notebook_html  # noqa: PLC0415 - only when shown

        return notebook_html([self._section()])

    def __str__(self) -> str:
        rows = [
            tuple(map(printable, (each.name, _short(each.value), str(each))))
            for each in self.values
        ]
        name, value = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
        lines = [f"{row[0]:<{name}}  {row[1]:<{value}}  {row[2]}" for row in rows]
        from lstmgraph.messages.tables import as_text, fits  # noqa: PLC0415 - only when printed

        return "\n".join(lines) if fits(lines) else as_text([self._section()])


class Completed(Protocol):
    """What `blame` needs of a compiled recipe."""

    @property
    def completed(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def document(self) -> Document: ...  # noqa: D102
    @property
    def collected(self) -> Collected: ...  # noqa: D102


def blame(recipe: Completed) -> Blame:
    """Return the origin of every value of `recipe`; for searched values, of their defaults."""
    searched = {t for dimension in recipe.collected.space.dimensions for t in dimension.targets}
    tracing = _Tracing(recipe.document, searched)
    values = tuple(tracing.origin(path, value) for path, value in _leaves(recipe.completed, ()))
    return Blame(str(recipe.completed["name"]), values)


@dataclass(frozen=True)
class _Tracing:
    document: Document
    searched: Container[Path]

    def origin(self, path: Path, value: Any) -> Origin:
        written = self.written(path, value)
        if written is None:
            return Origin(path, value, "default", deleted=self.document.origins.deleted.get(path))
        place = self.document.place(written)
        several = range(len(value)) if isinstance(value, list) else ()
        at = [written, *((*written, index) for index in several)]
        made = dict.fromkeys(each for one in at for each in self.document.origins.of(one))
        return Origin(path, value, self.source(written, place), place, tuple(made))

    def source(self, path: Path, place: Place) -> str:
        if any(path[:end] in self.searched for end in range(1, len(path) + 1)):
            return "search"
        if place.is_option:
            return "set"
        if place.is_preset:
            return "preset"
        return "recipe" if place.source == self.document.source else "base"

    def written(self, path: Path, value: Any) -> Path | None:
        """Return the path in the document of a value of the completed recipe; None for a default.

        The paths differ, as completing turns ``adam`` into ``{type: adam}``, and a single value
        into a list if there may be several.
        """
        here: Any = self.document.data
        found: Path = ()
        for part in path:
            inner = _inside(here, part)
            if inner is not _NOTHING:
                here, found = inner, (*found, part)
            elif isinstance(here, dict) and isinstance(part, int):
                continue  # one, where there may be several
            else:
                return found if not isinstance(here, dict | list) and here == value else None
        return found


_NOTHING = object()


def _inside(data: Any, part: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(part, _NOTHING)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return _NOTHING


def _leaves(data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield plain values, and lists of plain values, with their paths."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list) and any(isinstance(each, dict | list) for each in data):
        for index, value in enumerate(data):
            yield from _leaves(value, (*path, index))
    elif data != "" or len(path) != 1:
        yield path, data


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _shown(place: Place) -> str:
    """Return ``file:line``, or only the source of a value that a program or an option put in."""
    return (
        place.source
        if place.is_option or place.source == MAPPING
        else f"{place.source}:{place.span.line}"
    )


def _spot(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"file": None, "line": None, "column": None}
    return {"file": place.source, "line": place.span.line, "column": place.span.column}
