"""Declare LSTM stacks, initial states and masks in YAML; get plain Keras models.

``load`` a recipe, ``explain`` it without TensorFlow, ``build`` a ``keras.Model``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lstmgraph import forks  # noqa: F401 - sees processes that are forked from here on
from lstmgraph.api import Recipe
from lstmgraph.data.problems import DataError, DataProblem
from lstmgraph.diagnostics import Diagnostic, RecipeError
from lstmgraph.functions import load, load_model, tune
from lstmgraph.overrides import OverrideFormatError
from lstmgraph.resources import packaged_recipe
from lstmgraph.space import Space, SpaceError

if TYPE_CHECKING:
    from lstmgraph.comparison import Comparison
    from lstmgraph.generation import Generated, generate
    from lstmgraph.model_diff import diff
    from lstmgraph.stepping import StateFileError, Stepper
    from lstmgraph.weight_transfer import Transferred, transfer

__all__ = [
    "Comparison",
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
    "Transferred",
    "diff",
    "generate",
    "load",
    "load_model",
    "packaged_recipe",
    "transfer",
    "tune",
]

__version__ = "0.1.0"


_LATER = {
    "Comparison": "lstmgraph.comparison",
    "Generated": "lstmgraph.generation",
    "StateFileError": "lstmgraph.stepping",
    "Stepper": "lstmgraph.stepping",
    "Transferred": "lstmgraph.weight_transfer",
    "diff": "lstmgraph.model_diff",
    "generate": "lstmgraph.generation",
    "transfer": "lstmgraph.weight_transfer",
}


def __getattr__(name: str) -> Any:
    """What runs models is imported where it is asked for: NumPy and TensorFlow come with it."""
    if name not in _LATER:
        raise AttributeError(f"module 'lstmgraph' has no attribute '{name}'")
    return getattr(import_module(_LATER[name]), name)
