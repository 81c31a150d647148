"""Declare LSTM stacks, initial states and masks in YAML; get plain Keras models.

``load`` a recipe, ``explain`` it without TensorFlow, ``build`` a ``keras.Model``.
"""

from lstmgraph.api import Recipe
from lstmgraph.data.problems import DataError, DataProblem
from lstmgraph.diagnostics import Diagnostic, RecipeError
from lstmgraph.functions import load, load_model, tune
from lstmgraph.overrides import OverrideFormatError
from lstmgraph.resources import packaged_recipe
from lstmgraph.space import Space, SpaceError

__all__ = [
    "DataError",
    "DataProblem",
    "Diagnostic",
    "OverrideFormatError",
    "Recipe",
    "RecipeError",
    "Space",
    "SpaceError",
    "load",
    "load_model",
    "packaged_recipe",
    "tune",
]

__version__ = "0.1.0"
