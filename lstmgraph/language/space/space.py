"""A search space: its dimensions, its points, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.dimensions import (
    SpaceError,
    conditions_text,
    counts,
    text_of,
)
from lstmgraph.language.space.ranges import POINTS
from lstmgraph.messages.wording import counted, did_you_mean

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from lstmgraph.language.space.dimensions import Dimension, Values
    from lstmgraph.messages.tables import Section

_NOTHING = "nothing is searched"


@dataclass(frozen=True)
class Space:
    """All dimensions of a recipe; a dimension stands after those that its conditions name."""

    dimensions: tuple[Dimension, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Dimension]:
        """The dimensions by their names, in order."""
        return {dimension.name: dimension for dimension in self.dimensions}

    def defaults(self) -> Values:
        """The point that is built when nobody says otherwise."""
        return self.point({})

    def point(self, values: Mapping[str, Any]) -> Values:
        """A whole point: `values`, each as its dimension has it, and defaults for the rest.

        Raises:
            SpaceError: a name or a value that is not in the space, or a dimension that does not
                count with the other values.
        """
        wrong = [self._unknown(name) for name in values if name not in self.by_name]
        found: Values = {}
        for dimension in self.dimensions:
            name = dimension.name
            if not counts(dimension, found):
                wrong += [self._idle(dimension)] if name in values else []
                continue
            try:
                found[name] = dimension.accepted(values.get(name, dimension.default))
            except SpaceError as error:
                wrong.append(str(error))
                found[name] = dimension.default
        if wrong:
            raise SpaceError("; ".join(wrong))
        return found

    def key(self, values: Mapping[str, Any]) -> str:
        """A text that is equal for equal points, however they are written.

        Raises:
            SpaceError: see `point`.
        """
        return text_of(self.point(values))

    def sample(self, random: random.Random) -> Values:
        """A point by chance, drawn from the first dimension to the last."""
        found: Values = {}
        for dimension in self.dimensions:
            if counts(dimension, found):
                found[dimension.name] = dimension.draw(random)
        return found

    def grid(self, points: int = POINTS) -> Iterator[Values]:
        """Every point once, the last dimension changing first.

        Args:
            points: values taken, evenly on its scale, from a range that has infinitely many.
        """
        return self._grid(0, {}, points)

    def size(self) -> int | None:
        """How many points there are; None where they are infinitely many."""
        return self._size(None, None)

    def as_dict(self) -> dict[str, Any]:
        """The stable form that ``--format json`` prints; docs/json.md describes it."""
        return {
            "dimensions": [dimension.as_dict() for dimension in self.dimensions],
            "points": self.size(),
        }

    def __repr__(self) -> str:
        return f"<Space: {self._size_text() if self.dimensions else _NOTHING}>"

    def __str__(self) -> str:
        from lstmgraph.messages.tables import as_text  # noqa: PLC0415 - rich, to print

        return as_text([self._section()])

    def _repr_html_(self) -> str:
        from lstmgraph.messages.notebook import notebook_html  # noqa: PLC0415 - as above

        return notebook_html([self._section()])

    def _section(self) -> Section:
        from lstmgraph.messages.tables import Section  # noqa: PLC0415 - as above

        if not self.dimensions:
            return Section(lines=[_NOTHING])
        rows = [_row(dimension) for dimension in self.dimensions]
        headings = ("dimension", "searched", "default", "counts where")
        return Section(headings=headings, rows=rows, lines_below=[self._size_text()])

    def _size_text(self) -> str:
        dimensions, size = counted(len(self.dimensions), "dimension"), self.size()
        if size is not None:
            return f"{dimensions}, {counted(size, 'point')}"
        names = ", ".join(each.name for each in self.dimensions if each.count() is None)
        return f"{dimensions}, infinitely many points: continuous without a step are {names}"

    def _grid(self, index: int, found: Values, points: int) -> Iterator[Values]:
        while index < len(self.dimensions) and not counts(self.dimensions[index], found):
            index += 1
        if index == len(self.dimensions):
            yield found
            return
        dimension = self.dimensions[index]
        for value in dimension.values(points):
            yield from self._grid(index + 1, {**found, dimension.name: value}, points)

    def _size(self, parent: str | None, value: Any) -> int | None:
        """Points of the dimensions that `parent` lets count where it has `value`."""
        product = 1
        for dimension in self._children.get(parent, ()):
            if dimension.conditions and value not in dimension.conditions[-1].values:
                continue
            count = self._points_of(dimension)
            if count is None:
                return None
            product *= count
        return product

    def _points_of(self, dimension: Dimension) -> int | None:
        if dimension.name not in self._children:
            return dimension.count()
        counts = [self._size(dimension.name, value) for value in dimension.values()]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @cached_property
    def _children(self) -> Mapping[str | None, list[Dimension]]:
        """Dimensions by the one whose value decides last whether they count."""
        children: dict[str | None, list[Dimension]] = {}
        for dimension in self.dimensions:
            parent = dimension.conditions[-1].dimension if dimension.conditions else None
            children.setdefault(parent, []).append(dimension)
        return children

    def _unknown(self, name: str) -> str:
        return f"{name} is not searched{did_you_mean(name, self.by_name)}"

    def _idle(self, dimension: Dimension) -> str:
        return f"{dimension.name} counts only where {conditions_text(dimension)}"


def _row(dimension: Dimension) -> tuple[str, ...]:
    default = text_of(dimension.default)
    return dimension.name, dimension.extent(), default, conditions_text(dimension)
