"""YAML text as a tree with comments, blank lines, quotes and anchors."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Comment:
    """A comment, from its ``#`` to the end of the line; lines and columns count from 0."""

    text: str
    index: int
    line: int
    column: int
    own_line: bool
    """Whether its line holds nothing else."""


@dataclass
class Scalar:
    """A scalar; `source` is its text including quotes, `value` its parsed text."""

    start: int
    end: int
    source: str
    value: str
    style: str
    """The quote, ``|`` or ``>``; empty for a plain scalar."""
    anchor: str | None = None
    parent_column: int = 0
    """The column of the collection around it, from which an indentation indicator counts."""


@dataclass
class Alias:
    """An alias: ``*name``."""

    start: int
    end: int
    name: str
    anchor: None = None


@dataclass
class Entry:
    """An entry of a mapping, or an item of a list; an item has no key."""

    key: Scalar | Alias | None
    value: Node
    above: list[str] = field(default_factory=list)
    """The comment lines above it; empty strings are blank lines."""
    beside: Comment | None = None
    """The comment at the end of its line."""
    below: bool = False
    """Whether its value begins on a line below the key."""
    aligned: bool = False
    """Whether its value is aligned with those of neighbouring entries."""

    def put_beside(self, comments: list[Comment]) -> None:
        """Put the last comment at the end of the entry's line, and the others above the entry."""
        for comment in comments:
            if self.beside is not None:
                self.above.append(self.beside.text)
            self.beside = comment

    @property
    def name(self) -> str:
        """The text of the key; empty without a key."""
        return self.key.value if isinstance(self.key, Scalar) else ""


@dataclass
class Collection:
    """A mapping or a list."""

    start: int
    end: int
    is_mapping: bool
    flow: bool
    """Whether it is written in brackets or braces."""
    column: int
    anchor: str | None = None
    entries: list[Entry] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    """The comments at its top that belong to no entry, as a blank line follows them."""
    footer: list[str] = field(default_factory=list)
    """The comments below its last entry."""


Node = Scalar | Alias | Collection


@dataclass
class Tree:
    """The tree of a whole text."""

    prolog: list[str]
    """The directives and the marker ``---``, as written."""
    root: Node
    header: list[str]
    footer: list[str]
    comments: list[str]
    """All comments, except those in the first line of a block scalar."""
