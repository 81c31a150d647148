"""Parse YAML text to events as YAML 1.2 defines them, so that every JSON text is valid.

libyaml and PyYAML read YAML 1.1, which differs from JSON in three ways: it has no surrogate pairs
(``\\ud83d\\ude00``), allows no unprintable characters in quotes, and ends lines at U+0085, U+2028
and U+2029 too. So each of these is replaced by a placeholder of the same length before parsing,
which keeps every position, and is put back into the values afterwards.
"""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's if PyYAML was built with it, as its wheels are: the same events, 10 times faster."""

_PLACEHOLDER = "\uf8ff"
_ESCAPED_PLACEHOLDER = r"\uf8ff"

_SURROGATE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_UNPRINTED = "\x7f-\x84\x86-\x9f\ufffe\uffff"
_RAW = f"\x85\u2028\u2029\ufeff{_UNPRINTED}"
_HIDDEN = re.compile(rf"\\\\|({_SURROGATE}|[{_RAW}])")
"""What the parser must not see; an escaped backslash is matched so that it is skipped."""
_QUOTED = re.compile(
    rf"({_SURROGATE}|\\(?:u|U0000)[fF]8[fF]{{2}}|[{_RAW}{_PLACEHOLDER}])|\\.", re.DOTALL
)
"""In double quotes: what was replaced, what looks like a placeholder, and other escapes."""
_UNQUOTED = re.compile(
    rf"\\\\|({_SURROGATE}|{re.escape(_ESCAPED_PLACEHOLDER)}|[{_RAW}{_PLACEHOLDER}])"
)
_UNQUOTED_VALUE = re.compile(rf"\\\\|({re.escape(_ESCAPED_PLACEHOLDER)}|{_PLACEHOLDER})")
_RESTORED = re.compile(f"[\ud800-\udfff{_RAW}{_PLACEHOLDER}]")
_BEFORE_VALUE = re.compile(r"(?:[&!][^ \t\r\n]*|#[^\r\n]*|[ \t\r\n]+)*")
_FIRST_LINE = re.compile(r"[^\r\n]*[\r\n]?")
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]|([\ud800-\udfff])")


class HalfCharacterError(ValueError):
    """Raised for an escape such as ``\\ud83d``, half of a character without the other half."""

    def __init__(self, escape: str, index: int) -> None:
        super().__init__(f"{escape} is half of a character, and the other half is missing")
        self.index = index


class BadCharacterError(ValueError):
    """Raised for a character that is allowed only in quotes."""

    def __init__(self, index: int) -> None:
        super().__init__("a character that is allowed only in quotes")
        self.index = index


def yaml_events(text: str) -> Iterator[Any]:
    """Return the events of PyYAML's parser, with marks that are positions in `text`.

    Raises:
        yaml.YAMLError, UnicodeEncodeError: if `text` is not YAML.
        HalfCharacterError, BadCharacterError: if it holds such a character.
    """
    plain = text.removeprefix("\ufeff")  # marks do not count it
    masked = _HIDDEN.sub(_hidden, plain)
    if masked == plain:
        return iter(yaml.parse(text, Loader=LOADER))
    return _Restoring(plain).events(yaml.parse(masked, Loader=LOADER))


class _Restoring:
    """Puts the original characters back in place of the placeholders."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.unprinted = [match.start() for match in re.finditer(f"[{_UNPRINTED}]", text)]
        self.next_unprinted = 0

    def events(self, events: Iterator[Any]) -> Iterator[Any]:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self.restore(event)
            elif isinstance(event, yaml.StreamEndEvent):
                self.refuse_unprinted(len(self.text))
            yield event

    def restore(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        if before := _BEFORE_VALUE.match(self.text, start, end):
            start = before.end()
        self.refuse_unprinted(start)
        if event.style in ("|", ">") and (first := _FIRST_LINE.match(self.text, start, end)):
            start = first.end()  # which may hold a comment
        if event.style in ("'", '"'):
            self.next_unprinted = bisect.bisect_left(self.unprinted, end)
        if event.style == '"':
            self.restore_quoted(event, start, end)
        else:
            written = iter(text for text in _UNQUOTED.findall(self.text[start:end]) if text)
            event.value = _UNQUOTED_VALUE.sub(
                lambda match: next(written) if match[1] else match[0], event.value
            )

    def restore_quoted(self, event: Any, start: int, end: int) -> None:
        hits = [match for match in _QUOTED.finditer(self.text, start, end) if match[1]]
        written = map(_character, hits)
        value = re.sub(_PLACEHOLDER, lambda _: next(written), event.value)
        for match in _HALVES.finditer(value):
            if match[1]:
                half = hits[len(_RESTORED.findall(value, 0, match.start()))]
                raise HalfCharacterError(half[0], half.start())
        event.value = value.encode("utf-16", "surrogatepass").decode("utf-16")

    def refuse_unprinted(self, before: int) -> None:
        if self.next_unprinted < len(self.unprinted):
            index = self.unprinted[self.next_unprinted]
            if index < before:
                raise BadCharacterError(index)


def _hidden(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    return _ESCAPED_PLACEHOLDER if len(match[0]) > 1 else _PLACEHOLDER


def _character(match: re.Match[str]) -> str:
    return chr(int(match[0][2:], 16)) if len(match[0]) > 1 else match[0]
