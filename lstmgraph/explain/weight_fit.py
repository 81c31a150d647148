"""The fit of one model's weights into another: by the names of layers, each whole."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from lstmgraph.messages.wording import nearest

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class LayerTransfer:
    """The result of a transfer for one layer's weights."""

    name: str
    outcome: str
    """``loaded``; ``shape``: the file's have other shapes; ``missing``: the file has no such layer,
    and the recipe's keeps its fresh weights; ``left over``: the recipe has no such layer."""
    given: Shapes = ()
    """Shapes in the file."""
    wanted: Shapes = ()
    """Shapes in the recipe."""
    meant: str | None = None
    """Of a missing layer, one that is left over and fits."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {
            "name": self.name,
            "outcome": self.outcome,
            "given": [list(shape) for shape in self.given],
            "wanted": [list(shape) for shape in self.wanted],
        }

    def __str__(self) -> str:
        given, wanted = said(self.given), said(self.wanted)
        meant = f" (is it the file's '{self.meant}'? rename one)" if self.meant else ""
        reason = {
            "loaded": wanted,
            "shape": f"the file has {given}, the recipe {wanted}; these stay fresh",
            "missing": f"the file has no such layer; {wanted} stay fresh{meant}",
            "left over": f"the recipe has no such layer; {given} are not used",
        }[self.outcome]
        return f"{self.outcome:9}  {self.name}: {reason}"


MOST_NAMES = 20
"""Names that are looked through for the one that is meant."""
Places = Mapping[str, tuple[int, ...]]
"""Shapes of a layer's weights, by where they stand in it."""


def fit_weights(
    given: Mapping[str, Places], wanted: Mapping[str, Places]
) -> tuple[LayerTransfer, ...]:
    """Return the fit of each layer of the recipe, then the file's layers that are left over.

    A layer is loaded where the file has one of its name with the same weights at the same places.
    """
    unused = [name for name in given if name not in wanted]
    alike: dict[Hashable, list[str]] = {}
    for name in unused:
        alike.setdefault(_key(given[name]), []).append(name)
    found = []
    for name, places in wanted.items():
        shapes = tuple(places.values())
        if name not in given:
            same = alike.get(_key(places), [])
            meant = same[0] if len(same) == 1 else nearest(name, same[:MOST_NAMES])
            found.append(LayerTransfer(name, "missing", (), shapes, meant))
        else:
            outcome = "loaded" if given[name] == places else "shape"
            found.append(LayerTransfer(name, outcome, tuple(given[name].values()), shapes))
    found += [LayerTransfer(name, "left over", tuple(given[name].values())) for name in unused]
    return tuple(found)


def _key(places: Places) -> Hashable:
    return frozenset(places.items())


def said(shapes: Shapes) -> str:
    """Return shapes as text on one line."""
    return ", ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
