"""A search space: its dimensions, when each of them counts, and the values that they take."""

from __future__ import annotations

import json
import math
import operator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.ranges import POINTS, Range
from lstmgraph.messages.wording import did_you_mean, shown

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from lstmgraph.messages.diagnostics import Path

Values = dict[str, Any]
"""A value for each dimension that counts, by its name, in the order of the space."""


class SpaceError(ValueError):
    """Values that are not a point of the space. The message says all that is wrong."""


@dataclass(frozen=True)
class Condition:
    """A dimension counts only where `dimension` has one of `values`."""

    dimension: str
    values: tuple[str | int, ...]


@dataclass(frozen=True)
class Dimension:
    """One value that is searched.

    `kind` is ``int``, ``float``, ``choice``, ``bool`` or ``choose``; the first two have a `range`,
    the others `choices` (of ``choose``, the names of the alternatives). It counts where all its
    `conditions` hold; the last of them is the nearest.
    """

    name: str
    """Where the value stands in the recipe: ``layers.encoder.units``."""
    kind: str
    default: Any
    conditions: tuple[Condition, ...] = ()
    range: Range | None = None
    choices: tuple[Any, ...] = ()
    path: Path = ()
    """Where its ``$search`` or ``$choose`` is written."""
    target: Path = ()
    """Where its value stands once the recipe is concrete."""

    def count(self) -> int | None:
        """How many values there are; None where they are infinitely many."""
        return len(self.choices) if self.range is None else self.range.count()

    def values(self, points: int = POINTS) -> Iterator[Any]:
        """All values in a fixed order; of infinitely many, `points`."""
        return iter(self.choices) if self.range is None else self.range.values(points)

    def draw(self, random: random.Random) -> Any:
        """A value by chance: every choice is equally likely, every part of a range's scale too."""
        share = random.random()
        if self.range is not None:
            return self.range.draw(share)
        return self.choices[math.floor(share * len(self.choices))]

    def accepted(self, value: Any) -> Any:
        """`value` as the dimension has it: a float for a whole number where floats are searched.

        Raises:
            SpaceError: it is none of the dimension's values.
        """
        if self.range is None:
            for choice in self.choices:
                if text_of(choice) == text_of(value):
                    return choice
        else:
            number = _number(value)
            near = None if number is None else self.range.nearest(number)
            if near is not None:
                return near
        raise SpaceError(f"{self.name} cannot be {shown(value)}: it is {self.extent()}")

    def as_dict(self) -> dict[str, Any]:
        """As `Space.as_dict` has it: bounds for a range, choices for the rest."""
        numbers = self.range
        bounds = None if numbers is None else asdict(numbers)
        return {
            "name": self.name,
            "kind": self.kind,
            "range": bounds,
            "choices": None if numbers else list(self.choices),
            "default": self.default,
            "conditions": [
                {"dimension": each.dimension, "values": list(each.values)}
                for each in self.conditions
            ],
        }

    def extent(self) -> str:
        """What is searched, in words: ``int from 32 to 256 by 32``."""
        if self.range is None:
            return f"one of {', '.join(text_of(choice) for choice in self.choices)}"
        low, high, step = self.range.low, self.range.high, self.range.step
        by = "" if step is None else f" {'by' if self.range.scale == 'linear' else 'times'} {step}"
        scale = "" if self.range.scale == "linear" else f", {self.range.scale} scale"
        return f"{self.kind} from {low} to {high}{by}{scale}"


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

    def __str__(self) -> str:
        from lstmgraph.language.space.listing import space_text  # noqa: PLC0415 - rich, only when printed

        return space_text(self)

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
        needed = " and ".join(condition_text(each) for each in dimension.conditions)
        return f"{dimension.name} counts only where {needed}"


def counts(dimension: Dimension, values: Mapping[str, Any]) -> bool:
    """Whether `dimension` counts, given the values of those before it."""
    return all(
        each.dimension in values and values[each.dimension] in each.values
        for each in dimension.conditions
    )


def condition_text(condition: Condition) -> str:
    """``layers.encoder.depth is 2 or 3``; very many values are not all shown."""
    words = [str(value) for value in condition.values]
    if len(words) > 6:
        words = [*words[:2], "...", words[-1]]
        return f"{condition.dimension} is one of {', '.join(words)}"
    return f"{condition.dimension} is {' or '.join(words)}"


def text_of(value: Any) -> str:
    """Plain data as JSON, equal for equal data: ``1``, ``1.0`` and ``true`` stay apart."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _number(value: Any) -> float | None:
    """`value` as a Python number, such as those of NumPy; None for what is none."""
    if isinstance(value, bool | str):
        return None
    try:
        return operator.index(value)
    except TypeError:
        pass
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
