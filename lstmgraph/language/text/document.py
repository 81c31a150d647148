"""YAML text -> plain data, with a side table from path to line and column.

Values follow the YAML 1.2 core schema, which PyYAML's own resolver does not: there ``1e-3`` is a
string, ``no`` is false and the last of two equal keys wins. So PyYAML parses here (its event
stream), and this module resolves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.files import read_regular_file, require_regular_file
from lstmgraph.language.text.bytes import NotUtf8Error, decoded, why_unreadable
from lstmgraph.language.text.embedded import (
    MODEL_SUFFIX,
    NoRecipeError,
    embedded_model,
    embedded_recipe,
)
from lstmgraph.language.text.nodes import (
    MAX_BYTES,
    MAX_DEPTH,
    MappingNode,
    ScalarNode,
    SequenceNode,
    YamlMistake,
    YamlNode,
    compose,
)
from lstmgraph.language.text.origins import Origins
from lstmgraph.language.text.scalars import BadNumberError, resolve_scalar
from lstmgraph.messages.diagnostics import WARNING, Diagnostic, Diagnostics, Note, Path, Place, Span
from lstmgraph.messages.wording import Guesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path as FilePath

MAX_NODES = 100_000
"""Values in one recipe, aliases expanded; a file of 201 bytes can ask for millions."""

REPLACED = frozenset({"L113", "L114"})
"""Codes of mistakes in the text after which reading went on with something else."""

_START = Span(1, 1, 1, 1)
_TOO_LARGE = "a recipe holds layers and settings; data stays in files of its own"


@dataclass
class Document:
    """A recipe's plain data, and where in which text each part of it stands."""

    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    source: str = "<text>"
    origins: Origins = field(default_factory=Origins)
    guesses: Guesses = field(default_factory=Guesses)
    """For the names that may be meant."""
    overridden: dict[Path, Place] = field(default_factory=dict)
    """Where the values stand that a ``--set`` replaced."""
    unfilled: Document | None = field(default=None, repr=False)
    """The same before variables were filled in, where there may be some."""
    extending: dict[str, Any] | None = field(default=None, repr=False)
    """The data of a recipe that extends others, without theirs, where it is as written."""

    def unread(self) -> set[Path]:
        """Where something else stands in for what could not be read, and that is reported."""
        found = {found.path for found in self.diagnostics.found if found.code in REPLACED}
        return found | self.origins.unknown

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Where `path` stands, or the nearest part above it that is in the text.

        A mapping or a list is shown by its key: that is where a reader looks for it.
        """
        for end in range(len(path), -1, -1):
            part = path[:end]
            whole = end == len(path)
            tables = (self.keys, self.values) if at_key or not whole else (self.values, self.keys)
            for table in tables:
                if part in table:
                    return table[part]
        return Place(self.source, _START)

    def report(  # noqa: PLR0913 - what a message can say, by keyword
        self,
        code: str,
        path: Path,
        message: str,
        *,
        hint: str | None = None,
        at_key: bool = False,
        notes: tuple[Note, ...] = (),
    ) -> None:
        """Note a mistake at `path`."""
        place = self.place(path, at_key=at_key)
        notes = (*(each for each in notes if each.place != place), *self.replaced_by(place, path))
        notes += self.origins.notes(path, place)
        self.diagnostics.add(Diagnostic(code, message, path, place, hint, notes=notes))

    def note(self, path: Path, message: str, *, at_key: bool = False) -> Note:
        """What a mistake has to do with `path`: ``'encoder' is declared here``."""
        return Note(message, self.place(path, at_key=at_key))

    def replaced_by(self, place: Place, path: Path) -> tuple[Note, ...]:
        """Of a mistake in a ``--set``: which value of the recipe it stands in place of."""
        if not place.is_option:
            return ()
        parts = (path[:end] for end in range(len(path), 0, -1))
        found = next((self.overridden[part] for part in parts if part in self.overridden), None)
        return (Note("it stands in place of this", found),) if found else ()

    def warn(self, code: str, path: Path, message: str, *, hint: str, at_key: bool = False) -> None:
        """Note at `path` what is legal and probably not meant."""
        place = self.place(path, at_key=at_key)
        notes = self.origins.notes(path, place)
        found = Diagnostic(code, message, path, place, hint, severity=WARNING, notes=notes)
        self.diagnostics.add(found)


def read_document(path: FilePath, parse: Callable[[str, str], Document] | None = None) -> Document:
    """Read a recipe file. What is wrong with it is in the document's diagnostics.

    `parse` is ``parse_document``, or one that remembers what it has parsed.
    """
    name = str(path)
    if path.suffix == MODEL_SUFFIX:
        return _read_model_file(path)
    try:
        raw = read_regular_file(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        message, hint = why_unreadable(path, error)
        return _unreadable(name, "L101", message, hint=hint)
    return decode_document(raw, name, parse)


def decode_document(
    raw: bytes, name: str, parse: Callable[[str, str], Document] | None = None
) -> Document:
    """Read the bytes of a recipe file, called `name` in messages; see ``read_document``."""
    if len(raw) > MAX_BYTES:
        message = f"the recipe is larger than {MAX_BYTES:,} bytes"
        return _unreadable(name, "L103", message, hint=_TOO_LARGE)
    try:
        text = decoded(raw)
    except NotUtf8Error as error:
        where = (error.line, error.column)
        return _unreadable(name, "L102", str(error), where=where, hint="save the file as UTF-8")
    return (parse or parse_document)(text, name)


def _read_model_file(path: FilePath) -> Document:
    name = str(path)
    try:
        require_regular_file(path)
        embedded_model(path)  # whether the name of a further model can be read
        return parse_document(embedded_recipe(path), name)
    except NoRecipeError as error:
        hint = "name the recipe itself, or a file that `lstmgraph build` wrote"
        return _unreadable(name, "L115", f"no recipe in the model file: {error}", hint=hint)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        hint = "name a file that `lstmgraph build` wrote"
        return _unreadable(name, "L101", f"cannot read the file: {reason}", hint=hint)


def parse_document(text: str, source: str = "<text>") -> Document:
    """Parse recipe text. What is wrong with it is in the document's diagnostics."""
    document = Document(source=source, sources={source: text})
    if len(text) > MAX_BYTES:
        message = f"the recipe is larger than {MAX_BYTES:,} characters"
        document.report("L103", (), message, hint=_TOO_LARGE)
        return document
    try:
        root = compose(text)
        _Builder(document, source).build(root)
    except YamlMistake as mistake:
        document.diagnostics.add(as_diagnostic(mistake, (), source))
    return document


def build_value(document: Document, root: YamlNode, path: Path, source: str) -> Any:
    """Add `root` to `document` at `path`, as text from `source`; return its plain data."""
    return _Builder(document, source).value(root, path)


class _Builder:
    """Turns composed nodes into plain data, noting positions and what is wrong on the way."""

    def __init__(self, document: Document, source: str) -> None:
        self.document = document
        self.source = source
        self.count = 0
        self.merged: dict[int, list[tuple[ScalarNode, YamlNode]]] = {}  # by the node's id

    def build(self, root: YamlNode) -> None:
        self.document.data = self.value(root, ())

    def spend(self, count: int, node: YamlNode) -> None:
        """Count `count` values more, those included that are looked at and left out."""
        self.count += count
        if self.count > MAX_NODES:
            raise YamlMistake(
                "L109",
                f"the recipe holds more than {MAX_NODES:,} values once its aliases are expanded",
                node.span,
                "write fewer values, or use fewer aliases",
            )

    def value(self, node: YamlNode, path: Path) -> Any:
        self.spend(1, node)
        if len(path) > MAX_DEPTH:  # reached through aliases, each of which is shallow
            message = f"values are nested more than {MAX_DEPTH} deep"
            raise YamlMistake("L108", message, node.span, "write fewer levels")
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self.document.values[path] = self.document.keys.get(path) or Place(self.source, node.span)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.items)]
        return self._mapping(node, path)

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        self.document.values[path] = Place(self.source, node.span)
        try:
            return resolve_scalar(node.text, plain=node.plain)
        except BadNumberError as error:
            self._note(YamlMistake("L114", str(error), node.span, error.hint), path)
            return 0

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, item in self._entries(node, path):
            name = key.text
            if name in data:
                self.spend(1, key)
                first = self.document.keys[(*path, name)].span
                mistake = YamlMistake(
                    "L105",
                    f"'{name}' is written twice",
                    key.span,
                    "keep one of the two",
                    notes=(("the first is here", first),),
                )
                self._note(mistake, (*path, name))
                continue
            self.document.keys[(*path, name)] = Place(self.source, key.span)
            data[name] = self.value(item, (*path, name))
        return data

    def _entries(self, node: MappingNode, path: Path) -> list[tuple[ScalarNode, YamlNode]]:
        """The mapping's own entries, then what its merge keys add and it does not say itself."""
        for key, merged in _merged_nodes(node):
            self.spend(1, merged)
            if not isinstance(merged, MappingNode):
                hint = "write `<<: *anchor`, where the anchor is on a mapping"
                notes = (("this is no mapping", merged.span),)
                message = "`<<` merges mappings only"
                mistake = YamlMistake("L113", message, key.span, hint, notes=notes)
                self._note(mistake, path)
        return self._with_merged(node)

    def _with_merged(self, node: MappingNode, depth: int = 0) -> list[tuple[ScalarNode, YamlNode]]:
        """All entries, those of merged mappings that merge others themselves included."""
        if id(node) in self.merged:
            return self.merged[id(node)]
        if depth > MAX_DEPTH:
            message = f"merge keys are nested more than {MAX_DEPTH} deep"
            raise YamlMistake("L108", message, node.span, "write fewer levels")
        entries = [(key, item) for key, item in node.entries if not _is_merge(key)]
        names = {key.text for key, _ in entries}
        for _, merged in _merged_nodes(node):
            if isinstance(merged, MappingNode):
                inner = self._with_merged(merged, depth + 1)
                self.spend(len(inner), merged)
                added = [entry for entry in inner if entry[0].text not in names]
                entries += added
                names |= {entry[0].text for entry in added}
        self.merged[id(node)] = entries
        return entries

    def _note(self, mistake: YamlMistake, path: Path) -> None:
        self.document.diagnostics.add(as_diagnostic(mistake, path, self.source))


def _is_merge(key: ScalarNode) -> bool:
    return key.plain and key.text == "<<"


def _merged_nodes(node: MappingNode) -> Iterator[tuple[ScalarNode, YamlNode]]:
    """What the mapping's merge keys name, mappings or not."""
    for key, item in node.entries:
        if _is_merge(key):
            for merged in item.items if isinstance(item, SequenceNode) else [item]:
                yield key, merged


def as_diagnostic(mistake: YamlMistake, path: Path, source: str) -> Diagnostic:
    """`mistake`, found in the text of `source` at `path`."""
    notes = tuple(Note(message, Place(source, span)) for message, span in mistake.notes)
    place = Place(source, mistake.span)
    return Diagnostic(mistake.code, mistake.message, path, place, mistake.hint, notes=notes)


def _unreadable(
    name: str, code: str, message: str, *, where: tuple[int, int] = (1, 1), hint: str | None = None
) -> Document:
    document = Document(source=name)
    place = Place(name, Span(*where, *where))
    document.diagnostics.add(Diagnostic(code, message, (), place, hint))
    return document
