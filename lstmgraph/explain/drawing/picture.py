"""What a picture of a model shows, whatever it is written in: boxes, arrows, groups."""

from __future__ import annotations

from dataclasses import dataclass

INPUT, LAYER, OPERATION, OUTPUT = "input", "layer", "operation", "output"
"""Kinds of boxes. An operation is the graph's own, such as `join`; it is no Keras layer."""
DATA, STATE, MASK = "data", "state", "mask"
"""Kinds of arrows; badges are of the last two."""


@dataclass(frozen=True)
class Badge:
    """A few words on a box: a mask, or an initial state that is no arrow."""

    kind: str
    text: str


@dataclass(frozen=True)
class Box:
    """An input, a call or an output. Texts that a box lacks are empty."""

    id: str
    """Letters, digits and underscores; no other box has it."""
    kind: str
    name: str
    type: str
    """Of a layer; of an input or output its dtype."""
    shape: str
    parameters: str = ""
    kernel: str = ""
    badges: tuple[Badge, ...] = ()
    recurrent: bool = False
    group: str | None = None
    """The layer of the recipe whose group the box stands in."""
    details: str = ""
    """Lines that say all of it: a tooltip."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands in the box where it is a mere label."""
        third = ", ".join(text for text in (self.parameters, self.kernel) if text)
        texts = (self.name, f"{self.type} {self.shape}", third)
        return (*filter(None, texts), *(badge.text for badge in self.badges))


@dataclass(frozen=True)
class Arrow:
    """From box to box, by their ids. Of one kind there is at most one between two boxes."""

    source: str
    target: str
    kind: str = DATA
    label: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture: boxes, arrows and groups, in the order of the calls."""

    name: str
    description: str
    summary: str
    """``9 calls, 147,649 parameters``."""
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]

    @property
    def parts(self) -> list[tuple[str | None, list[Box]]]:
        """Each box alone, or the boxes of a group together, where its first one stands."""
        found: dict[tuple[str | None, str], list[Box]] = {}
        for box in self.boxes:
            found.setdefault((box.group, "" if box.group else box.id), []).append(box)
        return [(group, boxes) for (group, _), boxes in found.items()]
