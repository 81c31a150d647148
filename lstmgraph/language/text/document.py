"""Read YAML text to plain data, with tables from paths to lines and columns.

Values follow the YAML 1.2 core schema, unlike PyYAML's own resolver, which reads ``1e-3`` as a
string and ``no`` as false, and keeps the last of two equal keys. So PyYAML only parses the text
to events, and this module resolves them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from lstmgraph.files import read_regular_file, require_regular_file
from lstmgraph.language.text.bytes import NotUtf8Error, decoded, why_unreadable
from lstmgraph.language.text.embedded import (
    MODEL_SUFFIX,
    NoRecipeError,
    embedded_model,
    embedded_recipe,
)
from lstmgraph.language.text.foreign import what_else
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
from lstmgraph.messages.diagnostics import (
    START,
    WARNING,
    Diagnostic,
    Diagnostics,
    Note,
    Path,
    Place,
    Span,
)
from lstmgraph.messages.wording import Guesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path as FilePath

MAX_NODES = 100_000
"""The most values in one recipe with aliases expanded: a file of 201 bytes can have millions."""

OF_WRAPPERS = frozenset({"input", "mask", "dtype_policy"})
"""Keys of a layer around another one that the layer inside does not have."""

REPLACED = frozenset({"L113", "L114"})
"""Codes of mistakes in the text that are replaced by a substitute value."""

_TOO_LARGE = "a recipe holds layers and settings; keep data in separate files"


_QUOTED = re.compile(r"(?<!layer )'\w+'")
"""What may be the name of a layer of a stack in a message."""
_PORT = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
"""A name in a message that may be that of a port."""


@dataclass
class Document:
    """A recipe's plain data, with the place of each part of it."""

    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    source: str = "<text>"
    origins: Origins = field(default_factory=Origins)
    guesses: Guesses = field(default_factory=Guesses)
    """Suggestions for misspelt names."""
    folder: FilePath | None = None
    """Where files that the recipe names are; None for a recipe in a model file, or for text."""
    overridden: dict[Path, Place] = field(default_factory=dict)
    """The places of the values that a ``--set`` replaced."""
    blocks: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    """Where each layer of a call of a block is written, by its name, and where the call is."""
    ports: Mapping[str, str] = field(default_factory=dict)
    """How the recipe names ports, and quoted layers, that have other names in the graph."""
    unfilled: Document | None = field(default=None, repr=False)
    """The document before variables were filled in, if it may have any."""
    extending: dict[str, Any] | None = field(default=None, repr=False)
    """The data of a recipe that extends others, as written and without its bases; else None."""

    def unread(self) -> set[Path]:
        """Return the paths with a substitute for a value that could not be read."""
        replaced = {error.path for error in self.diagnostics.found if error.code in REPLACED}
        return replaced | self.origins.unknown | self.doubled_layers()

    def doubled_layers(self) -> set[Path]:
        """Return the paths of layers that are written twice, so that either may be meant."""
        found = (error.path for error in self.diagnostics.found if error.code == "L105")
        return {path for path in found if len(path) in (2, 4) and path[-2] == "layers"}

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Return the place of `path`, or of the nearest parent that is in the text.

        The place of a mapping or a list is that of its key, where a reader looks for it.
        """
        path = self.written(path)
        for end in range(len(path), -1, -1):
            part = path[:end]
            whole = end == len(path)
            tables = (self.keys, self.values) if at_key or not whole else (self.values, self.keys)
            for table in tables:
                if part in table:
                    return table[part]
        return Place(self.source, START)

    def written(self, path: Path) -> Path:
        """Return where `path` is written: an argument that another layer has for this one there.

        A call has the arguments of the layer that it calls, a wrapper those of the layer inside. A
        layer of a call of a block is written in the block.
        """
        if len(path) < 2 or path[0] != "layers":
            return path
        base, _ = self.blocks.get(str(path[1]), (path[:2], ()))
        if len(path) == 2:
            return base
        prefix, key = base, path[2]
        for _ in range(MAX_DEPTH):  # calls may form a cycle
            if (*prefix, key) in self.keys:
                break
            if (*prefix, "call") in self.keys:
                called = self.at((*prefix, "call"))
                near = (*base[:-1], called)
                prefix = near if near in self.keys else ("layers", called)
            elif key not in OF_WRAPPERS and (*prefix, "layer") in self.keys:
                prefix = (*prefix, "layer")
            else:
                break
        is_there = prefix[-2] == "layers" or (*prefix, key) in self.keys
        return (*(prefix if is_there else base), *path[2:])

    def at(self, path: Path) -> Any:
        """Return the value at `path` of mappings; None if there is none."""
        found = self.data
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def _is_copy(self, path: Path) -> bool:
        """Return whether `path` is in a layer that a call of a block, or a loop, stands for."""
        return len(path) > 1 and path[0] == "layers" and str(path[1]) in self.blocks

    def _callers(self, path: Path) -> tuple[Note, ...]:
        """Return a note on the call of a block that the layer at `path` is computed for, if any."""
        if not self._is_copy(path):
            return ()
        written, caller = self.blocks[str(path[1])]
        if written[: len(caller)] == caller:  # a part of the loop itself
            return ()
        return (self.note(caller, f"in '{caller[-1]}', a call of the block", at_key=True),)

    def _local_names(self, path: Path) -> Callable[[str], str]:
        """Return the function that names layers in a text as the block does that `path` is in."""
        written, _ = self.blocks.get(str(path[1]) if len(path) > 1 else "", ((), ()))
        if written[:1] != ("blocks",) or len(written) != len(("blocks", "", "layers", "")):
            return str
        prefix = str(path[1]).removesuffix(str(written[-1]))
        return partial(re.sub, rf"\b{prefix}", "")

    def report(  # noqa: PLR0913 - the parts of a message
        self,
        code: str,
        path: Path,
        message: str,
        *,
        hint: str | None = None,
        at_key: bool = False,
        notes: tuple[Note, ...] = (),
    ) -> None:
        """Add an error at `path`; errors from bases and variables get notes on them."""
        is_copy, callers, local = self._is_copy(path), self._callers(path), self._local_names(path)
        path = self.written(path)
        if is_copy and any((code, path) == (e.code, e.path) for e in self.diagnostics.found):
            return  # reported for another call of the block
        message, hint = local(self.as_written(message)), hint and local(self.as_written(hint))
        place = self.place(path, at_key=at_key)
        notes = (*notes, *callers)
        notes = (*(note for note in notes if note.place != place), *self.replaced_by(place, path))
        notes += self.origins.notes(path, place)
        self.diagnostics.add(Diagnostic(code, message, path, place, hint, notes=notes))

    def note(self, path: Path, message: str, *, at_key: bool = False) -> Note:
        """Return a note at `path`, such as ``'encoder' is declared here``."""
        return Note(self.as_written(message), self.place(path, at_key=at_key))

    def as_written(self, text: str) -> str:
        """Return `text` with ports and layers of stacks named as the recipe names them."""
        text = _QUOTED.sub(lambda name: self.ports.get(name[0], name[0]), text)
        return _PORT.sub(lambda name: self.ports.get(name[0], name[0]), text)

    def replaced_by(self, place: Place, path: Path) -> tuple[Note, ...]:
        """Return a note on the value of the recipe that a ``--set`` replaces."""
        if not place.is_option:
            return ()
        parts = (path[:end] for end in range(len(path), 0, -1))
        value = next((self.overridden[part] for part in parts if part in self.overridden), None)
        return (Note("it replaces this value", value),) if value else ()

    def warn(self, code: str, path: Path, message: str, *, hint: str, at_key: bool = False) -> None:
        """Add a warning at `path` about something that is legal but probably unintended."""
        is_copy, callers, local = self._is_copy(path), self._callers(path), self._local_names(path)
        path = self.written(path)
        if is_copy and any((code, path) == (w.code, w.path) for w in self.diagnostics.warnings):
            return  # there is one for another call of the block
        message, hint = local(self.as_written(message)), local(self.as_written(hint))
        place = self.place(path, at_key=at_key)
        notes = callers + self.origins.notes(path, place)
        warning = Diagnostic(code, message, path, place, hint, severity=WARNING, notes=notes)
        self.diagnostics.add(warning)


def read_document(path: FilePath, parse: Callable[[str, str], Document] | None = None) -> Document:
    """Return the document of a recipe file or ``.keras`` file, with mistakes in its diagnostics.

    `parse` is ``parse_document`` by default, or a cached version of it.
    """
    name = str(path)
    if path.suffix == MODEL_SUFFIX:
        return _read_model_file(path)
    try:
        raw = read_regular_file(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        message, hint = why_unreadable(path, error)
        return unreadable(name, "L101", message, hint=hint)
    return decode_document(raw, name, parse)


def decode_document(
    raw: bytes, name: str, parse: Callable[[str, str], Document] | None = None
) -> Document:
    """Return the document of a recipe file's bytes; `name` is its name in messages."""
    other = what_else(raw)
    if other:
        return unreadable(name, "L102", f"it is {other[0]}, not a recipe", hint=other[1])
    if len(raw) > MAX_BYTES:
        message = f"the recipe is larger than {MAX_BYTES:,} bytes"
        return unreadable(name, "L103", message, hint=_TOO_LARGE)
    try:
        text = decoded(raw)
    except NotUtf8Error as error:
        where = (error.line, error.column)
        return unreadable(name, "L102", str(error), where=where, hint=error.hint)
    return (parse or parse_document)(text, name)


def _read_model_file(path: FilePath) -> Document:
    name = str(path)
    try:
        require_regular_file(path)
        embedded_model(path)  # raises if the name of a further model cannot be read
        return parse_document(embedded_recipe(path), name)
    except NoRecipeError as error:
        hint = "name a recipe, or a file that `lstmgraph build` wrote"
        return unreadable(name, "L115", f"no recipe in the model file: {error}", hint=hint)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        hint = "name a file that `lstmgraph build` wrote"
        return unreadable(name, "L101", f"cannot read the file: {reason}", hint=hint)


def parse_document(text: str, source: str = "<text>") -> Document:
    """Return the document of a recipe text, with mistakes in its diagnostics."""
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
    """Add the positions of `root`, from `source`, at `path`; return its plain data."""
    return _Builder(document, source).value(root, path)


class _Builder:
    """Turns composed nodes into plain data, recording positions and mistakes."""

    def __init__(self, document: Document, source: str) -> None:
        self.document = document
        self.source = source
        self.count = 0
        self.merged: dict[int, list[tuple[ScalarNode, YamlNode]]] = {}  # by the node's id

    def build(self, root: YamlNode) -> None:
        self.document.data = self.value(root, ())

    def spend(self, count: int, node: YamlNode) -> None:
        """Count `count` more values, also those that merging leaves out; check the limit."""
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
        if len(path) > MAX_DEPTH:  # through nested aliases, each of which is shallow
            message = f"values are nested more than {MAX_DEPTH} levels deep"
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
                    "remove one of the two",
                    notes=(("the first is here", first),),
                )
                self._note(mistake, (*path, name))
                continue
            self.document.keys[(*path, name)] = Place(self.source, key.span)
            data[name] = self.value(item, (*path, name))
        return data

    def _entries(self, node: MappingNode, path: Path) -> list[tuple[ScalarNode, YamlNode]]:
        """Return the mapping's own entries, then those that its merge keys add."""
        for key, merged in _merged_nodes(node):
            self.spend(1, merged)
            if not isinstance(merged, MappingNode):
                hint = "write `<<: *anchor`, where the anchor is on a mapping"
                notes = (("this is not a mapping", merged.span),)
                message = "`<<` merges mappings only"
                mistake = YamlMistake("L113", message, key.span, hint, notes=notes)
                self._note(mistake, path)
        return self._with_merged(node)

    def _with_merged(self, node: MappingNode, depth: int = 0) -> list[tuple[ScalarNode, YamlNode]]:
        """Return all entries, including those of mappings merged at any depth."""
        if id(node) in self.merged:
            return self.merged[id(node)]
        if depth > MAX_DEPTH:
            message = f"merge keys are nested more than {MAX_DEPTH} levels deep"
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
    """Yield the values of the mapping's merge keys, mappings or not."""
    for key, item in node.entries:
        if _is_merge(key):
            for merged in item.items if isinstance(item, SequenceNode) else [item]:
                yield key, merged


def as_diagnostic(mistake: YamlMistake, path: Path, source: str) -> Diagnostic:
    """Return the diagnostic for a mistake in the text of `source` at `path`."""
    notes = tuple(Note(message, Place(source, span)) for message, span in mistake.notes)
    place = Place(source, mistake.span)
    return Diagnostic(mistake.code, mistake.message, path, place, mistake.hint, notes=notes)


def unreadable(
    name: str, code: str, message: str, *, where: tuple[int, int] = (1, 1), hint: str | None = None
) -> Document:
    """Return the document of a file that holds no text, with one diagnostic that says why."""
    document = Document(source=name)
    place = Place(name, Span(*where, *where))
    document.diagnostics.add(Diagnostic(code, message, (), place, hint))
    return document
