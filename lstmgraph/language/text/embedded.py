"""Read and write the recipe inside a model's file, in a place that other readers ignore.

In a ``.keras`` file it is a further member; in a LiteRT file a member of a zip archive behind the
model; in ONNX an entry of the metadata, which ``export`` writes.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from lstmgraph.archives import ArchiveError, TooLargeError, opened_archive

if TYPE_CHECKING:
    from pathlib import Path

MODEL_SUFFIX = ".keras"
MEMBER = "lstmgraph.recipe.yaml"
FURTHER_MEMBER = "lstmgraph.model.txt"
"""The member with the name of a further model; absent in a file of the main model."""
MAX_BYTES = 10_000_000
"""The limit for the recipe: an archive of a few kilobytes can unpack to gigabytes."""
MAX_NAME_BYTES = 10_000


class NoRecipeError(ValueError):
    """Raised for a file that is not a ``.keras`` file, or has no recipe in it."""


def embed_recipe(path: Path, text: str, further: str = "") -> None:
    """Add a recipe to the file at `path`, and the name of the further model that it holds."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, text)
        if further:
            archive.writestr(FURTHER_MEMBER, further)


def embedded_model(path: Path) -> str:
    """Return the name of the further model in the file at `path`; "" for the main model.

    Raises:
        NoRecipeError: if the file is damaged.
        OSError: if it cannot be read.
    """
    return _member(path, FURTHER_MEMBER, MAX_NAME_BYTES) or ""


def embedded_recipe(path: Path) -> str:
    """Return the text of the recipe in the ``.keras`` or LiteRT file at `path`.

    Raises:
        NoRecipeError: if there is no recipe in it, or the file is damaged.
        OSError: if the file cannot be read.
    """
    text = _member(path, MEMBER, MAX_BYTES)
    if text is None:
        raise NoRecipeError("the file was saved by Keras itself, without a recipe")
    return text


def _member(path: Path, name: str, most: int) -> str | None:
    try:
        with opened_archive(path) as archive:
            return archive.read(name, most).decode("utf-8") if name in archive else None
    except TooLargeError as error:
        raise NoRecipeError(f"this .keras file cannot be read: {error}") from None
    except (ArchiveError, UnicodeDecodeError) as error:
        raise NoRecipeError(f"this is not a .keras file, or it is damaged: {error}") from None
