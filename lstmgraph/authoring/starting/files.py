"""The files of a first recipe: itself, and the schema that editors check it with."""

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
    """What ``lstmgraph init`` writes.

    The schema lies beside the recipe, so that the path in the recipe's first line is right on
    every machine that both are copied to; one inside an installed package would not be.
    """

    recipe: Path
    with_schema: bool

    @property
    def schema(self) -> Path:
        """Where the schema is."""
        return self.recipe.with_name(SCHEMA_NAME)

    def obstacle(self, *, overwrite: bool) -> str | None:
        """Return what keeps the files from being written, before any question is asked."""
        if self.recipe.suffix not in {".yaml", ".yml"}:
            return f"{self.recipe} does not end in .yaml"
        if self.recipe.is_dir():
            return f"{self.recipe} is a folder"
        if self.recipe.exists() and not overwrite:
            return f"{self.recipe} is there already; add --force, or choose another -o FILE"
        return obstacle(self.recipe.parent, [], overwrite=True)

    def write(self, text: str, *, overwrite: bool) -> list[Path]:
        """Write them; a schema that is there already stays, unless `overwrite` is said.

        Returns the paths that were written.
        """
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
    """A recipe's name after its file's: what a name cannot hold is left out."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-")[:90]
    return name if re.match(r"[A-Za-z]", name) else f"recipe-{name}".rstrip("-")
