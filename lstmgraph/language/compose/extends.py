"""`extends:`: the recipe's text over those that it names, within bounds."""

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
"""Files under one recipe, and entries of one `extends`."""
MAX_CHAIN = 10
"""Files that extend each other in a row."""
WAYS = "write `extends: bases/common.yaml`, `extends: preset:NAME`, or a list of these"
_START = Span(1, 1, 1, 1)
OWN_KEYS = ("extends", "recipe", "name", "description")
"""What a recipe says of itself alone, and none inherits."""


@lru_cache(maxsize=32)
def _parsed(text: str, name: str) -> Document:
    """Many recipes have one base. What is returned is shared, and never changed."""
    return parse_document(text, name)


def with_bases(document: Document, folder: FilePath | None) -> Document:
    """`document` over what it extends, and that over what it extends itself.

    Each file counts once, where it is named first. Where bases cannot be read, a document without
    data, as most of what it then lacks would be no mistake.

    Args:
        document: a recipe; not changed where it extends something.
        folder: where it lies, below which bases do; None where it is text.
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
    whole.diagnostics.found[:0] = bases.found
    if len(whole.values) > MAX_NODES:
        message = f"with its bases the recipe holds more than {MAX_NODES:,} values"
        whole.report("L134", ("extends",), message, hint="write fewer values")
        whole.data = None
    return whole


def may_hold(document: Document, mark: str) -> bool:
    """Whether a text of `document` has `mark`, or an escape in quotes that could be it."""
    return any(mark in text or "\\" in text for text in document.sources.values())


@dataclass(frozen=True)
class _Open:
    """A file whose bases are being read, and the entry that names it."""

    identity: str
    name: str
    place: Place


class _Bases:
    """What a recipe extends, the lowest first, and the recipe."""

    def __init__(self, recipe: Document, root: FilePath | None) -> None:
        self.root = root
        self.version = recipe.data.get("recipe")
        self.layers: list[Document] = []
        self.sources: dict[str, str] = {}
        self.found: list[Diagnostic] = []
        self.origins = Origins()
        self.seen: set[str] = set()
        self.size = 0
        self.failed = False
        identity = recipe.source if root is None else str(FilePath(recipe.source).resolve())
        self.open = [_Open(identity, recipe.source, Place(recipe.source, _START))]

    def add(self, document: Document, folder: FilePath | None) -> None:
        """Take what `document` extends, then `document` itself."""
        self.sources |= document.sources
        self.found += [self.noted(found) for found in document.diagnostics.found]
        self.size += sum(map(len, document.sources.values()))
        if not isinstance(document.data, dict):
            self.failed = True
            return
        for entry, place in self.entries(document):
            self.base(entry, place, folder)
        own = without(document, *(("extends",) if len(self.open) == 1 else OWN_KEYS))
        self.layers.append(replace(own, diagnostics=Diagnostics(), origins=self.origins))

    def entries(self, document: Document) -> list[tuple[str, Place]]:
        """What stands under `extends:`, and where."""
        if "extends" not in document.data:
            return []
        written, path = document.data["extends"], ("extends",)
        if not isinstance(written, list):
            several = [(written, document.place(path))]
        else:
            several = [(each, document.place((*path, i))) for i, each in enumerate(written)]
        if not several:
            self.report("L131", document.place(path), "`extends` names nothing", WAYS)
        if len(several) > MAX_BASES:
            message = f"`extends` names more than {MAX_BASES} files"
            self.report("L134", document.place(path), message, "extend fewer files")
            return []
        for entry, place in several:
            if not isinstance(entry, str):
                message = f"a base is named by text, not {shown(entry)}"
                self.report("L131", place, message, WAYS)
        return [each for each in several if isinstance(each[0], str)]

    def base(self, entry: str, place: Place, folder: FilePath | None) -> None:
        """Take the file that `entry` names, where it can be read and was not taken yet."""
        try:
            base = locate(entry, folder, self.root)
        except BaseError as error:
            self.report(error.code, place, error.message, error.hint)
            return
        names = [each.identity for each in self.open]
        if base.identity in names:
            self.report_circle(base, place, names.index(base.identity))
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
        """Of a recipe whose own version is wrong, that alone is told, with its structure."""
        version = base.data.get("recipe") if isinstance(base.data, dict) else None
        if version in (None, self.version) or self.version != SUPPORTED_VERSION:
            return
        versions = f"version {shown(version)}, and this recipe of version {self.version}"
        message = f"'{name}' is of {versions}"
        hint = f"extend a base of version {self.version}"
        if isinstance(version, int) and is_migrated(version):
            hint = f"`lstmgraph migrate {name}` rewrites it"
        note = Note("the version of the base", base.place(("recipe",)))
        self.report("L135", place, message, hint, note)

    def is_within_bounds(self, place: Place) -> bool:
        message = None
        if len(self.seen) >= MAX_BASES:
            message = f"the recipe is made of more than {MAX_BASES} bases"
        elif len(self.open) > MAX_CHAIN:
            message = f"more than {MAX_CHAIN} files extend each other in a row"
        elif self.size > MAX_BYTES:
            message = f"the recipe and its bases are larger than {MAX_BYTES:,} characters"
        if message:
            self.report("L134", place, message, "extend fewer, or smaller, files")
        return message is None

    def report_circle(self, base: Base, place: Place, first: int) -> None:
        """`base` is being read: the file that names it is, in the end, its own base.

        The entries that lead to `place`, which every mistake in a base has for notes, are the rest
        of the circle.
        """
        between = [f"'{each.name}'" for each in self.open[first + 1 :]]
        through = f", through {listed(between)}" if between else ""
        message = f"'{base.name}' extends itself{through}"
        self.report("L133", place, message, "remove one of the entries that make the circle")

    def report(self, code: str, place: Place, message: str, hint: str, *notes: Note) -> None:
        self.failed = True
        found = Diagnostic(code, message, ("extends",), place, hint, notes=notes)
        self.found.append(self.noted(found))

    def noted(self, found: Diagnostic) -> Diagnostic:
        """`found`, with the entries that lead to where it is."""
        return replace(found, notes=found.notes + self.origins.notes((), found.place))
