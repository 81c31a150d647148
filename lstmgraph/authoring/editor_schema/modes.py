"""Modes: the other ways to write a value, which depend on its place in the recipe."""

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
"""A text that refers to a variable of any type, or deletes an inherited value."""

FIXED = ("recipe", "extends", "vars")
"""The sections without searches and variables."""


@dataclass(frozen=True)
class Mode:
    """The properties of a value and of all that is inside it."""

    is_open: bool = False
    """Whether values may be searched."""
    is_partial: bool = False
    """Whether nothing is required, as the recipe extends others."""
    is_fixed: bool = False
    """Whether no variables are allowed."""

    @staticmethod
    def of(section: str, *, is_partial: bool) -> Mode:
        """Return the mode of a section of a recipe."""
        return Mode(section in SECTIONS, is_partial, section in FIXED)

    def named(self, name: str) -> str:
        """Return the name of a definition in this mode."""
        words = [("partial", self.is_partial), ("open", self.is_open), ("fixed", self.is_fixed)]
        return "".join(f"{word}." for word, holds in words if holds) + name
