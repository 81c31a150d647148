"""Find the file that an entry of `extends` names: one below the recipe's folder, or a preset."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgraph.messages.diagnostics import PRESET
from lstmgraph.messages.wording import did_you_mean, nearest, shown
from lstmgraph.resources import preset_files

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = (".yaml", ".yml")
MOST_FILES = 500
"""The most files to look at for a suggestion."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class BaseError(Exception):
    """Raised for an entry that names no base, with the message and hint to report."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Base:
    """A file that a recipe extends."""

    path: Path
    name: str
    """The name in messages: a path, relative as the recipe's own was, or ``preset:NAME``."""
    identity: str
    """Equal for two names of the same file."""
    folder: Path | None
    """The folder that its own `extends` is relative to; None for a preset."""


def locate(entry: str, folder: Path | None, root: Path | None) -> Base:
    """Return the base that `entry` names.

    Args:
        entry: an entry of `extends`.
        folder: the folder of the file that holds the entry; None for text or a preset.
        root: the folder of the loaded recipe, which must hold every base.

    Raises:
        BaseError: if there is no such file (L132), or it must not be read (L131).
    """
    if entry.startswith(PRESET):
        return _preset(entry)
    if "${" in entry:
        hint = "write the file name out: bases are read before `vars:`, which they can change"
        raise BaseError("L131", "`extends` cannot contain a variable", hint)
    if folder is None or root is None:
        message = f"{shown(entry)} cannot be found: this recipe is not in a folder"
        hint = (
            "save the recipe to a file next to it, give `lstmgraph.load` its `folder`, or extend a "
            f"preset: {_presets()}"
        )
        raise BaseError("L131", message, hint)
    _check_is_relative(entry)
    path = Path(os.path.normpath(folder / entry))
    return Base(path, str(path), str(_inside(path, entry, root)), path.parent)


def _preset(entry: str) -> Base:
    files = preset_files()
    name = entry.removeprefix(PRESET)
    if name not in files:
        message = f"there is no preset {shown(name)}{did_you_mean(name, files)}"
        raise BaseError("L132", message, f"the presets are: {_presets()}")
    return Base(files[name], entry, entry, None)


def _presets() -> str:
    return ", ".join(f"{PRESET}{name}" for name in preset_files())


def _check_is_relative(entry: str) -> None:
    """Raise BaseError unless `entry` is a relative path to a YAML file."""
    hint = "write a path relative to this file, such as `bases/common.yaml`, or `preset:NAME`"
    refused = None
    if _URL.match(entry):
        refused = "a URL; nothing is downloaded"
    elif entry.startswith(("/", "~")) or "\\" in entry or _DRIVE.match(entry):
        refused = "not a relative path written with `/`"
    elif not entry.isprintable():
        refused = "not a file name"
    if refused:
        raise BaseError("L131", f"{shown(entry)} is {refused}", hint)
    if Path(entry).suffix not in SUFFIXES:
        near = nearest(entry, preset_files())
        hint = f"write `{PRESET}{near}`" if near else f"add the extension: `{entry}.yaml`"
        raise BaseError("L131", f"{shown(entry)} does not name a .yaml file", hint)


def _inside(path: Path, entry: str, root: Path) -> Path:
    """Return `path` with links resolved, after checking that it is a file inside `root`."""
    try:
        real, real_root = path.resolve(), root.resolve()
    except (OSError, RuntimeError):  # a cycle of links
        real, real_root = path.absolute(), root.absolute()
    hint = "bases must be in the folder of the loaded recipe, or below it"
    if not real.is_relative_to(real_root):
        raise BaseError("L131", f"{shown(entry)} is outside the recipe's folder", hint)
    if os.path.isdir(real):  # noqa: PTH112 - returns False where Path raises
        raise BaseError("L131", f"{shown(entry)} is a folder", "name a file in it")
    if not os.path.isfile(real):  # noqa: PTH113 - as above
        near = did_you_mean(entry, _files_near(path, entry))
        raise BaseError("L132", f"there is no file {shown(entry)}{near}", hint)
    return real


def _files_near(path: Path, entry: str) -> list[str]:
    """Return the YAML files of the folder that `entry` points to, written as `entry` is."""
    return list(islice(_yaml_files(path.parent, entry.rpartition("/")[0]), MOST_FILES))


def _yaml_files(folder: Path, written: str) -> Iterator[str]:
    try:
        for file in folder.iterdir():
            if file.suffix in SUFFIXES:
                yield f"{written}/{file.name}" if written else file.name
    except OSError:
        return
