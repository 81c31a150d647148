"""A search space: its dimensions, its points, and its size."""

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
    """The dimensions of a recipe; each comes after those that its conditions name."""

    dimensions: tuple[Dimension, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Dimension]:
        """The dimensions by name, in order."""
        return {dimension.name: dimension for dimension in self.dimensions}

    def defaults(self) -> Values:
        """Return the point of all defaults."""
        return self.point({})

    def point(self, values: Mapping[str, Any]) -> Values:
        """Return a whole point of the space: `values`, and defaults for the other dimensions.

        Raises:
            SpaceError: if a name or a value is not in the space, or a dimension does not apply
                with the other values.
        """
        wrong = [self._unknown(name) for name in values if name not in self.by_name]
        point: Values = {}
        for dimension in self.dimensions:
            name = dimension.name
            if not counts(dimension, point):
                wrong += [self._idle(dimension)] if name in values else []
                continue
            try:
                point[name] = dimension.accepted(values.get(name, dimension.default))
            except SpaceError as error:
                wrong.append(str(error))
                point[name] = dimension.default
        if wrong:
            raise SpaceError("; ".join(wrong))
        return point

    def key(self, values: Mapping[str, Any]) -> str:
        """Return a text that is equal for equal points, however they are written.

        Raises:
            SpaceError: as ``point`` does.
        """
        return text_of(self.point(values))

    def sample(self, random: random.Random) -> Values:
        """Return a random point, drawn from the first dimension to the last."""
        point: Values = {}
        for dimension in self.dimensions:
            if counts(dimension, point):
                point[dimension.name] = dimension.draw(random)
        return point

    def grid(self, points: int = POINTS) -> Iterator[Values]:
        """Yield every point once; the last dimension changes fastest.

        Args:
            points: the number of values to take from a continuous range, evenly on its scale.
        """
        return self._grid(0, {}, points)

    def size(self) -> int | None:
        """Return the number of points; None if there are infinitely many."""
        return self._size

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints; docs/json.md describes it."""
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
        headings = ("dimension", "searched", "default", "applies where")
        return Section(headings=headings, rows=rows, lines_below=[self._size_text()])

    def _size_text(self) -> str:
        dimensions, size = counted(len(self.dimensions), "dimension"), self.size()
        if size is not None:
            return f"{dimensions}, {counted(size, 'point')}"
        names = ", ".join(d.name for d in self.dimensions if d.count() is None)
        return f"{dimensions}, infinitely many points, because {names} have no step"

    def _grid(self, index: int, point: Values, points: int) -> Iterator[Values]:
        while index < len(self.dimensions) and not counts(self.dimensions[index], point):
            index += 1
        if index == len(self.dimensions):
            yield point
            return
        dimension = self.dimensions[index]
        for value in dimension.values(points):
            yield from self._grid(index + 1, {**point, dimension.name: value}, points)

    @cached_property
    def _size(self) -> int | None:
        """The number of points, counted from the first dimension to the last.

        Points are told apart only by the dimensions that later conditions name.
        """
        last = {
            condition.dimension: index
            for index, dimension in enumerate(self.dimensions)
            for condition in dimension.conditions
        }
        found: dict[tuple[tuple[str, Any], ...], int] = {(): 1}
        for index, dimension in enumerate(self.dimensions):
            count = dimension.count()
            if count is None:
                return None
            longer: dict[tuple[tuple[str, Any], ...], int] = {}
            for before, number in found.items():
                decided = tuple(pair for pair in before if last[pair[0]] > index)
                if not counts(dimension, dict(before)):
                    ways = [(decided, number)]
                elif dimension.name in last:
                    values = dimension.values()
                    ways = [((*decided, (dimension.name, v)), number) for v in values]
                else:
                    ways = [(decided, number * count)]
                for pairs, own in ways:
                    longer[pairs] = longer.get(pairs, 0) + own
            found = longer
        return sum(found.values())

    def _unknown(self, name: str) -> str:
        return f"{name} is not searched{did_you_mean(name, self.by_name)}"

    def _idle(self, dimension: Dimension) -> str:
        return f"{dimension.name} applies only where {conditions_text(dimension)}"


def _row(dimension: Dimension) -> tuple[str, ...]:
    default = text_of(dimension.default)
    return dimension.name, dimension.extent(), default, conditions_text(dimension)
