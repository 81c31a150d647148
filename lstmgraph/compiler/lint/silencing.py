"""Comments that silence the warnings of one line: ``# lstmgraph: ignore[W701] reason``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.lint.codes import CODES
from lstmgraph.language.text.comments import Comment, comments
from lstmgraph.messages.diagnostics import OPTION, WARNING, Diagnostic, Place, Span
from lstmgraph.messages.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.language.text.document import Document

EXAMPLE = "# lstmgraph: ignore[W701] we train on CPUs"

_OURS = re.compile(r"\s*lstmgraph:\s*")
_IGNORE = re.compile(r"ignore\s*\[(?P<codes>[^\]]*)\]\s*(?P<reason>.*)")
_CODE = re.compile(r"[^\s,]+")


@dataclass(frozen=True)
class Silence:
    """A silencing comment, and the line whose warnings it silences."""

    codes: tuple[str, ...]
    reason: str
    line: int
    place: Place


@dataclass(frozen=True)
class Silenced:
    """A warning that a comment silences, and the reason it gives."""

    warning: Diagnostic
    reason: str


def is_ours(comment: str) -> bool:
    """Return whether a comment, without its ``#``, is addressed to lstmgraph."""
    return _OURS.match(comment) is not None


def read_silences(document: Document) -> list[Silence]:
    """Return the silencing comments in all texts of `document`; report mistakes in them."""
    silences: list[Silence] = []
    for source, text in document.sources.items():
        if "lstmgraph:" in text and not source.startswith(OPTION):
            silences += _silences(document, source, comments(text))
    return silences


def split_silenced(
    warnings: Iterable[Diagnostic], silences: Iterable[Silence]
) -> tuple[list[Diagnostic], list[Silenced]]:
    """Return the warnings that no comment silences, and those that one does."""
    by_line = {(s.place.source, s.line, code): s for s in silences for code in s.codes}
    shown: list[Diagnostic] = []
    quiet: list[Silenced] = []
    for warning in warnings:
        place = warning.place
        silence = by_line.get((place.source, place.span.line, warning.code))
        if silence is None:
            shown.append(warning)
        else:
            quiet.append(Silenced(warning, silence.reason))
    return shown, quiet


def unused_silences(silences: Iterable[Silence], used: Iterable[Silenced]) -> Iterator[Diagnostic]:
    """Yield W101 for each code of a comment that silences nothing."""
    needed = {
        (silenced.warning.place.source, silenced.warning.place.span.line, silenced.warning.code)
        for silenced in used
    }
    for silence in silences:
        for code in silence.codes:
            if (silence.place.source, silence.line, code) not in needed:
                yield Diagnostic(
                    "W101",
                    f"line {silence.line} has no warning {code} for this comment to silence",
                    (),
                    silence.place,
                    "remove the comment, or write it on or directly above the line of the warning",
                    severity=WARNING,
                )


def _silences(document: Document, source: str, all_comments: list[Comment]) -> Iterator[Silence]:
    alone = {comment.span.line for comment in all_comments if comment.alone}
    for comment in all_comments:
        ours = _OURS.match(comment.text)
        if ours is None:
            continue
        body = comment.text[ours.end() :]
        match = _IGNORE.fullmatch(body.rstrip())
        codes = _CODE.findall(match["codes"]) if match else []
        problem = _problem(match, codes)
        if problem:
            hint = f"write the code and why, such as `{EXAMPLE}`"
            _report(document, "L151", problem, Place(source, comment.span), hint)
            continue
        assert match is not None
        column = comment.span.column + 1 + ours.end() + match.start("codes")
        if not _known(document, source, comment.span.line, column, match["codes"]):
            continue
        line = comment.span.line
        while (
            comment.alone and line in alone
        ):  # comments on consecutive lines are for the line below them
            line += 1
        yield Silence(tuple(codes), match["reason"].strip(), line, Place(source, comment.span))


def _problem(match: re.Match[str] | None, codes: list[str]) -> str | None:
    if match is None:
        return "lstmgraph does not understand this comment"
    if not codes:
        return "this comment names no warning to silence"
    return None if re.search(r"\w", match["reason"]) else "this comment gives no reason"


def _report(document: Document, code: str, message: str, place: Place, hint: str) -> None:
    notes = document.origins.notes((), place)
    document.diagnostics.add(Diagnostic(code, message, (), place, hint, notes=notes))


def _known(document: Document, source: str, line: int, column: int, codes: str) -> bool:
    """Return whether `codes` are all codes of warnings; report each that is not at its place."""
    sound = True
    for match in _CODE.finditer(codes):
        code = match[0]
        if code in CODES:
            continue
        sound = False
        first = column + match.start()
        message = f"there is no warning {code}{did_you_mean(code, CODES)}"
        hint = f"write one of: {', '.join(CODES)}"
        if re.fullmatch(r"L\d{3}", code):
            message = f"{code} is an error; only warnings can be silenced"
            hint = "correct the mistake, and remove this comment"
        span = Span(line, first, line, first + len(code))
        _report(document, "L152", message, Place(source, span), hint)
    return sound
