"""Decode the bytes of a recipe file, and explain why a file cannot be read."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from lstmgraph.files import NotAFileError
from lstmgraph.language.text.embedded import MODEL_SUFFIX
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.messages.errors import ModelFileError
from lstmgraph.messages.wording import nearest, suggested

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MOST_FILES = 1000
"""The most files of a folder to look at for a suggestion."""
_SUFFIXES = (".yaml", ".yml")
NAME_A_RECIPE = "name a recipe file; `lstmgraph init` writes a first one"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
"""Characters that no text has, in whatever encoding of one byte."""
_LOOKED_AT = 20_000
_LINE_END = re.compile(r"\r\n|\r|\n")


class NotUtf8Error(ValueError):
    """Raised for bytes that are not UTF-8 text, with the line and column of the first."""

    def __init__(
        self, message: str, line: int = 1, column: int = 1, hint: str = "save the file as UTF-8"
    ) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.hint = hint


def why_unreadable(path: Path, error: OSError | ValueError) -> tuple[str, str | None]:
    """Return the message and the hint for a recipe file that cannot be read."""
    message = f"cannot read the recipe: {getattr(error, 'strerror', None) or error}"
    hint: str | None = NAME_A_RECIPE
    if isinstance(error, IsADirectoryError):
        hint = _in_folder(path)
    elif isinstance(error, NotAFileError):  # the message says what to do
        hint = None
    near = file_near(path) if isinstance(error, FileNotFoundError) else None
    return f"{message}{suggested(near)}", hint


def _in_folder(folder: Path) -> str:
    """Return what to name in place of a folder: the recipe of a model is in the model's file."""
    try:
        model = model_path(folder)
    except ModelFileError as error:
        if _holds(folder, MODEL_SUFFIX):
            return str(error)
        if _holds(folder, ".yaml"):
            return f"name the recipes in it: {folder / '*.yaml'}"
        return NAME_A_RECIPE
    return f"{model} has a recipe in it, which is read only"


def _holds(folder: Path, suffix: str) -> bool:
    try:
        return any(file.suffix == suffix for file in islice(folder.iterdir(), MOST_FILES))
    except OSError:
        return False


def file_near(path: Path, suffixes: Collection[str] = _SUFFIXES) -> Path | None:
    """Return the file in the same folder with the most similar name: a recipe, or as given."""
    try:
        entries = islice(path.parent.iterdir(), MOST_FILES)
        files = {file.stem: file for file in entries if file.suffix in suffixes}
    except OSError:
        return None
    # Compare stems: the shared extension would make any two names similar.
    near = nearest(path.stem, files)
    return files[near] if near else None


def decoded(raw: bytes) -> str:
    """Return `raw` decoded as UTF-8, without a byte order mark.

    Raises:
        NotUtf8Error: if it is not UTF-8.
    """
    other = _other_encoding(raw)
    if other:
        raise NotUtf8Error(f"the file is {other} text, not UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _CONTROL.search(raw[:_LOOKED_AT]):
            raise NotUtf8Error("it is a binary file, not a recipe", hint=NAME_A_RECIPE) from None
        before = raw[: error.start].decode("utf-8-sig", "replace")
        lines = _LINE_END.split(before)
        message = f"byte {error.start} is not UTF-8 text"
        raise NotUtf8Error(message, len(lines), len(lines[-1]) + 1) from None


def _other_encoding(raw: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if `raw` looks like it: ASCII text then has zero bytes."""
    if raw.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    first = raw[:4]
    if len(first) == 4 and first.count(0) == 2 and first[:2].count(0) == 1:
        return "UTF-16"
    return None
