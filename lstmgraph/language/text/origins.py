"""Where the parts of a document came from, where it is made of more than one text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lstmgraph.messages.diagnostics import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.messages.diagnostics import Path, Place

DELETE = "$delete"
"""Stands in place of a value that is no longer inherited."""


@dataclass(frozen=True)
class Variable:
    """A variable that a value was made with."""

    name: str
    text: str
    """Its value as a recipe shows it."""
    place: Place
    """Where it is defined."""


@dataclass
class Origins:
    """What a document was composed of; empty where it is one text without variables."""

    extended: dict[str, Place] = field(default_factory=dict)
    """By the name of a base's text, the entry of `extends` that brought it in."""
    variables: dict[Path, tuple[Variable, ...]] = field(default_factory=dict)
    """By the path of a value, what it was made with, those that these were made with included."""
    deleted: dict[Path, Place] = field(default_factory=dict)
    """By the path of what is no longer inherited, where that is said."""
    unknown: set[Path] = field(default_factory=set)
    """Paths where no value could be made, which is reported: nothing more is said of them."""

    def notes(self, path: Path, place: Place) -> tuple[Note, ...]:
        """What there is to say of a mistake at `path`, which is shown at `place`."""
        return (*self._variable_notes(path), *self._base_notes(place))

    def deletion(self, *paths: Path) -> tuple[Note, ...]:
        """Where one of `paths`, which is missed, was deleted."""
        return tuple(Note("deleted here", self.deleted[p]) for p in paths if p in self.deleted)

    def of(self, path: Path) -> tuple[Variable, ...]:
        """The variables that the value at `path`, or the list that it stands in, was made with."""
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
