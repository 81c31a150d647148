"""The files that travel with the package: schemas and recipes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """``schemas`` or ``recipes``: inside the installed package, or beside it in a checkout."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


@cache
def read_schema(name: str) -> dict[str, Any]:
    """A JSON Schema of the package, parsed once."""
    schema: dict[str, Any] = json.loads((folder("schemas") / name).read_text("utf-8"))
    return schema


RECIPE_SCHEMA = "recipe-1.schema.json"
KERAS_SCHEMA = "keras-3.schema.json"
