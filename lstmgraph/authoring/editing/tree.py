"""YAML text as a tree that keeps what data does not: comments, blank lines, quotes, anchors."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Comment:
    """A comment, from its ``#`` to the end of the line."""

    text: str
    index: int
    line: int
    column: int
    own_line: bool
    """Whether nothing stands before it on its line."""


@dataclass
class Scalar:
    """A scalar as written, quotes and all; `value` is what it says."""

    start: int
    end: int
    source: str
    value: str
    style: str
    """Empty where there are no quotes, else the quote, ``|`` or ``>``."""
    anchor: str | None = None
    parent_column: int = 0
    """Where the collection around it begins: what an indentation indicator counts from."""


@dataclass
class Alias:
    """An alias: ``*name``."""

    start: int
    end: int
    name: str
    anchor: None = None


@dataclass
class Entry:
    """An entry of a mapping, or an item of a list, which has no key."""

    key: Scalar | Alias | None
    value: Node
    above: list[str] = field(default_factory=list)
    """Comments on lines of their own above it; empty strings are blank lines."""
    beside: Comment | None = None
    """The comment at the end of its line."""
    below: bool = False
    """Whether its value begins on the line below the key."""
    aligned: bool = False
    """Whether its value stands below those of its neighbours, moved there with spaces."""

    def put_beside(self, comments: list[Comment]) -> None:
        """Comments for the end of its line; as a line has one end, the last one gets it."""
        for comment in comments:
            if self.beside is not None:
                self.above.append(self.beside.text)
            self.beside = comment

    @property
    def name(self) -> str:
        """Return the key's text."""
        return self.key.value if isinstance(self.key, Scalar) else ""


@dataclass
class Collection:
    """A mapping or a list."""

    start: int
    end: int
    is_mapping: bool
    flow: bool
    """Whether it is written in brackets."""
    column: int
    anchor: str | None = None
    entries: list[Entry] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    """Comments at its top that belong to no entry: a blank line stands below them."""
    footer: list[str] = field(default_factory=list)
    """Comments below its last entry."""


Node = Scalar | Alias | Collection


@dataclass
class Tree:
    """The tree of a whole text."""

    prolog: list[str]
    """Directives and the marker ``---``, as written."""
    root: Node
    header: list[str]
    footer: list[str]
    comments: list[str]
    """Every comment in it, but those in the first line of a block scalar."""
