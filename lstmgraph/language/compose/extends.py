"""Resolve `extends:`: read the bases of a recipe, within limits, and lay it over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from lstmgraph.language.compose.locate import BaseError, locate
from lstmgraph.language.compose.merge import check_deletions, overlay, without
from lstmgraph.language.schema.structure import SUPPORTED_VERSION, is_migrated
from lstmgraph.language.text.document import MAX_NODES, Document, parse_document, read_document
from lstmgraph.language.text.nodes import MAX_BYTES
from lstmgraph.language.text.origins import Origins
from lstmgraph.messages.diagnostics import Diagnostic, Diagnostics, Note, Place, Span
from lstmgraph.messages.wording import listed, shown

if TYPE_CHECKING:
    from lstmgraph.language.compose.locate import Base

MAX_BASES = 20
"""The most bases of one recipe, and the most entries of one `extends`."""
MAX_CHAIN = 10
"""The most files in a chain of `extends`."""
EXTENDS_HINT = "write `extends: bases/common.yaml`, `extends: preset:NAME`, or a list of these"
_START = Span(1, 1, 1, 1)
OWN_KEYS = ("extends", "recipe", "name", "description")
"""Keys that a recipe does not inherit from its bases."""


@lru_cache(maxsize=32)
def _parsed(text: str, name: str) -> Document:
    """Parse a base; the result is cached and shared, so it must not be changed."""
    return parse_document(text, name)


def with_bases(document: Document, folder: FilePath | None) -> Document:
    """Return `document` laid over its bases, and those over their own bases.

    A file that is named more than once is used once, where it is named first. If a base cannot be
    read, the result has no data, as it would otherwise be reported as incomplete.

    Args:
        document: a recipe; not changed if it extends something.
        folder: the folder of its file, which must hold its bases; None for text.
    """
    if not isinstance(document.data, dict):
        return document
    if "extends" not in document.data:
        if may_hold(document, "$"):
            check_deletions(document)
        return document
    bases = _Bases(document, folder)
    bases.add(document, folder)
    layers = [] if bases.failed else bases.layers
    nothing = Document(data=None if bases.failed else {}, source=document.source)
    whole = reduce(overlay, layers, nothing)
    whole.sources = bases.sources
    whole.diagnostics.found[:0] = bases.errors
    if len(whole.values) > MAX_NODES:
        message = f"the recipe and its bases hold more than {MAX_NODES:,} values"
        whole.report("L134", ("extends",), message, hint="write fewer values")
        whole.data = None
    return whole


def may_hold(document: Document, mark: str) -> bool:
    """Return whether a text of `document` holds `mark`, or an escape that could stand for it."""
    return any(mark in text or "\\" in text for text in document.sources.values())


@dataclass(frozen=True)
class _Open:
    """A file whose bases are being read, and the place of the entry that names it."""

    identity: str
    name: str
    place: Place


class _Bases:
    """The layers of a recipe: its bases, the lowest first, then the recipe itself."""

    def __init__(self, recipe: Document, root: FilePath | None) -> None:
        self.root = root
        self.version = recipe.data.get("recipe")
        self.layers: list[Document] = []
        self.sources: dict[str, str] = {}
        self.errors: list[Diagnostic] = []
        self.origins = Origins()
        self.seen: set[str] = set()
        self.size = 0
        self.failed = False
        identity = recipe.source if root is None else str(FilePath(recipe.source).resolve())
        self.open = [_Open(identity, recipe.source, Place(recipe.source, _START))]

    def add(self, document: Document, folder: FilePath | None) -> None:
        """Add the bases of `document`, then `document` itself."""
        self.sources |= document.sources
        self.errors += [self.with_origin(error) for error in document.diagnostics.found]
        self.size += sum(map(len, document.sources.values()))
        if not isinstance(document.data, dict):
            self.failed = True
            return
        for entry, place in self.entries(document):
            self.base(entry, place, folder)
        own = without(document, *(("extends",) if len(self.open) == 1 else OWN_KEYS))
        self.layers.append(replace(own, diagnostics=Diagnostics(), origins=self.origins))

    def entries(self, document: Document) -> list[tuple[str, Place]]:
        """Return the entries of `extends:` with their places."""
        if "extends" not in document.data:
            return []
        written, path = document.data["extends"], ("extends",)
        if not isinstance(written, list):
            entries = [(written, document.place(path))]
        else:
            entries = [(entry, document.place((*path, i))) for i, entry in enumerate(written)]
        if not entries:
            self.report("L131", document.place(path), "`extends` is empty", EXTENDS_HINT)
        if len(entries) > MAX_BASES:
            message = f"`extends` names more than {MAX_BASES} files"
            self.report("L134", document.place(path), message, "extend fewer files")
            return []
        for entry, place in entries:
            if not isinstance(entry, str):
                message = f"a base must be a file name or `preset:NAME`, not {shown(entry)}"
                self.report("L131", place, message, EXTENDS_HINT)
        return [(entry, place) for entry, place in entries if isinstance(entry, str)]

    def base(self, entry: str, place: Place, folder: FilePath | None) -> None:
        """Add the file that `entry` names, unless it was added before."""
        try:
            base = locate(entry, folder, self.root)
        except BaseError as error:
            self.report(error.code, place, error.message, error.hint)
            return
        names = [file.identity for file in self.open]
        if base.identity in names:
            self.report_cycle(base, place, names.index(base.identity))
        elif base.identity not in self.seen and self.is_within_bounds(place):
            self.seen.add(base.identity)
            self.origins.extended[base.name] = place
            self.open.append(_Open(base.identity, base.name, place))
            self.read(base, place)
            self.open.pop()

    def read(self, base: Base, place: Place) -> None:
        if base.folder is None:
            document = _parsed(base.path.read_text("utf-8"), base.name)
        else:
            document = read_document(base.path, _parsed)
        if document.data is not None and not isinstance(document.data, dict):
            message = f"a base must be a mapping, not {shown(document.data)}"
            self.report("L204", document.place(()), message, "write `key: value` pairs")
        self.check_version(document, base.name, place)
        self.add(document, base.folder)

    def check_version(self, base: Document, name: str, place: Place) -> None:
        """Report a base of another version, unless the recipe's own version is wrong already."""
        version = base.data.get("recipe") if isinstance(base.data, dict) else None
        if version in (None, self.version) or self.version != SUPPORTED_VERSION:
            return
        versions = f"version {shown(version)}, but this recipe has version {self.version}"
        message = f"'{name}' has {versions}"
        hint = f"extend a base of version {self.version}"
        if isinstance(version, int) and is_migrated(version):
            hint = f"run `lstmgraph migrate {name}` to rewrite it"
        note = Note("the version of the base", base.place(("recipe",)))
        self.report("L135", place, message, hint, note)

    def is_within_bounds(self, place: Place) -> bool:
        message = None
        if len(self.seen) >= MAX_BASES:
            message = f"the recipe has more than {MAX_BASES} bases"
        elif len(self.open) > MAX_CHAIN:
            message = f"a chain of `extends` is longer than {MAX_CHAIN} files"
        elif self.size > MAX_BYTES:
            message = f"the recipe and its bases are larger than {MAX_BYTES:,} characters"
        if message:
            self.report("L134", place, message, "extend fewer or smaller files")
        return message is None

    def report_cycle(self, base: Base, place: Place, first: int) -> None:
        """Report that `base`, which is still being read, is a base of itself.

        The notes of the diagnostic, the entries that lead to `place`, show the rest of the cycle.
        """
        between = [f"'{file.name}'" for file in self.open[first + 1 :]]
        through = f", through {listed(between)}" if between else ""
        message = f"'{base.name}' extends itself{through}"
        self.report("L133", place, message, "remove one of the entries that form the cycle")

    def report(self, code: str, place: Place, message: str, hint: str, *notes: Note) -> None:
        self.failed = True
        error = Diagnostic(code, message, ("extends",), place, hint, notes=notes)
        self.errors.append(self.with_origin(error))

    def with_origin(self, error: Diagnostic) -> Diagnostic:
        """Return `error` with notes on the entries of `extends` that lead to its place."""
        return replace(error, notes=error.notes + self.origins.notes((), error.place))
