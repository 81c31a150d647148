"""The files that travel with the package: schemas, recipes, presets, and the page of errors."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """``schemas``, ``recipes`` or ``docs``: in an installed package, or beside it in a checkout."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


@cache
def read_schema(name: str) -> dict[str, Any]:
    """A JSON Schema of the package, parsed once."""
    schema: dict[str, Any] = json.loads((folder("schemas") / name).read_text("utf-8"))
    return schema


RECIPE_SCHEMA = "recipe-1.schema.json"
KERAS_SCHEMA = "keras-3.schema.json"
EDITOR_SCHEMA = "recipe-1.editor.schema.json"
"""Both in one, as editors read it; lstmgraph itself does not."""


def packaged_recipe(name: str) -> Path:
    """The path of a recipe that comes with the package: ``packaged_recipe("speaker-classifier")``.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.
    """
    found = {path.stem: path for path in sorted(folder("recipes").glob("*.yaml"))}
    if name not in found:
        raise ValueError(f"no packaged recipe '{name}'; there are: {', '.join(found)}")
    return found[name]


def preset_files() -> dict[str, Path]:
    """By name, the parts of recipes that `extends: preset:NAME` takes."""
    return {path.stem: path for path in sorted(folder("presets").glob("*.yaml"))}
