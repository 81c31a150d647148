"""The origins of a document's values: the bases and variables it was composed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.diagnostics import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.messages.diagnostics import Path, Place

DELETE = "$delete"
"""Written in place of a value that is not to be inherited."""


@dataclass(frozen=True)
class Variable:
    """A variable that a value was made from."""

    name: str
    text: str
    """Its value as a recipe would write it."""
    place: Place
    """The place of its definition."""


@dataclass
class Origins:
    """What a document was composed from; empty for one text without variables."""

    extended: dict[str, Place] = field(default_factory=dict)
    """The entries of `extends`, by the name of the base that each brought in."""
    variables: dict[Path, tuple[Variable, ...]] = field(default_factory=dict)
    """The variables of each value, by its path; includes the variables of those variables."""
    searched: dict[Path, str] = field(default_factory=dict)
    """The variables that are dimensions of the search, by the path of each use."""
    forms: dict[str, Any] = field(default_factory=dict)
    """The ``$search`` or ``$choose`` of each of them, by its name."""
    deleted: dict[Path, Place] = field(default_factory=dict)
    """The places of each ``$delete``, by the path of the deleted value."""
    unknown: set[Path] = field(default_factory=set)
    """Paths without a value because of a reported mistake; nothing more is reported there."""

    def notes(self, path: Path, place: Place) -> tuple[Note, ...]:
        """Return the notes for a mistake at `path` that is shown at `place`."""
        return (*self._variable_notes(path), *self._base_notes(place))

    def deletion(self, *paths: Path) -> tuple[Note, ...]:
        """Return notes on where those of `paths` that are missing were deleted."""
        return tuple(Note("deleted here", self.deleted[p]) for p in paths if p in self.deleted)

    def of(self, path: Path) -> tuple[Variable, ...]:
        """Return the variables that the value at `path`, or the list around it, was made from."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.variables:
                return self.variables[path[:end]]
        return ()

    def _variable_notes(self, path: Path) -> Iterator[Note]:
        if self.variables:
            for variable in self.of(path):
                yield Note(f"`vars.{variable.name}` is {variable.text}", variable.place)

    def _base_notes(self, place: Place) -> Iterator[Note]:
        source = place.source
        while source in self.extended:
            yield Note("extended here", self.extended[source])
            source = self.extended[source].source
