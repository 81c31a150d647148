"""A space is checked before a search begins: every bound and choice is put in, one at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.dimensions import Values, text_of
from lstmgraph.language.space.fill import fill, piece
from lstmgraph.messages.diagnostics import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.language.space.collect import Collected
    from lstmgraph.language.space.dimensions import Dimension
    from lstmgraph.language.space.space import Space
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Diagnostic

    Check = Callable[[Document, Collected], object]

MOST = 200
"""Recipes that are compiled for one check, of up to 100 values; of larger ones fewer."""

_VALUES_IN_ALL = 100 * MOST
"""They take about a second. What is not tried here is checked when a trial begins."""


@dataclass(frozen=True)
class Variant:
    """The default point but for one dimension, and for what lets that dimension count."""

    dimension: Dimension
    value: Any
    point: Values

    def says(self, space: Space) -> str:
        """``with layers.encoder.units = 256``: all that is not a default."""
        usual = space.defaults()
        other = {
            name: value
            for name, value in self.point.items()
            if name == self.dimension.name
            or (name in usual and text_of(value) != text_of(usual[name]))
        }
        return "with " + " and ".join(f"{name} = {_short(v)}" for name, v in other.items())


def check_variants(
    document: Document, collected: Collected, usual: tuple[Diagnostic, ...], check: Check
) -> None:
    """Note in `document` what is wrong with single values of its space.

    What is wrong with the value itself is said as if the value were written plainly; what it
    breaks elsewhere is said where the value is written, with the value named.

    Args:
        document: as written; its diagnostics are added to.
        collected: its space.
        usual: what is wrong with the defaults, which is not said again.
        check: what a concrete document is checked with; notes what it finds in it.
    """
    checking = _Checking(document, collected, usual)
    for variant in chosen_variants(document, collected.space):
        if not checking.leads_through_a_failure(variant):
            filled = fill(document, collected, variant.point)
            check(filled, collected)
            checking.note(variant, filled.diagnostics.ordered())


def chosen_variants(document: Document, space: Space) -> list[Variant]:
    """A variant for each bound, choice and alternative; of very many some, evenly spread."""
    usual = space.defaults()
    tried = [
        (dimension, value)
        for dimension in space.dimensions
        for value in _extremes(dimension)
        if dimension.name not in usual or text_of(value) != text_of(dimension.default)
    ]
    size = len(document.values) + len(space.dimensions)  # one value may be that of many layers
    most = min(MOST, _VALUES_IN_ALL // max(size, 1) + 1)
    if len(tried) > most:
        tried = [tried[index * len(tried) // most] for index in range(most)]
    return [
        Variant(dimension, value, space.point({**_needed(space, dimension), dimension.name: value}))
        for dimension, value in tried
    ]


def described(diagnostic: Diagnostic, document: Document, space: Space) -> Diagnostic:
    """`diagnostic`, with the mend where a range of floats stands for whole numbers."""
    for dimension in space.dimensions:
        if dimension.kind != "float" or diagnostic.code != "L204":
            continue
        if not _is_inside(dimension, diagnostic):
            continue
        wanted, _, _ = diagnostic.message.rpartition(", not ")
        if "a whole number" in wanted:
            message, hint = f"{wanted}, not a range of floats", "write `int:` for whole numbers"
            place = document.place((*dimension.path, "$search", "float"), at_key=True)
            return replace(diagnostic, message=message, hint=hint, place=place)
    return diagnostic


@dataclass
class _Checking:
    document: Document
    collected: Collected
    usual: tuple[Diagnostic, ...]
    failed: set[tuple[str, str]] = field(default_factory=set)

    def leads_through_a_failure(self, variant: Variant) -> bool:
        """Whether a value that only lets the dimension count is already reported."""
        return any(
            (name, text_of(value)) in self.failed
            for name, value in variant.point.items()
            if name != variant.dimension.name
        )

    def note(self, variant: Variant, found: tuple[Diagnostic, ...]) -> None:
        for diagnostic in found:
            if self.is_usual(variant, diagnostic):
                continue
            self.failed.add((variant.dimension.name, text_of(variant.value)))
            told = described(diagnostic, self.document, self.collected.space)
            if not _is_inside(variant.dimension, diagnostic):
                told = self.told(variant, told)
            # Two layers of a stack have one range; what is wrong with it is wrong once.
            if not any(
                (told.code, told.place) == (other.code, other.place)
                for other in self.document.diagnostics.found
            ):
                self.document.diagnostics.add(told)

    def is_usual(self, variant: Variant, diagnostic: Diagnostic) -> bool:
        """Whether the defaults have the same mistake: then the value is not what is wrong."""
        inside = _is_inside(variant.dimension, diagnostic)
        return any(
            (diagnostic.code, diagnostic.path) == (other.code, other.path)
            and not (inside and diagnostic.message != other.message)
            for other in self.usual
        )

    def told(self, variant: Variant, diagnostic: Diagnostic) -> Diagnostic:
        place = self.document.place(piece(variant.dimension, variant.value))
        message = f"{variant.says(self.collected.space)}: {diagnostic.message}"
        broken = Note("this is what it breaks", diagnostic.place)
        notes = tuple(n for n in (broken, *diagnostic.notes) if n.place != place)
        target = variant.dimension.target
        return replace(diagnostic, message=message, path=target, place=place, notes=notes)


def _needed(space: Space, dimension: Dimension) -> Values:
    """What lets `dimension` count: defaults where they do, else the first value that does."""
    return {
        each.dimension: each.values[0]
        for each in dimension.conditions
        if space.by_name[each.dimension].default not in each.values
    }


def _extremes(dimension: Dimension) -> list[Any]:
    if dimension.range is None:
        return list(dimension.choices)
    return list(dict.fromkeys((dimension.range.low, dimension.range.highest)))


def _is_inside(dimension: Dimension, diagnostic: Diagnostic) -> bool:
    return diagnostic.path[: len(dimension.target)] == dimension.target


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else text_of(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
