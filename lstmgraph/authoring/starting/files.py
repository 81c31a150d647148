"""The files of a first recipe: the recipe, and the schema for editors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.authoring.editor_schema import published_schema
from lstmgraph.authoring.starting.packaged import SCHEMA_LINE
from lstmgraph.files import atomic_path, obstacle

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_NAME = "lstmgraph.schema.json"


@dataclass(frozen=True)
class StartFiles:
    """The files that ``lstmgraph init`` writes.

    The schema is beside the recipe, so that the path in the recipe's first line stays right when
    both are copied to another machine; a path into an installed package would not.
    """

    recipe: Path
    with_schema: bool

    @property
    def schema(self) -> Path:
        """The path of the schema."""
        return self.recipe.with_name(SCHEMA_NAME)

    def obstacle(self, *, overwrite: bool) -> str | None:
        """Return why the files cannot be written, or None; checked before any question is asked."""
        if self.recipe.suffix not in {".yaml", ".yml"}:
            return f"{self.recipe} does not end in .yaml"
        return obstacle(self.recipe.parent, [self.recipe], overwrite=overwrite)

    def write(self, text: str, *, overwrite: bool) -> list[Path]:
        """Write the files and return their paths; keep an existing schema, unless `overwrite`."""
        self.recipe.parent.mkdir(parents=True, exist_ok=True)
        written = []
        if self.with_schema:
            text = f"{SCHEMA_LINE}{SCHEMA_NAME}\n{text}"
            if overwrite or not self.schema.exists():
                _write(self.schema, json.dumps(published_schema(), indent=2) + "\n")
                written.append(self.schema)
        _write(self.recipe, text)
        return [self.recipe, *written]


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def recipe_name(path: Path) -> str:
    """Return a recipe name made from the file name, without characters that names cannot have."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-")[:90]
    return name if re.match(r"[A-Za-z]", name) else f"recipe-{name}".rstrip("-")
