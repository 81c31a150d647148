"""Python source as small trees, laid out as ``ruff format`` and ``black`` do by default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH = 88
"""The default line length of ruff and black."""


@dataclass(frozen=True)
class Text:
    """Source without a bracket that a line may be broken at."""

    text: str

    def flat(self) -> str:
        """Return it on one line."""
        return self.text


@dataclass(frozen=True)
class Brackets:
    """A call, a list, a tuple or a dictionary: items between brackets."""

    before: str
    """What stands directly before the bracket: the name of what is called."""
    opening: str
    items: tuple[tuple[str, Source], ...]
    """Each with what stands directly before it: ``units=``."""
    closing: str

    def flat(self) -> str:
        """Return it on one line."""
        inside = ", ".join(f"{before}{item.flat()}" for before, item in self.items)
        single = "," if self.opening == "(" and not self.before and len(self.items) == 1 else ""
        return f"{self.before}{self.opening}{inside}{single}{self.closing}"


Source = Text | Brackets


def call(name: str, /, *arguments: Source, **keywords: Source) -> Brackets:
    """Return a call of a function."""
    named = tuple((f"{key}=", value) for key, value in keywords.items())
    return Brackets(name, "(", (*(("", value) for value in arguments), *named), ")")


def called(name: str, items: Sequence[tuple[str, Source]]) -> Brackets:
    """Return a call of a function, with ``name=`` before each keyword argument."""
    return Brackets(name, "(", tuple(items), ")")


def listed(items: Sequence[Source]) -> Brackets:
    """Return a list."""
    return Brackets("", "[", tuple(("", item) for item in items), "]")


def tupled(items: Sequence[Source]) -> Brackets:
    """Return a tuple."""
    return Brackets("", "(", tuple(("", item) for item in items), ")")


def mapped(items: Mapping[str, Source]) -> Brackets:
    """Return a dictionary whose keys are texts."""
    pairs = tuple((f"{quoted(key)}: ", value) for key, value in items.items())
    return Brackets("", "{", pairs, "}")


def literal(value: Any) -> Source:
    """Return plain data: None, numbers, texts, and lists, tuples and mappings of them.

    Raises:
        TypeError: `value` is something else.
    """
    if value is None or isinstance(value, bool | int):
        return Text(repr(value))
    if isinstance(value, float):
        text = repr(value).replace("e+", "e")
        return Text(text if math.isfinite(value) else f'float("{value}")')
    if isinstance(value, str):
        return Text(quoted(value))
    if isinstance(value, list):
        return listed([literal(each) for each in value])
    if isinstance(value, tuple):
        return tupled([literal(each) for each in value])
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return mapped({key: literal(each) for key, each in value.items()})
    raise TypeError(f"no literal: {type(value).__name__}")


def quoted(text: str) -> str:
    """Return a text as a literal, whatever is in it, in the quotes that formatters prefer."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    escaped = repr(f"'\"{text}")[1:-1]  # both quotes inside: repr then escapes single ones alone
    inside = escaped[3:].replace("\\'", "'")
    return mark + _with_escaped(inside, mark) + mark


def _with_escaped(text: str, mark: str) -> str:
    """Return `text`, in which every other character is escaped, with `mark` escaped too."""
    return text.replace(mark, "\\" + mark)


def laid_out(source: Source, before: str = "", after: str = "", indent: int = 0) -> Iterator[str]:
    """Yield the lines of `source`, each with its indentation.

    Args:
        source: what is printed.
        before: what stands before it on the same line, such as ``x =`` and a space.
        after: what follows it directly, such as a comma.
        indent: the number of spaces before the line.
    """
    space, flat = " " * indent, source.flat()
    if isinstance(source, Text) or not source.items or fits(f"{before}{flat}{after}", indent):
        yield f"{space}{before}{flat}{after}"
        return
    yield f"{space}{before}{source.before}{source.opening}"
    inside = flat[len(source.before) + 1 : -1]
    # Formatters put the arguments of a call on one line of their own, but no items of a display.
    if source.before and fits(inside, indent + 4):
        yield f"{space}    {inside}"
    else:
        for own, item in source.items:
            yield from laid_out(item, own, ",", indent + 4)
    yield f"{space}{source.closing}{after}"


def fits(text: str, indent: int) -> bool:
    """Return whether a line is short enough."""
    return indent + len(text) <= WIDTH
