"""The dimensions of a search space: when each of them counts, and the values that they take."""

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
"""A value for each dimension that counts, by its name, in the order of the space."""


class SpaceError(LstmgraphError, ValueError):
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


def counts(dimension: Dimension, values: Mapping[str, Any]) -> bool:
    """Whether `dimension` counts, given the values of those before it."""
    return all(
        each.dimension in values and values[each.dimension] in each.values
        for each in dimension.conditions
    )


def conditions_text(dimension: Dimension) -> str:
    """Return where `dimension` counts: ``layers.encoder.depth is 2 or 3``."""
    return " and ".join(_condition_text(each) for each in dimension.conditions)


def _condition_text(condition: Condition) -> str:
    """Of very many values, not all are shown."""
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
