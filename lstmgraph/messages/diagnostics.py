"""What is wrong with a recipe, where, and the mend."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Where a value stands in a recipe: ``("layers", "encoder", "units", 0)``."""

OPTION = "--set "
PRESET = "preset:"
"""How the names of sources begin that are no files of the user's."""
MAPPING = "<mapping>"
"""The name of what a Python program gives in place of a text: it is written as YAML."""

ERROR = "error"
WARNING = "warning"
"""The severity of what is legal and probably not meant."""


@dataclass(frozen=True)
class Span:
    """A stretch of text. Lines and columns count from 1; the end column is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class Place:
    """A stretch of text in a source: a file, ``<text>``, ``--set PATH`` or ``preset:NAME``."""

    source: str
    span: Span

    @property
    def is_option(self) -> bool:
        """Whether the source is a ``--set`` of the command line, and no file."""
        return self.source.startswith(OPTION)

    @property
    def is_preset(self) -> bool:
        """Whether the source is a part of recipes that comes with the package."""
        return self.source.startswith(PRESET)

    @property
    def is_file(self) -> bool:
        """Whether the source is one that a user can open."""
        return not (self.is_option or self.is_preset)


@dataclass(frozen=True)
class Note:
    """What a mistake has to do with elsewhere: ``'encoder' is declared here with 128 units``."""

    message: str
    place: Place

    def as_dict(self) -> dict[str, Any]:
        """The stable form that ``--format json`` prints."""
        return {"message": self.message, **_place_dict(self.place)}


@dataclass(frozen=True)
class Diagnostic:
    """One mistake, or one warning. The codes are listed in docs/errors.md."""

    code: str
    message: str
    path: Path
    place: Place
    hint: str | None = None
    severity: str = ERROR
    """``error``, or ``warning`` for what is legal and probably not meant."""
    notes: tuple[Note, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The stable form that ``--format json`` prints."""
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
    """Collects mistakes, so that all of them are reported at once."""

    found: list[Diagnostic] = field(default_factory=list)
    """Errors."""
    warnings: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Note one mistake or warning; what an alias repeats is told once."""
        noted = self.warnings if diagnostic.severity == WARNING else self.found
        noted.append(_shortened(diagnostic))

    def ordered(self) -> tuple[Diagnostic, ...]:
        """All errors in the order of the text."""
        return _ordered(self.found)

    def ordered_warnings(self) -> tuple[Diagnostic, ...]:
        """All warnings in the order of the text."""
        return _ordered(self.warnings)

    def __bool__(self) -> bool:
        """Whether there is an error; warnings keep nothing from being compiled."""
        return bool(self.found)


def as_errors(warnings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Warnings as the errors that they are where none is allowed; their codes stay."""
    return tuple(replace(warning, severity=ERROR) for warning in warnings)


def _ordered(noted: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In the order of the text; of those that say the same of the same place, the first."""
    different: dict[tuple[str, str, Place], Diagnostic] = {}
    for each in noted:
        different.setdefault((each.code, each.message, each.place), each)
    return tuple(sorted(different.values(), key=position))


MOST_CHARACTERS = 2000
"""Of a message or a hint: a recipe can have a name of a million."""


MOST_NOTES = 20
"""Of a message: a circle can have thousands of steps."""


def _shortened(diagnostic: Diagnostic) -> Diagnostic:
    if len(diagnostic.notes) > MOST_NOTES:
        *kept, last = diagnostic.notes[:MOST_NOTES]
        more = f"{last.message}; and {len(diagnostic.notes) - MOST_NOTES:,} more notes"
        diagnostic = replace(diagnostic, notes=(*kept, replace(last, message=more)))
    texts = (diagnostic.message, diagnostic.hint or "")
    if max(map(len, texts)) <= MOST_CHARACTERS:
        return diagnostic
    message, hint = (
        text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..." for text in texts
    )
    return replace(diagnostic, message=message, hint=hint or None)


def position(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    """What diagnostics are sorted by: their places in the text."""
    span = diagnostic.place.span
    return (diagnostic.place.source, span.line, span.column, diagnostic.code)
