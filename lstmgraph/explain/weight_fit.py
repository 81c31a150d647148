"""Which layers of one model can take the weights of another, matched by name and shapes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from lstmgraph.messages.wording import nearest

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class LayerTransfer:
    """What happens to the weights of one layer in a transfer."""

    name: str
    outcome: str
    """``loaded``; ``shape``: the file has other shapes; ``missing``: the file has no such layer,
    so the recipe's keeps its initial weights; ``left over``: the recipe has no such layer."""
    given: Shapes = ()
    """The shapes of the weights in the file."""
    wanted: Shapes = ()
    """The shapes of the weights in the recipe."""
    meant: str | None = None
    """For a missing layer, a layer of the file that fits and may have been renamed."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {
            "name": self.name,
            "outcome": self.outcome,
            "given": [list(shape) for shape in self.given],
            "wanted": [list(shape) for shape in self.wanted],
        }

    def __str__(self) -> str:
        given, wanted = shapes_text(self.given), shapes_text(self.wanted)
        meant = f" (if it is the file's '{self.meant}', rename one)" if self.meant else ""
        reason = {
            "loaded": wanted,
            "shape": f"the file has {given}, the recipe {wanted}; keeps its initial weights",
            "missing": f"the file has no such layer; {wanted} keep their initial values{meant}",
            "left over": f"the recipe has no such layer; {given} are not used",
        }[self.outcome]
        return f"{self.outcome:9}  {self.name}: {reason}"


MOST_NAMES = 20
"""How many names are searched for the one that may have been renamed."""
Places = Mapping[str, tuple[int, ...]]
"""The shapes of a layer's weights, by their path in the layer."""


def fit_weights(
    given: Mapping[str, Places], wanted: Mapping[str, Places]
) -> tuple[LayerTransfer, ...]:
    """Return what happens to each layer of the recipe in order, then to those left in the file.

    A layer is loaded if the file has one of its name with the same shapes at the same paths.

    Args:
        given: The shapes of the weights in the file, by layer.
        wanted: The shapes of the weights in the recipe, by layer.
    """
    unused = [name for name in given if name not in wanted]
    alike: dict[Hashable, list[str]] = {}
    for name in unused:
        alike.setdefault(_key(given[name]), []).append(name)
    transfers = []
    for name, places in wanted.items():
        shapes = tuple(places.values())
        if name not in given:
            same = alike.get(_key(places), [])
            meant = same[0] if len(same) == 1 else nearest(name, same[:MOST_NAMES])
            transfers.append(LayerTransfer(name, "missing", (), shapes, meant))
        else:
            outcome = "loaded" if given[name] == places else "shape"
            transfers.append(LayerTransfer(name, outcome, tuple(given[name].values()), shapes))
    transfers += [LayerTransfer(name, "left over", tuple(given[name].values())) for name in unused]
    return tuple(transfers)


def _key(places: Places) -> Hashable:
    return frozenset(places.items())


def shapes_text(shapes: Shapes) -> str:
    """Return shapes as text on one line, such as ``(8, 4), (4)``."""
    return ", ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
