"""The recipe inside a ``.keras`` file: one more member of the archive, which Keras passes over."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from lstmgraph.archives import ArchiveError, TooLargeError, opened_archive

if TYPE_CHECKING:
    from pathlib import Path

MODEL_SUFFIX = ".keras"
MEMBER = "lstmgraph.recipe.yaml"
FURTHER_MEMBER = "lstmgraph.model.txt"
"""Holds the name of the further model of the recipe that a file is; the main model has none."""
MAX_BYTES = 10_000_000
"""An archive of a few kilobytes can unpack to gigabytes."""
MAX_NAME_BYTES = 10_000


class NoRecipeError(ValueError):
    """A file that is no ``.keras`` file, or one that holds no recipe."""


def embed_recipe(path: Path, text: str, further: str = "") -> None:
    """Add a recipe to the ``.keras`` file at `path`, and which further model of it the file is."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, text)
        if further:
            archive.writestr(FURTHER_MEMBER, further)


def embedded_model(path: Path) -> str:
    """Return the name of the further model that the file at `path` holds, "" for the main one.

    Raises:
        NoRecipeError: the file is not whole.
        OSError: it cannot be read.
    """
    return _member(path, FURTHER_MEMBER, MAX_NAME_BYTES) or ""


def embedded_recipe(path: Path) -> str:
    """Return the text of the recipe in the ``.keras`` file at `path`.

    Raises:
        NoRecipeError: there is none in it, or the file is not whole.
        OSError: the file cannot be read.
    """
    text = _member(path, MEMBER, MAX_BYTES)
    if text is None:
        raise NoRecipeError("Keras wrote this file by itself, without a recipe in it")
    return text


def _member(path: Path, name: str, most: int) -> str | None:
    try:
        with opened_archive(path) as archive:
            return archive.read(name, most).decode("utf-8") if name in archive else None
    except TooLargeError as error:
        raise NoRecipeError(f"this .keras file cannot be read: {error}") from None
    except (ArchiveError, UnicodeDecodeError) as error:
        raise NoRecipeError(f"this is not a whole .keras file: {error}") from None
