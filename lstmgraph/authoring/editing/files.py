"""Recipe files that are edited: read, compared, and written whole or not at all."""

from __future__ import annotations

import difflib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.authoring.editing.formatting import with_plain_lines
from lstmgraph.files import atomic_path
from lstmgraph.language.text.document import decode_document, read_document
from lstmgraph.language.text.embedded import MODEL_SUFFIX
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.rendering.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmgraph.language.text.document import Document

    Change = Callable[[str, str], str]
    """From a recipe's text, and what messages call it, to its new text."""


class NotEditableError(Exception):
    """A file can be read, but commands do not rewrite it."""


@dataclass(frozen=True)
class Edited:
    """A recipe file as it is, and as it should be."""

    name: str
    before: bytes
    after: bytes

    @property
    def changed(self) -> bool:
        """Return whether there is a difference."""
        return self.before != self.after

    def difference(self) -> str:
        """Return the difference as a unified diff."""
        name = printable(self.name)
        old, new = _lines(self.before), _lines(self.after)
        return "".join(difflib.unified_diff(old, new, name, name))

    def write(self, path: Path) -> None:
        """Put the new text in place of the old; the file's mode, and a link to it, stay.

        Raises:
            NotEditableError: the file may not be written to.
            OSError: it cannot be.
        """
        target = path.resolve()
        if not os.access(target, os.W_OK):
            raise NotEditableError(f"{path} cannot be written to")
        with atomic_path(target) as temporary:
            temporary.write_bytes(self.after)
            shutil.copymode(target, temporary)


def _lines(data: bytes) -> list[str]:
    *lines, last = data.decode("utf-8").split("\n")
    unended = [f"{last}\n\\ No newline at end of file\n"] if last else []
    return [*(f"{line}\n" for line in lines), *unended]


def edit_file(path: Path, change: Change, *, tidy: bool = True) -> Edited:
    """Return what `change` makes of a recipe file; nothing is written.

    `tidy`: where nothing else changes, mixed ends of lines and a byte order mark still do.

    Raises:
        NotEditableError: the file is a model with a recipe in it.
        RecipeError: the file cannot be read, or `change` cannot read its text.
    """
    if path.suffix == MODEL_SUFFIX:
        raise NotEditableError(f"{path} is a model; name the recipe that it was built from")
    _must_be_readable(read_document(path))
    return edit_bytes(path.read_bytes(), str(path), change, tidy=tidy)


def edit_bytes(before: bytes, name: str, change: Change, *, tidy: bool = True) -> Edited:
    """Return what `change` makes of a recipe's bytes; lines end as the first one does.

    Raises:
        RecipeError: they are not UTF-8, or `change` cannot read the text.
    """
    document = decode_document(before, name)
    _must_be_readable(document)
    text = document.sources[name]
    plain = with_plain_lines(text)
    after = change(plain, name)
    if after == plain and not tidy:
        return Edited(name, before, before)
    first, line_end, _ = text.partition("\n")
    if line_end and first.endswith("\r"):
        after = after.replace("\n", "\r\n")
    return Edited(name, before, after.encode("utf-8"))


def _must_be_readable(document: Document) -> None:
    if document.diagnostics:
        raise RecipeError(document.diagnostics.ordered(), document.sources)
