"""Training a recipe's model: one folder holds it all, and a killed training goes on from there."""

from lstmgraph.training.examples import ArrayExamples, DataError, Examples
from lstmgraph.training.files import FolderError
from lstmgraph.training.npz import read_npz, split
from lstmgraph.training.results import DivergedError, TrainingResult
from lstmgraph.training.run import train_recipe
from lstmgraph.training.state import epochs_done

__all__ = [
    "ArrayExamples",
    "DataError",
    "DivergedError",
    "Examples",
    "FolderError",
    "TrainingResult",
    "epochs_done",
    "read_npz",
    "split",
    "train_recipe",
]
