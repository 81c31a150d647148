"""Compose YAML text to a tree of nodes with positions, within limits against hostile text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from lstmgraph.language.text.events import BadCharacterError, HalfCharacterError, yaml_events
from lstmgraph.messages.diagnostics import Span
from lstmgraph.messages.rendering.excerpts import source_lines
from lstmgraph.messages.wording import BEGINNING, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 50


@dataclass
class ScalarNode:
    """A scalar. `plain` says that it has no quotes, so that it may be a number or a boolean."""

    span: Span
    text: str
    plain: bool


@dataclass
class SequenceNode:
    """A list."""

    span: Span
    items: list[YamlNode] = field(default_factory=list)


@dataclass
class MappingNode:
    """A mapping with its entries in the order of the text, including repeated keys."""

    span: Span
    entries: list[tuple[ScalarNode, YamlNode]] = field(default_factory=list)


YamlNode = ScalarNode | SequenceNode | MappingNode


class YamlMistake(Exception):  # noqa: N818 - a mistake in the text, not a program failure
    """Raised for text that is not YAML, or not allowed in a recipe."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        hint: str | None = None,
        *,
        notes: tuple[tuple[str, Span], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.hint = hint
        self.notes = notes


def compose(text: str, *, empty_is_null: bool = False) -> YamlNode:
    """Return the root node of a text with one YAML document.

    Args:
        text: the YAML text.
        empty_is_null: whether an empty text is null, rather than a mistake.

    Raises:
        YamlMistake: for the first mistake in the text.
    """
    try:
        return _Composer(yaml_events(text), empty_is_null).document()
    except yaml.MarkedYAMLError as error:
        if error.problem_mark and _LIBYAML_DEPTH in (error.problem or ""):
            # The text before that place is too deep too; composing it reports the first mistake.
            return compose(text[: error.problem_mark.index])
        raise _syntax_mistake(error, text) from None
    except (
        UnicodeEncodeError,
        yaml.reader.ReaderError,
    ):  # their positions count bytes, or characters
        match = _NO_CHARACTER.search(text)
        raise _bad_character(text, match.start() if match else 0) from None
    except BadCharacterError as error:
        raise _bad_character(text.removeprefix("\ufeff"), error.index) from None
    except HalfCharacterError as error:
        line, column = _line_and_column(text.removeprefix("\ufeff"), error.index)
        span = Span(line, column, line, column + len(r"\ud83d"))
        hint = r"write both halves, as in \ud83d\ude00, or the character itself"
        raise YamlMistake("L104", f"not YAML: {error}", span, hint) from None


_NO_CHARACTER = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML allows nowhere; for those allowed only in quotes, see `yaml_events`."""

_LIBYAML_DEPTH = "maximum nesting depth"
"""The error of libyaml 0.2.6 at a thousand levels, which may come before the first event."""


class _Composer:
    def __init__(self, events: Iterator[Any], empty_is_null: bool) -> None:
        self.events = events
        self.empty_is_null = empty_is_null
        self.anchors: dict[str, YamlNode | None] = {}  # None while the node is still open
        self.anchored: dict[str, Span] = {}

    def document(self) -> YamlNode:
        next(self.events)  # stream start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            if self.empty_is_null:
                return ScalarNode(Span(1, 1, 1, 1), "", plain=True)
            raise YamlMistake("L112", "the recipe is empty", Span(1, 1, 1, 1), BEGINNING)
        root = self.node(next(self.events), depth=0)
        next(self.events)  # document end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            hint = "keep one recipe per file"
            raise YamlMistake("L107", "a second YAML document begins here", _span(after), hint)
        return root

    def node(self, event: Any, depth: int) -> YamlNode:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            hint = "remove the tag: a recipe holds plain data and cannot name code to run"
            message = f"the tag {_short_tag(event.tag)} is not allowed"
            raise YamlMistake("L106", message, _span(event), hint)
        if depth > MAX_DEPTH:
            message = f"values are nested more than {MAX_DEPTH} levels deep"
            raise YamlMistake("L108", message, _span(event), "write fewer levels")
        if event.anchor:
            self.anchors[event.anchor] = None
            self.anchored[event.anchor] = _span(event)
        node = self.fresh_node(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def fresh_node(self, event: Any, depth: int) -> YamlNode:
        if isinstance(event, yaml.ScalarEvent):
            return ScalarNode(_span(event), event.value, plain=not event.style)
        if isinstance(event, yaml.SequenceStartEvent):
            sequence = SequenceNode(_span(event))
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                sequence.items.append(self.node(event, depth + 1))
            return sequence
        mapping = MappingNode(_span(event))
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            if not isinstance(key, ScalarNode):
                message = "a mapping or a list cannot be a key"
                raise YamlMistake("L111", message, _span(event), "write a name before the colon")
            mapping.entries.append((key, self.node(next(self.events), depth + 1)))
        return mapping

    def alias(self, event: Any) -> YamlNode:
        if event.anchor not in self.anchors:
            near = nearest(event.anchor, self.anchors)
            meant = f"; did you mean '*{near}'?" if near else ""
            message = f"no anchor &{event.anchor} comes before this alias{meant}"
            hint = f"write `&{event.anchor}` where the value is first written, or the value here"
            raise YamlMistake("L110", message, _span(event), hint)
        node = self.anchors[event.anchor]
        if node is None:
            message = f"the alias *{event.anchor} is inside the value that it names"
            notes = ((f"the value named &{event.anchor} begins here", self.anchored[event.anchor]),)
            raise YamlMistake("L110", message, _span(event), "write the value itself", notes=notes)
        return node


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _short_tag(tag: str) -> str:
    """Return a tag as it is written: ``!!python/name:os.system``."""
    return tag.replace("tag:yaml.org,2002:", "!!")


_BEGINNINGS = {
    "while parsing a block mapping": "the mapping begins here",
    "while parsing a flow mapping": "the mapping begins here",
    "while parsing a block collection": "the list begins here",
    "while parsing a flow sequence": "the list begins here",
    "while scanning a plain scalar": "the value begins here",
    "while scanning a quoted scalar": "the text begins here",
    "while parsing a quoted scalar": "the text begins here",
    "while scanning a directive": "a line that begins with % is a directive",
    "while scanning a block scalar": "the text begins here",
    "while scanning a simple key": "the key begins here",
}
"""Notes by libyaml's context of an error: what begins where the context begins."""


_NEARBY = "check the indentation, quotes and brackets here and just above"

_FIXES = (
    ("found incompatible YAML", "remove the line that begins with %YAML"),
    (
        "mapping values are not allowed",
        "put quotes around a value that contains a colon, or correct the indentation above",
    ),
    ("expected ',' or", "close the bracket, or put a comma between the entries"),
    ("expected node content", "close the bracket, or put a comma between the entries"),
    ("expected key", "indent this line like the lines around it, or close the quotes above it"),
    (
        "expected <block end>",
        "indent this line like the lines around it, or close the quotes above it",
    ),
    ("unexpected end of stream", "close the quotes that open here"),
    ("cannot start any token", "put quotes around a value that begins with this character"),
    ("unknown escape character", "write the backslash twice, or use single quotes"),
    ("expected ':'", "write a colon and a space after the key"),
    ("unknown directive name", "put quotes around text that begins with %"),
    ("expected <document start>", "keep one recipe per file, and nothing after `...`"),
)
"""Fixes by the words of libyaml's and PyYAML's errors."""


def _syntax_mistake(error: yaml.MarkedYAMLError, text: str) -> YamlMistake:
    mark = error.problem_mark or error.context_mark
    lines = source_lines(text)
    if not lines[-1]:  # after the last line break
        lines.pop()
    if mark and error.context_mark and mark.line >= len(lines):
        mark = error.context_mark  # at the end of the text, show where the unclosed part begins
    if error.context_mark and "expected ':'" in (error.problem or ""):
        mark = error.context_mark  # the key, not the line after it
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if lines and line > len(lines):
        line, column = len(lines), len(lines[-1]) + 1
    problem = error.problem or str(error)
    notes = _begins(error, (line, column))
    message = f"{problem} ({error.context})" if error.context and not notes else problem
    hint = next((fix for words, fix in _FIXES if words in problem), _NEARBY)
    if line <= len(lines) and _has_tab_before(lines[line - 1]):
        hint = "indent with spaces: YAML does not allow tabs"
    elif "expected ',' or" in problem and line <= len(lines) and "${" in lines[line - 1]:
        hint = 'put quotes around a variable inside braces or brackets: `["${vars.NAME}", 3]`'
    span = Span(line, column, line, column + 1)
    return YamlMistake("L104", f"not YAML: {message}", span, hint, notes=notes)


def _begins(error: yaml.MarkedYAMLError, shown: tuple[int, int]) -> tuple[tuple[str, Span], ...]:
    """Return a note on where the unfinished part begins, unless the mistake is shown there."""
    mark = error.context_mark
    if not error.context or not mark or (mark.line + 1, mark.column + 1) == shown:
        return ()
    span = Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)
    return ((_BEGINNINGS.get(error.context, error.context), span),)


def _bad_character(text: str, position: int) -> YamlMistake:
    line, column = _line_and_column(text, position)
    code = ord(text[position])
    message = f"not YAML: the character #x{code:04x} is not allowed"
    hint = f"remove it; inside double quotes, write it as \\u{code:04x}"
    return YamlMistake("L104", message, Span(line, column, line, column + 1), hint)


def _line_and_column(text: str, position: int) -> tuple[int, int]:
    before = source_lines(text[:position])
    return len(before), len(before[-1]) + 1


def _has_tab_before(line: str) -> bool:
    """Return whether a tab indents the line, or separates a dash or colon from its value."""
    return re.match(r"[ \-]*\t|[^#'\"]*[:\-?] *\t", line) is not None
