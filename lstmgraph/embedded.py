"""The recipe inside a ``.keras`` file: one more member of the archive, which Keras passes over."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODEL_SUFFIX = ".keras"
MEMBER = "lstmgraph.recipe.yaml"
FURTHER_MEMBER = "lstmgraph.model.txt"
"""Holds the name of the further model of the recipe that a file is; the main model has none."""
MAX_BYTES = 10_000_000
"""An archive of a few kilobytes can unpack to gigabytes."""


class NoRecipeError(ValueError):
    """A file that is no ``.keras`` file, or one that holds no recipe."""


def embed_recipe(path: Path, text: str, further: str = "") -> None:
    """Add a recipe to the ``.keras`` file at `path`, and which further model of it the file is."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, text)
        if further:
            archive.writestr(FURTHER_MEMBER, further)


def embedded_model(path: Path) -> str:
    """The name of the further model that the file at `path` holds, or "" for the main one.

    Raises:
        NoRecipeError: the file is not whole.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if FURTHER_MEMBER not in archive.namelist():
                return ""
            return archive.read(FURTHER_MEMBER).decode("utf-8")
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError, NotImplementedError) as error:
        raise NoRecipeError(f"this is not a whole .keras file ({error})") from None


def embedded_recipe(path: Path) -> str:
    """The text of the recipe in the ``.keras`` file at `path`.

    Raises:
        NoRecipeError: there is none in it, or the file is not whole.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                raise NoRecipeError("Keras wrote this file by itself, without a recipe in it")
            if archive.getinfo(MEMBER).file_size > MAX_BYTES:
                raise NoRecipeError(f"its recipe is larger than {MAX_BYTES:,} bytes")
            return archive.read(MEMBER).decode("utf-8")
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError, NotImplementedError) as error:
        raise NoRecipeError(f"this is not a whole .keras file ({error})") from None
