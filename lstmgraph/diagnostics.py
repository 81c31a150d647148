"""What is wrong with a recipe, where, and the mend."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str | int, ...]
"""Where a value stands in a recipe: ``("layers", "encoder", "units", 0)``."""

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
    """A stretch of text in a named source: a file, ``<text>`` or ``--set PATH=VALUE``."""

    source: str
    span: Span


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
    severity: str = "error"
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
    _noted: set[Diagnostic] = field(default_factory=set, repr=False)
    """Those of both lists: a wrong recipe of a thousand layers has thousands."""

    def add(self, diagnostic: Diagnostic) -> None:
        """Note one mistake or warning; an identical one is noted once."""
        diagnostic = _shortened(diagnostic)
        if len(self._noted) < len(self.found) + len(self.warnings):
            self._noted = {*self.found, *self.warnings}
        if diagnostic in self._noted:
            return
        self._noted.add(diagnostic)
        (self.warnings if diagnostic.severity == WARNING else self.found).append(diagnostic)

    def ordered(self) -> tuple[Diagnostic, ...]:
        """All errors in the order of the text; what aliases put in several places is said once."""
        return _each_once(sorted(self.found, key=_position))

    def ordered_warnings(self) -> tuple[Diagnostic, ...]:
        """All warnings in the order of the text."""
        return _each_once(sorted(self.warnings, key=_position))

    def __bool__(self) -> bool:
        """Whether there is an error; warnings keep nothing from being compiled."""
        return bool(self.found)


class RecipeError(Exception):
    """A recipe is wrong. Carries every mistake found; its text is what the command prints."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return render_text(self.diagnostics, self.sources)

    def __reduce__(self) -> tuple[type[RecipeError], tuple[Any, ...]]:
        return (type(self), (self.diagnostics, self.sources))


def render_text(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """``file:line:column: error[CODE]: message``, the line, the caret, and the mend."""
    lines_of = {name: text.splitlines() for name, text in sources.items()}
    blocks = [_render_one(d, lines_of.get(d.place.source, [])) for d in diagnostics]
    return "\n".join(blocks)


def _render_one(diagnostic: Diagnostic, lines: list[str]) -> str:
    span = diagnostic.place.span
    head = (
        f"{diagnostic.place.source}:{span.line}:{span.column}: "
        f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    )
    parts = [head]
    if 0 < span.line <= len(lines):
        parts += _excerpt(lines[span.line - 1], span)
    if diagnostic.hint:
        parts.append(f"  help: {diagnostic.hint}")
    return "\n".join(parts)


_WIDEST_EXCERPT = 120


def _excerpt(line: str, span: Span) -> list[str]:
    """The source line with a caret under the span; a very long line is cut around it."""
    first = max(0, span.column - 1 - _WIDEST_EXCERPT // 2) if len(line) > _WIDEST_EXCERPT else 0
    shown = line[first : first + _WIDEST_EXCERPT].replace("\t", " ").rstrip()
    start = span.column - 1 - first
    end = span.end_column - 1 - first if span.end_line == span.line else len(shown)
    width = max(1, min(end, len(shown)) - start)
    number = str(span.line)
    gutter = " " * len(number)
    return [f"  {number} | {shown}", f"  {gutter} | {' ' * start}{'^' * width}"]


MOST_CHARACTERS = 2000
"""Of a message or a hint: a recipe can have a name of a million."""


def _shortened(diagnostic: Diagnostic) -> Diagnostic:
    texts = (diagnostic.message, diagnostic.hint or "")
    if max(map(len, texts)) <= MOST_CHARACTERS:
        return diagnostic
    message, hint = (
        text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..." for text in texts
    )
    return replace(diagnostic, message=message, hint=hint or None)


def _each_once(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    said = {(found.code, found.place, found.message): found for found in diagnostics}
    return tuple(said.values())


def _position(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    span = diagnostic.place.span
    return (diagnostic.place.source, span.line, span.column, diagnostic.code)
