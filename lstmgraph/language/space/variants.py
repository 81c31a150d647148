"""Check a search space before the search: compile the recipe with each bound and choice."""

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
"""The most recipes to compile for one check; fewer if a recipe has more than 100 values."""

_VALUES_IN_ALL = 100 * MOST
"""This many values take about a second. Points not checked here are checked by their trial."""


@dataclass(frozen=True)
class Variant:
    """The default point with another value for one dimension, and what that one needs to apply."""

    dimension: Dimension
    value: Any
    point: Values

    def says(self, space: Space) -> str:
        """Return ``with layers.encoder.units = 256``: all values that are not defaults."""
        defaults = space.defaults()
        changed = {
            name: value
            for name, value in self.point.items()
            if name == self.dimension.name
            or (name in defaults and text_of(value) != text_of(defaults[name]))
        }
        return "with " + " and ".join(f"{name} = {_short(v)}" for name, v in changed.items())


def check_variants(
    document: Document, collected: Collected, usual: tuple[Diagnostic, ...], check: Check
) -> None:
    """Report in `document` which single values of its space lead to mistakes.

    A mistake in the value itself is reported as if it were written plainly. A mistake that it
    causes elsewhere is reported at the value, with the value named in the message.

    Args:
        document: the document as written; mistakes are added to its diagnostics.
        collected: its space.
        usual: the mistakes of the default point, which are not reported again.
        check: the function that checks a concrete document and reports in it.
    """
    checking = _Checking(document, collected, usual)
    for variant in chosen_variants(document, collected.space):
        if not checking.leads_through_a_failure(variant):
            filled = fill(document, collected, variant.point)
            check(filled, collected)
            checking.note(variant, filled.diagnostics.ordered())


def chosen_variants(document: Document, space: Space) -> list[Variant]:
    """Return a variant for each bound, choice and alternative; an even sample of very many."""
    usual = space.defaults()
    pairs = [
        (dimension, value)
        for dimension in space.dimensions
        for value in _extremes(dimension)
        if dimension.name not in usual or text_of(value) != text_of(dimension.default)
    ]
    size = len(document.values) + len(space.dimensions)  # a value can apply to many layers
    most = min(MOST, _VALUES_IN_ALL // max(size, 1) + 1)
    if len(pairs) > most:
        pairs = [pairs[index * len(pairs) // most] for index in range(most)]
    return [
        Variant(dimension, value, space.point({**_needed(space, dimension), dimension.name: value}))
        for dimension, value in pairs
    ]


def described(diagnostic: Diagnostic, document: Document, space: Space) -> Diagnostic:
    """Return `diagnostic` with a better hint if a range of floats stands for whole numbers."""
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
        """Return whether a value that the dimension needs to apply has failed already."""
        return any(
            (name, text_of(value)) in self.failed
            for name, value in variant.point.items()
            if name != variant.dimension.name
        )

    def note(self, variant: Variant, diagnostics: tuple[Diagnostic, ...]) -> None:
        for diagnostic in diagnostics:
            if self.is_usual(variant, diagnostic):
                continue
            self.failed.add((variant.dimension.name, text_of(variant.value)))
            report = described(diagnostic, self.document, self.collected.space)
            if variant.dimension.is_variable or not _is_inside(variant.dimension, diagnostic):
                report = self.at_value(variant, report)
            # The layers of a stack share a range, whose mistake is reported once.
            if not any(
                (report.code, report.place) == (other.code, other.place)
                for other in self.document.diagnostics.found
            ):
                self.document.diagnostics.add(report)

    def is_usual(self, variant: Variant, diagnostic: Diagnostic) -> bool:
        """Return whether the default point has the same mistake: this value is not its cause."""
        inside = _is_inside(variant.dimension, diagnostic)
        return any(
            (diagnostic.code, diagnostic.path) == (other.code, other.path)
            and not (inside and diagnostic.message != other.message)
            for other in self.usual
        )

    def at_value(self, variant: Variant, diagnostic: Diagnostic) -> Diagnostic:
        """Return `diagnostic` moved to the place of the value that causes it."""
        place = self.document.place(piece(variant.dimension, variant.value))
        message = f"{variant.says(self.collected.space)}: {diagnostic.message}"
        broken = Note("the mistake is here", diagnostic.place)
        notes = tuple(n for n in (broken, *diagnostic.notes) if n.place != place)
        target = variant.dimension.target
        return replace(diagnostic, message=message, path=target, place=place, notes=notes)


def _needed(space: Space, dimension: Dimension) -> Values:
    """Return the values, other than defaults, that `dimension` needs to apply."""
    return {
        condition.dimension: condition.values[0]
        for condition in dimension.conditions
        if space.by_name[condition.dimension].default not in condition.values
    }


def _extremes(dimension: Dimension) -> list[Any]:
    if dimension.range is None:
        return list(dimension.choices)
    return list(dict.fromkeys((dimension.range.low, dimension.range.highest)))


def _is_inside(dimension: Dimension, diagnostic: Diagnostic) -> bool:
    return any(diagnostic.path[: len(target)] == target for target in dimension.targets)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else text_of(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
