"""The events of a YAML text, as YAML 1.2 has them: every text that is JSON is read as JSON.

libyaml and PyYAML read YAML 1.1, which differs from JSON in three things: a character is never
written as two escapes (``\\ud83d\\ude00``), quotes hold no character that does not print, and lines
end at U+0085, U+2028 and U+2029 too. Here the parser is given a stand-in of the same length for
each of these, so that every place in the text stays, and the values get back what was written.
"""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it (all its wheels): same events, some 10 times faster."""

_STAND_IN = "\uf8ff"
_ESCAPED_STAND_IN = r"\uf8ff"

_SURROGATE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_UNPRINTED = "\x7f-\x84\x86-\x9f\ufffe\uffff"
_RAW = f"\x85\u2028\u2029\ufeff{_UNPRINTED}"
_HIDDEN = re.compile(rf"\\\\|({_SURROGATE}|[{_RAW}])")
"""A backslash may be escaped itself."""
_QUOTED = re.compile(
    rf"({_SURROGATE}|\\(?:u|U0000)[fF]8[fF]{{2}}|[{_RAW}{_STAND_IN}])|\\.", re.DOTALL
)
"""In double quotes, what may be a stand-in now, or was one before; and every other escape."""
_UNQUOTED = re.compile(rf"\\\\|({_SURROGATE}|{re.escape(_ESCAPED_STAND_IN)}|[{_RAW}{_STAND_IN}])")
_UNQUOTED_VALUE = re.compile(rf"\\\\|({re.escape(_ESCAPED_STAND_IN)}|{_STAND_IN})")
_RESTORED = re.compile(f"[\ud800-\udfff{_RAW}{_STAND_IN}]")
_BEFORE_VALUE = re.compile(r"(?:[&!][^ \t\r\n]*|#[^\r\n]*|[ \t\r\n]+)*")
_FIRST_LINE = re.compile(r"[^\r\n]*[\r\n]?")
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]|([\ud800-\udfff])")


class HalfCharacterError(ValueError):
    """An escape such as ``\\ud83d`` that is half of a character, without the other half."""

    def __init__(self, escape: str, index: int) -> None:
        super().__init__(f"{escape} is half of a character, and the other half is missing")
        self.index = index


class BadCharacterError(ValueError):
    """A character that may stand in quotes only."""

    def __init__(self, index: int) -> None:
        super().__init__("a character that may stand in quotes only")
        self.index = index


def yaml_events(text: str) -> Iterator[Any]:
    """The events of PyYAML's parser. Their marks are places in `text`.

    Raises:
        yaml.YAMLError, UnicodeEncodeError: `text` is not YAML.
        HalfCharacterError, BadCharacterError: nor is it this.
    """
    plain = text.removeprefix("\ufeff")  # which marks do not count
    masked = _HIDDEN.sub(_hidden, plain)
    if masked == plain:
        return iter(yaml.parse(text, Loader=LOADER))
    return _Restoring(plain).events(yaml.parse(masked, Loader=LOADER))


class _Restoring:
    """Puts what was written in place of the stand-ins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.unprinted = [found.start() for found in re.finditer(f"[{_UNPRINTED}]", text)]
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
            start = first.end()  # a comment may stand there
        if event.style in ("'", '"'):
            self.next_unprinted = bisect.bisect_left(self.unprinted, end)
        if event.style == '"':
            self.restore_quoted(event, start, end)
        else:
            written = iter(each for each in _UNQUOTED.findall(self.text[start:end]) if each)
            event.value = _UNQUOTED_VALUE.sub(
                lambda found: next(written) if found[1] else found[0], event.value
            )

    def restore_quoted(self, event: Any, start: int, end: int) -> None:
        hits = [found for found in _QUOTED.finditer(self.text, start, end) if found[1]]
        written = map(_character, hits)
        value = re.sub(_STAND_IN, lambda _: next(written), event.value)
        for found in _HALVES.finditer(value):
            if found[1]:
                half = hits[len(_RESTORED.findall(value, 0, found.start()))]
                raise HalfCharacterError(half[0], half.start())
        event.value = value.encode("utf-16", "surrogatepass").decode("utf-16")

    def refuse_unprinted(self, before: int) -> None:
        if self.next_unprinted < len(self.unprinted):
            index = self.unprinted[self.next_unprinted]
            if index < before:
                raise BadCharacterError(index)


def _hidden(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    return _ESCAPED_STAND_IN if len(found[0]) > 1 else _STAND_IN


def _character(found: re.Match[str]) -> str:
    return chr(int(found[0][2:], 16)) if len(found[0]) > 1 else found[0]
