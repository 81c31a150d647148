"""Find the files that ship with the package: schemas, recipes, presets and the error page."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """Return a folder such as ``schemas``, in the installed package or beside it in a checkout."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


@cache
def read_schema(name: str) -> dict[str, Any]:
    """Return a JSON Schema of the package, parsed once."""
    schema: dict[str, Any] = json.loads((folder("schemas") / name).read_text("utf-8"))
    return schema


RECIPE_SCHEMA = "recipe-1.schema.json"
KERAS_SCHEMA = "keras-3.schema.json"
EDITOR_SCHEMA = "recipe-1.editor.schema.json"
"""The two schemas in one file, for editors; lstmgraph itself does not read it."""


def packaged_recipe(name: str) -> Path:
    """Return the path of a recipe that ships with the package, such as ``"speaker-classifier"``.

    Raises:
        ValueError: if there is none of that name; the message lists the names.
    """
    recipes = {path.stem: path for path in sorted(folder("recipes").glob("*.yaml"))}
    if name not in recipes:
        raise ValueError(f"there is no packaged recipe '{name}'; choose from {', '.join(recipes)}")
    return recipes[name]


def preset_files() -> dict[str, Path]:
    """Return the files that `extends: preset:NAME` can name, by preset name."""
    return {path.stem: path for path in sorted(folder("presets").glob("*.yaml"))}
