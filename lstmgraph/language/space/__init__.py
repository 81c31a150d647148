"""The search space of a recipe: ``$search``, ``$choose``, and the points of the space."""

from lstmgraph.language.space.dimensions import (
    Condition,
    Dimension,
    SpaceError,
    Values,
    text_of,
)
from lstmgraph.language.space.ranges import Range
from lstmgraph.language.space.space import Space

__all__ = ["Condition", "Dimension", "Range", "Space", "SpaceError", "Values", "text_of"]
