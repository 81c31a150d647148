"""The contents of a picture in any format: boxes, arrows and groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INPUT, LAYER, OPERATION, OUTPUT = "input", "layer", "operation", "output"
"""Kinds of boxes; an operation, such as `join`, is not a Keras layer."""
DATA, STATE, MASK = "data", "state", "mask"
"""Kinds of arrows; badges are of the last two kinds."""


@dataclass(frozen=True)
class Badge:
    """A short text on a box, about a mask or an initial state without an arrow."""

    kind: str
    text: str


@dataclass(frozen=True)
class Box:
    """The box of an input, a call or an output; texts that it lacks are empty."""

    id: str
    """A unique id of letters, digits and underscores."""
    kind: str
    name: str
    type: str
    """The type of a layer, or the dtype of an input or output."""
    shape: str
    parameters: str = ""
    kernel: str = ""
    badges: tuple[Badge, ...] = ()
    recurrent: bool = False
    group: str | None = None
    """The layer or the loop of the recipe in whose group the box is."""
    details: str = ""
    """The lines of its tooltip."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the box in formats where a box is only a label."""
        third = ", ".join(text for text in (self.parameters, self.kernel) if text)
        texts = (self.name, f"{self.type} {self.shape}", third)
        return (*filter(None, texts), *(badge.text for badge in self.badges))


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes, by their ids; there is at most one of each kind."""

    source: str
    target: str
    kind: str = DATA
    label: str = ""


@dataclass(frozen=True)
class Picture:
    """A whole picture; boxes are in the order of the calls."""

    name: str
    description: str
    summary: str
    """The totals, such as ``9 calls, 147,649 parameters``."""
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    loops: Mapping[str, int] = field(default_factory=dict)
    """The groups that are loops, with their numbers of steps."""

    def title(self, group: str) -> str:
        """Return the name of a group: that of a layer, or ``forecast x 24`` for a loop."""
        return f"{group} x {self.loops[group]}" if group in self.loops else group

    @property
    def parts(self) -> list[tuple[str | None, list[Box]]]:
        """The boxes one by one, or those of a group together at the place of its first."""
        found: dict[tuple[str | None, str], list[Box]] = {}
        for box in self.boxes:
            found.setdefault((box.group, "" if box.group else box.id), []).append(box)
        return [(group, boxes) for (group, _), boxes in found.items()]
