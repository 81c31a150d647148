"""The dimensions of a search space: their values, and the conditions under which they apply."""

from __future__ import annotations

import json
import math
import operator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.ranges import POINTS, Range
from lstmgraph.messages.wording import shown
from lstmgraph.root_error import LstmgraphError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from lstmgraph.messages.diagnostics import Path

Values = dict[str, Any]
"""A value for each dimension that applies, by name, in the order of the space."""


class SpaceError(LstmgraphError, ValueError):
    """Raised for values that are not a point of the space. The message lists all mistakes."""


@dataclass(frozen=True)
class Condition:
    """A condition: the dimension named `dimension` has one of `values`."""

    dimension: str
    values: tuple[str | int, ...]


@dataclass(frozen=True)
class Dimension:
    """One searched value.

    `kind` is ``int``, ``float``, ``choice``, ``bool`` or ``choose``. The first two have a `range`,
    the others `choices`; those of ``choose`` are the names of its alternatives. A dimension
    applies where all its `conditions` hold; the last of them is the innermost.
    """

    name: str
    """The dotted path of the value in the recipe: ``layers.encoder.units``, ``vars.units``."""
    kind: str
    default: Any
    conditions: tuple[Condition, ...] = ()
    range: Range | None = None
    choices: tuple[Any, ...] = ()
    path: Path = ()
    """The path of its ``$search`` or ``$choose`` in the document."""
    targets: tuple[Path, ...] = ()
    """The paths of its value in a concrete recipe; several for a variable."""

    @property
    def target(self) -> Path:
        """The path of its value, or of its first one, in a concrete recipe."""
        return self.targets[0]

    @property
    def is_variable(self) -> bool:
        """Whether it is a variable, or in the alternatives of one."""
        return self.path[:1] == ("vars",)

    def count(self) -> int | None:
        """Return the number of values; None if there are infinitely many."""
        return len(self.choices) if self.range is None else self.range.count()

    def values(self, points: int = POINTS) -> Iterator[Any]:
        """Yield all values in a fixed order; `points` of them if there are infinitely many."""
        return iter(self.choices) if self.range is None else self.range.values(points)

    def draw(self, random: random.Random) -> Any:
        """Return a random value, uniform over the choices or over the scale of the range."""
        share = random.random()
        if self.range is not None:
            return self.range.draw(share)
        return self.choices[math.floor(share * len(self.choices))]

    def accepted(self, value: Any) -> Any:
        """Return the dimension's value that equals `value`; a float for ``1`` among floats.

        Raises:
            SpaceError: if it is not one of the dimension's values.
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
        raise SpaceError(f"{self.name} must be {self.extent()}, not {shown(value)}")

    def as_dict(self) -> dict[str, Any]:
        """Return the dimension as an entry of ``Space.as_dict()``."""
        numbers = self.range
        bounds = None if numbers is None else asdict(numbers)
        return {
            "name": self.name,
            "kind": self.kind,
            "range": bounds,
            "choices": None if numbers else list(self.choices),
            "default": self.default,
            "conditions": [
                {"dimension": condition.dimension, "values": list(condition.values)}
                for condition in self.conditions
            ],
        }

    def extent(self) -> str:
        """Return the searched values in words: ``int from 32 to 256 by 32``."""
        if self.range is None:
            return f"one of {', '.join(text_of(choice) for choice in self.choices)}"
        low, high, step = self.range.low, self.range.high, self.range.step
        by = "" if step is None else f" {'by' if self.range.scale == 'linear' else 'times'} {step}"
        scale = "" if self.range.scale == "linear" else f", {self.range.scale} scale"
        return f"{self.kind} from {low} to {high}{by}{scale}"


def counts(dimension: Dimension, values: Mapping[str, Any]) -> bool:
    """Return whether `dimension` applies, given the values of those before it."""
    return all(
        condition.dimension in values and values[condition.dimension] in condition.values
        for condition in dimension.conditions
    )


def conditions_text(dimension: Dimension) -> str:
    """Return the conditions of `dimension` in words: ``layers.encoder.depth is 2 or 3``."""
    return " and ".join(map(_condition_text, dimension.conditions))


def _condition_text(condition: Condition) -> str:
    """Return a condition in words, with at most six values."""
    words = [str(value) for value in condition.values]
    if len(words) > 6:
        words = [*words[:2], "...", words[-1]]
        return f"{condition.dimension} is one of {', '.join(words)}"
    return f"{condition.dimension} is {' or '.join(words)}"


def text_of(value: Any) -> str:
    """Return plain data as JSON to compare by: ``1``, ``1.0`` and ``true`` are different."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _number(value: Any) -> float | None:
    """Return `value` as a Python number, also from NumPy; None if it is not a finite number."""
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
