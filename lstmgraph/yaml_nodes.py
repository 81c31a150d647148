"""YAML text -> a tree of nodes with positions, within bounds that hostile text cannot pass."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from lstmgraph.diagnostics import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 50


@dataclass
class ScalarNode:
    """A scalar's text; `plain` is one without quotes, which may be a number or a boolean."""

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
    """A mapping, its entries in the order of the text, equal keys included."""

    span: Span
    entries: list[tuple[ScalarNode, YamlNode]] = field(default_factory=list)


YamlNode = ScalarNode | SequenceNode | MappingNode


class YamlMistake(Exception):  # noqa: N818 - a mistake in the text, not a failure of the program
    """Text that is not a recipe's YAML."""

    def __init__(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.hint = hint


def compose(text: str, *, empty_is_null: bool = False) -> YamlNode:
    """Read one YAML document.

    Raises:
        YamlMistake: at the first thing that is not YAML, or that a recipe may not hold.
    """
    # libyaml where PyYAML was built with it (all its wheels): same events, some 10 times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader), empty_is_null).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_mistake(error, text) from None
    except UnicodeEncodeError as error:  # a lone surrogate, which libyaml cannot be given
        raise _bad_character(text, error.start, ord(text[error.start])) from None
    except yaml.reader.ReaderError as error:
        raise _character_mistake(error, text) from None


class _Composer:
    def __init__(self, events: Iterator[Any], empty_is_null: bool) -> None:
        self.events = events
        self.empty_is_null = empty_is_null
        self.anchors: dict[str, YamlNode | None] = {}  # None while the node is still open

    def document(self) -> YamlNode:
        next(self.events)  # stream start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            if self.empty_is_null:
                return ScalarNode(Span(1, 1, 1, 1), "", plain=True)
            hint = "begin with `recipe: 1`; `lstmgraph schema` prints what may follow"
            raise YamlMistake("L112", "the recipe is empty", Span(1, 1, 1, 1), hint)
        root = self.node(next(self.events), depth=0)
        next(self.events)  # document end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            hint = "keep one recipe in a file"
            raise YamlMistake("L107", "a second YAML document begins here", _span(after), hint)
        return root

    def node(self, event: Any, depth: int) -> YamlNode:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            hint = "remove the tag: a recipe holds plain data and cannot name code to run"
            message = f"the tag {_short_tag(event.tag)} is refused"
            raise YamlMistake("L106", message, _span(event), hint)
        if depth > MAX_DEPTH:
            message = f"values are nested more than {MAX_DEPTH} deep"
            raise YamlMistake("L108", message, _span(event), "write fewer levels")
        if event.anchor:
            self.anchors[event.anchor] = None
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
            message = f"no anchor &{event.anchor} stands before this alias"
            hint = f"write `&{event.anchor}` where the value is first written, or write it out here"
            raise YamlMistake("L110", message, _span(event), hint)
        node = self.anchors[event.anchor]
        if node is None:
            message = f"the alias *{event.anchor} stands inside what it names"
            raise YamlMistake("L110", message, _span(event), "write the value out")
        return node


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _short_tag(tag: str) -> str:
    """A tag as it is written: ``!!python/name:os.system``."""
    return tag.replace("tag:yaml.org,2002:", "!!")


def _syntax_mistake(error: yaml.MarkedYAMLError, text: str) -> YamlMistake:
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    if mark and error.context_mark and mark.line >= len(lines):
        mark = error.context_mark  # at the end of the text: what began is shown, not what is not
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if lines and line > len(lines):
        line, column = len(lines), len(lines[-1]) + 1
    problem = error.problem or str(error)
    message = f"{problem} ({error.context})" if error.context else problem
    hint = "look for an indentation, a quote or a bracket here or just above that is not right"
    if line <= len(lines) and _has_tab_before(lines[line - 1]):
        hint = "indent with spaces: YAML does not allow tabs"
    elif problem.startswith("found incompatible YAML"):
        hint = "remove the line that begins with %YAML"
    elif "<document start>" in problem:
        hint = "keep one recipe in a file, and nothing after `...`"
    elif "mapping values are not allowed" in problem:
        hint = "a value that holds a colon needs quotes, or the line above is indented wrongly"
    elif "expected ',' or" in problem or "expected node content" in problem:
        hint = "close the bracket, or put a comma between the entries"
    elif "expected key" in problem or "expected <block end>" in problem:
        hint = "indent this line as the lines beside it, or close the quotes above it"
    return YamlMistake("L104", f"not YAML: {message}", Span(line, column, line, column + 1), hint)


def _character_mistake(error: yaml.reader.ReaderError, text: str) -> YamlMistake:
    position = error.position if isinstance(error.position, int) else 0
    character = error.character
    code = character if isinstance(character, int) else ord(character[:1] or "\0")
    return _bad_character(text, position, code)


def _bad_character(text: str, position: int, code: int) -> YamlMistake:
    before = re.split("\r\n|\r|\n", text[:position])
    line, column = len(before), len(before[-1]) + 1
    message = f"not YAML: the character #x{code:04x} is not allowed"
    hint = f"remove it; between double quotes it is written \\u{code:04x}"
    return YamlMistake("L104", message, Span(line, column, line, column + 1), hint)


def _has_tab_before(line: str) -> bool:
    """Whether a tab stands where the line is indented, or between a dash or colon and its value."""
    return re.match(r"[ \-]*\t|[^#'\"]*[:\-?] *\t", line) is not None
