"""Declare LSTM stacks, initial states and masks in YAML; get plain Keras models.

``load`` a recipe, ``explain`` it without TensorFlow, ``build`` a ``keras.Model``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lstmgraph import forks  # noqa: F401 - sees processes that are forked from here on

if TYPE_CHECKING:
    from lstmgraph.api import ImportedModel, Recipe, import_model, load, load_model, tune
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.loading import Data
    from lstmgraph.data.problems import DataError, DataProblem
    from lstmgraph.data.store import NoWorkspaceError
    from lstmgraph.data.summary import DataSummary
    from lstmgraph.evaluation import Evaluation, evaluate
    from lstmgraph.explain.blame import Blame
    from lstmgraph.explain.diff import Comparison
    from lstmgraph.explain.diff.diff import diff
    from lstmgraph.explain.drawing.drawing import Drawing
    from lstmgraph.explain.explanation import Explanation
    from lstmgraph.explain.memory import SizeError
    from lstmgraph.export import ExportReport
    from lstmgraph.export.transfer import Transferred, transfer
    from lstmgraph.files import LinkError, NotAFileError
    from lstmgraph.interop.auditing import Audit, Finding, audit
    from lstmgraph.interop.code import CodeError
    from lstmgraph.language.space import Space, SpaceError
    from lstmgraph.language.text.overrides import OverrideFormatError
    from lstmgraph.language.text.plain_data import PlainDataError
    from lstmgraph.messages.diagnostics import Diagnostic
    from lstmgraph.messages.errors import (
        DivergedError,
        FolderError,
        ModelFileError,
        OtherModelError,
        RecipeError,
        StateFileError,
        WeightsFileError,
    )
    from lstmgraph.models.derived import Derived
    from lstmgraph.models.generation import Generated, generate
    from lstmgraph.models.stepping import Stepper
    from lstmgraph.prediction import Predictions, predict
    from lstmgraph.resources import packaged_recipe
    from lstmgraph.root_error import LstmgraphError
    from lstmgraph.training import TrainingResult
    from lstmgraph.tuning.callbacks import TrialInfo
    from lstmgraph.tuning.result import TuneResult
    from lstmgraph.tuning.search.errors import FolderInUseError, JobChangedError, SearchError
    from lstmgraph.tuning.search.results import TrialRow

__all__ = [
    "Audit",
    "Blame",
    "CodeError",
    "Comparison",
    "Data",
    "DataError",
    "DataProblem",
    "DataSummary",
    "Derived",
    "Diagnostic",
    "DivergedError",
    "Drawing",
    "Evaluation",
    "Examples",
    "Explanation",
    "ExportReport",
    "Finding",
    "FolderError",
    "FolderInUseError",
    "Generated",
    "ImportedModel",
    "JobChangedError",
    "LinkError",
    "LstmgraphError",
    "Machine",
    "ModelFileError",
    "NoWorkspaceError",
    "NotAFileError",
    "OtherModelError",
    "OverrideFormatError",
    "PlainDataError",
    "Predictions",
    "Recipe",
    "RecipeError",
    "SearchError",
    "SizeError",
    "Space",
    "SpaceError",
    "StateFileError",
    "Stepper",
    "TrainingResult",
    "Transferred",
    "TrialInfo",
    "TrialRow",
    "TuneResult",
    "WeightsFileError",
    "audit",
    "diff",
    "evaluate",
    "generate",
    "import_model",
    "load",
    "load_model",
    "packaged_recipe",
    "predict",
    "transfer",
    "tune",
]

__version__ = "0.1.0"


_LATER = {
    "Audit": "lstmgraph.interop.auditing",
    "Blame": "lstmgraph.explain.blame",
    "CodeError": "lstmgraph.interop.code",
    "Comparison": "lstmgraph.explain.diff",
    "Data": "lstmgraph.data.loading",
    "DataError": "lstmgraph.data.problems",
    "DataProblem": "lstmgraph.data.problems",
    "DataSummary": "lstmgraph.data.summary",
    "Derived": "lstmgraph.models.derived",
    "Diagnostic": "lstmgraph.messages.diagnostics",
    "DivergedError": "lstmgraph.messages.errors",
    "Drawing": "lstmgraph.explain.drawing.drawing",
    "Evaluation": "lstmgraph.evaluation",
    "Examples": "lstmgraph.data.examples",
    "Explanation": "lstmgraph.explain.explanation",
    "ExportReport": "lstmgraph.export",
    "Finding": "lstmgraph.interop.auditing",
    "FolderError": "lstmgraph.messages.errors",
    "FolderInUseError": "lstmgraph.tuning.search.errors",
    "Generated": "lstmgraph.models.generation",
    "ImportedModel": "lstmgraph.api",
    "JobChangedError": "lstmgraph.tuning.search.errors",
    "LinkError": "lstmgraph.files",
    "LstmgraphError": "lstmgraph.root_error",
    "Machine": "lstmgraph.compiler.machine.machine",
    "ModelFileError": "lstmgraph.messages.errors",
    "NoWorkspaceError": "lstmgraph.data.store",
    "NotAFileError": "lstmgraph.files",
    "OtherModelError": "lstmgraph.messages.errors",
    "OverrideFormatError": "lstmgraph.language.text.overrides",
    "PlainDataError": "lstmgraph.language.text.plain_data",
    "Predictions": "lstmgraph.prediction",
    "Recipe": "lstmgraph.api",
    "RecipeError": "lstmgraph.messages.errors",
    "SearchError": "lstmgraph.tuning.search.errors",
    "SizeError": "lstmgraph.explain.memory",
    "Space": "lstmgraph.language.space",
    "SpaceError": "lstmgraph.language.space",
    "StateFileError": "lstmgraph.messages.errors",
    "Stepper": "lstmgraph.models.stepping",
    "TrainingResult": "lstmgraph.training",
    "Transferred": "lstmgraph.export.transfer",
    "TrialInfo": "lstmgraph.tuning.callbacks",
    "TrialRow": "lstmgraph.tuning.search.results",
    "TuneResult": "lstmgraph.tuning.result",
    "WeightsFileError": "lstmgraph.messages.errors",
    "audit": "lstmgraph.interop.auditing",
    "diff": "lstmgraph.explain.diff.diff",
    "evaluate": "lstmgraph.evaluation",
    "generate": "lstmgraph.models.generation",
    "import_model": "lstmgraph.api",
    "load": "lstmgraph.api",
    "load_model": "lstmgraph.api",
    "packaged_recipe": "lstmgraph.resources",
    "predict": "lstmgraph.prediction",
    "transfer": "lstmgraph.export.transfer",
    "tune": "lstmgraph.api",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, with what it needs, such as NumPy and TensorFlow."""
    if name not in _LATER:
        raise AttributeError(f"module 'lstmgraph' has no attribute '{name}'")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    """Return the public names; packages of this one are no part of the interface."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
