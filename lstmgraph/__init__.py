"""Declare LSTM stacks, initial states and masks in YAML; get plain Keras models.

``load`` a recipe, ``explain`` it without TensorFlow, ``build`` a ``keras.Model``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.api import Recipe
from lstmgraph.data.problems import DataError, DataProblem
from lstmgraph.diagnostics import Diagnostic, RecipeError
from lstmgraph.loading import load, load_model
from lstmgraph.overrides import OverrideFormatError
from lstmgraph.resources import packaged_recipe
from lstmgraph.space import Space, SpaceError

if TYPE_CHECKING:
    from lstmgraph.generation import Generated, generate
    from lstmgraph.stepping import StateFileError, Stepper

__all__ = [
    "DataError",
    "DataProblem",
    "Diagnostic",
    "Generated",
    "OverrideFormatError",
    "Recipe",
    "RecipeError",
    "Space",
    "SpaceError",
    "StateFileError",
    "Stepper",
    "generate",
    "load",
    "load_model",
    "packaged_recipe",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """What runs models is imported where it is asked for: TensorFlow comes with it."""
    if name in {"Stepper", "StateFileError"}:
        import lstmgraph.stepping as module  # noqa: PLC0415
    elif name in {"Generated", "generate"}:
        import lstmgraph.generation as module  # type: ignore[no-redef]  # noqa: PLC0415
    else:
        raise AttributeError(f"module 'lstmgraph' has no attribute '{name}'")
    return getattr(module, name)
