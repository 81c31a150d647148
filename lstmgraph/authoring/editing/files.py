"""Editing of recipe files: read, compared, and written atomically."""

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
    """Takes a recipe's text and its name for messages; returns the new text."""


class NotEditableError(Exception):
    """The file can be read, but cannot be rewritten."""


@dataclass(frozen=True)
class Edited:
    """A recipe file before and after an edit."""

    name: str
    before: bytes
    after: bytes

    @property
    def changed(self) -> bool:
        """Whether the edit changes the file."""
        return self.before != self.after

    def difference(self) -> str:
        """Return the changes as a unified diff."""
        name = printable(self.name)
        old, new = _lines(self.before), _lines(self.after)
        return "".join(difflib.unified_diff(old, new, name, name))

    def write(self, path: Path) -> None:
        """Write the new text to the file, keeping its mode and links to it.

        Raises:
            NotEditableError: There is no permission to write the file.
            OSError: Writing fails.
        """
        target = path.resolve()
        if not os.access(target, os.W_OK):
            raise NotEditableError(f"{path} cannot be written to")
        with atomic_path(target) as temporary:
            temporary.write_bytes(self.after)
            shutil.copymode(target, temporary)


def _lines(data: bytes) -> list[str]:
    *lines, last = data.decode("utf-8").split("\n")
    without_break = [f"{last}\n\\ No newline at end of file\n"] if last else []
    return [*(f"{line}\n" for line in lines), *without_break]


def edit_file(path: Path, change: Change, *, tidy: bool = True) -> Edited:
    """Return the edit that `change` makes to a recipe file, without writing it.

    Args:
        path: The recipe file.
        change: Returns the new text.
        tidy: Whether to unify line ends and remove a byte order mark even if `change` changes
            nothing.

    Raises:
        NotEditableError: The file is a model that holds a recipe.
        RecipeError: The file cannot be read, or `change` cannot read its text.
    """
    if path.suffix == MODEL_SUFFIX:
        raise NotEditableError(f"{path} is a model; give the recipe that it was built from")
    _must_be_readable(read_document(path))
    return edit_bytes(path.read_bytes(), str(path), change, tidy=tidy)


def edit_bytes(before: bytes, name: str, change: Change, *, tidy: bool = True) -> Edited:
    """Return the edit that `change` makes to a recipe's bytes; all lines end like the first.

    Raises:
        RecipeError: The bytes are not UTF-8, or `change` cannot read the text.
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
