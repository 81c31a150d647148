"""Where a value stands decides how else it may be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.language.space.collect import SECTIONS

if TYPE_CHECKING:
    from lstmgraph.authoring.editor_schema.sources import Schema

VARIABLE: Schema = {
    "title": "Variable",
    "type": "string",
    "pattern": r"\$\{vars\.|^\$delete$",
}
"""A text that stands for a value of any type, or deletes what is inherited."""

FIXED = ("recipe", "extends", "vars")
"""Sections that are what they are: nothing in them is searched, and no variable is put in."""


@dataclass(frozen=True)
class Mode:
    """What holds for a value and for all that is inside it."""

    is_open: bool = False
    """Any value may be searched."""
    is_partial: bool = False
    """Nothing is required: the recipe extends others."""
    is_fixed: bool = False
    """No text stands for a value."""

    @staticmethod
    def of(section: str, *, is_partial: bool) -> Mode:
        """The mode of a section of a recipe."""
        return Mode(section in SECTIONS, is_partial, section in FIXED)

    def named(self, name: str) -> str:
        """The name of a definition in this mode."""
        words = [("partial", self.is_partial), ("open", self.is_open), ("fixed", self.is_fixed)]
        return "".join(f"{word}." for word, holds in words if holds) + name
