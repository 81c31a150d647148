"""Declare LSTM stacks, initial states and masks in YAML; get plain Keras models.

``load`` a recipe, ``explain`` it without TensorFlow, ``build`` a ``keras.Model``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lstmgraph import forks  # noqa: F401 - sees processes that are forked from here on
from lstmgraph.api import Recipe, load, load_model, tune
from lstmgraph.data.problems import DataError, DataProblem
from lstmgraph.language.space import Space, SpaceError
from lstmgraph.language.text.overrides import OverrideFormatError
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError
from lstmgraph.resources import packaged_recipe

if TYPE_CHECKING:
    from lstmgraph.explain.diff import Comparison
    from lstmgraph.explain.diff.diff import diff
    from lstmgraph.export.transfer import Transferred, transfer
    from lstmgraph.models.generation import Generated, generate
    from lstmgraph.models.stepping import StateFileError, Stepper

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
    "Comparison": "lstmgraph.explain.diff",
    "Generated": "lstmgraph.models.generation",
    "StateFileError": "lstmgraph.models.stepping",
    "Stepper": "lstmgraph.models.stepping",
    "Transferred": "lstmgraph.export.transfer",
    "diff": "lstmgraph.explain.diff.diff",
    "generate": "lstmgraph.models.generation",
    "transfer": "lstmgraph.export.transfer",
}


def __getattr__(name: str) -> Any:
    """What runs models is imported where it is asked for: NumPy and TensorFlow come with it."""
    if name not in _LATER:
        raise AttributeError(f"module 'lstmgraph' has no attribute '{name}'")
    return getattr(import_module(_LATER[name]), name)
