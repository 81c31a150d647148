"""Diagnostics: errors and warnings about a recipe, each with its place and a fix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""The keys and indices that lead to a value: ``("layers", "encoder", "units", 0)``."""

OPTION = "--set "
PRESET = "preset:"
"""Prefixes of the names of sources that are not the user's files."""
MAPPING = "<mapping>"
"""The name of a recipe that a Python program gives as a mapping: it is written as YAML."""

ERROR = "error"
WARNING = "warning"
"""The severity of something that is legal but probably unintended."""


@dataclass(frozen=True)
class Span:
    """A range of text. Lines and columns count from 1; the end column is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


START = Span(1, 1, 1, 1)
"""The start of a source, for messages about all of it."""


@dataclass(frozen=True)
class Place:
    """A range of text in a source: a file, ``<text>``, ``--set PATH`` or ``preset:NAME``."""

    source: str
    span: Span

    @property
    def is_option(self) -> bool:
        """Whether the source is a ``--set`` option of the command line."""
        return self.source.startswith(OPTION)

    @property
    def is_preset(self) -> bool:
        """Whether the source is a preset that ships with the package."""
        return self.source.startswith(PRESET)

    @property
    def is_file(self) -> bool:
        """Whether the source is a file that the user can open."""
        return not (self.is_option or self.is_preset)


@dataclass(frozen=True)
class Note:
    """A remark on a related place: ``'encoder' is declared here with 128 units``."""

    message: str
    place: Place

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {"message": self.message, **_place_dict(self.place)}


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning. docs/errors.md lists the codes."""

    code: str
    message: str
    path: Path
    place: Place
    hint: str | None = None
    severity: str = ERROR
    """``error``, or ``warning`` for something that is legal but probably unintended."""
    notes: tuple[Note, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "path": list(self.path),
            **_place_dict(self.place),
            "notes": [note.as_dict() for note in self.notes],
        }


def _place_dict(place: Place) -> dict[str, Any]:
    span = place.span
    return {
        "file": place.source,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


@dataclass
class Diagnostics:
    """Collects errors and warnings, so that all of them are reported at once."""

    found: list[Diagnostic] = field(default_factory=list)
    """The errors."""
    warnings: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Add one error or warning, its texts shortened to their limits."""
        collected = self.warnings if diagnostic.severity == WARNING else self.found
        collected.append(_shortened(diagnostic))

    def ordered(self) -> tuple[Diagnostic, ...]:
        """Return all errors, sorted by place, without duplicates."""
        return _ordered(self.found)

    def ordered_warnings(self) -> tuple[Diagnostic, ...]:
        """Return all warnings, sorted by place, without duplicates."""
        return _ordered(self.warnings)

    def has_errors_in(self, *sections: str) -> bool:
        """Return whether there is an error in one of these sections of the recipe."""
        return any(error.path[:1] == (name,) for error in self.found for name in sections)

    def __bool__(self) -> bool:
        """Return whether there is an error; warnings do not stop compilation."""
        return bool(self.found)


def as_errors(warnings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return warnings turned into errors with the same codes, for ``--strict``."""
    return tuple(replace(warning, severity=ERROR) for warning in warnings)


def _ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return `diagnostics` sorted by place, without duplicates.

    A YAML alias repeats a value, and with it the mistakes in it.
    """
    unique: dict[tuple[str, str, Place], Diagnostic] = {}
    for diagnostic in diagnostics:
        key = (diagnostic.code, diagnostic.message, diagnostic.place)
        unique.setdefault(key, diagnostic)
    return tuple(sorted(unique.values(), key=position))


MOST_CHARACTERS = 2000
"""The longest message or hint: a name in a recipe can have a million characters."""


MOST_NOTES = 20
"""The most notes of one diagnostic: a cycle can have thousands of steps."""


def _shortened(diagnostic: Diagnostic) -> Diagnostic:
    if len(diagnostic.notes) > MOST_NOTES:
        *first, last = diagnostic.notes[:MOST_NOTES]
        more = f"{last.message}; and {len(diagnostic.notes) - MOST_NOTES:,} more notes"
        diagnostic = replace(diagnostic, notes=(*first, replace(last, message=more)))
    texts = (diagnostic.message, diagnostic.hint or "")
    if max(map(len, texts)) <= MOST_CHARACTERS:
        return diagnostic
    message, hint = (
        text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..." for text in texts
    )
    return replace(diagnostic, message=message, hint=hint or None)


def position(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    """Return the key that diagnostics are sorted by: source, line, column, code."""
    span = diagnostic.place.span
    return (diagnostic.place.source, span.line, span.column, diagnostic.code)
