"""The recipes of the package, as first recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.wording import nearest, suggested
from lstmgraph.resources import folder, packaged_recipe

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_LINE = "# yaml-language-server: $schema="
"""The comment that yaml-language-server reads; its path is relative to the recipe."""


def descriptions() -> dict[str, str]:
    """Return the description of each packaged recipe, by its name."""
    by_name = {}
    for path in sorted(folder("recipes").glob("*.yaml"), key=lambda path: path.stem):
        data = parse_document(path.read_text("utf-8")).data
        by_name[path.stem] = str(data.get("description", "")).strip()
    return by_name


def packaged_text(name: str) -> str:
    """Return the text of a packaged recipe, without the line that names its schema.

    Raises:
        ValueError: There is no recipe of that name.
    """
    names = [path.stem for path in sorted(folder("recipes").glob("*.yaml"))]
    if name not in names and (near := nearest(name, names)):
        raise ValueError(f"there is no packaged recipe '{name}'{suggested(near)}")
    path: Path = packaged_recipe(name)
    first, _, rest = path.read_text("utf-8").partition("\n")
    return rest if first.startswith(SCHEMA_LINE) else f"{first}\n{rest}"
