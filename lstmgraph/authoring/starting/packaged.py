"""The recipes that come with the package, as first recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.language.text.document import parse_document
from lstmgraph.resources import folder, packaged_recipe

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_LINE = "# yaml-language-server: $schema="
"""What editors with yaml-language-server look for; a relative path is one from the recipe."""


def descriptions() -> dict[str, str]:
    """What each packaged recipe is for, by its name."""
    found = {}
    for path in sorted(folder("recipes").glob("*.yaml"), key=lambda path: path.stem):
        data = parse_document(path.read_text("utf-8")).data
        found[path.stem] = str(data.get("description", "")).strip()
    return found


def packaged_text(name: str) -> str:
    """The text of a packaged recipe, without the line that names its schema.

    Raises:
        ValueError: there is none of that name.
    """
    path: Path = packaged_recipe(name)
    first, _, rest = path.read_text("utf-8").partition("\n")
    return rest if first.startswith(SCHEMA_LINE) else f"{first}\n{rest}"
