"""Training of a recipe's model in one folder, from which a killed training resumes."""

from lstmgraph.messages.errors import DivergedError, FolderError
from lstmgraph.training.results import TrainingResult
from lstmgraph.training.run import train_recipe
from lstmgraph.training.state import epochs_done

__all__ = [
    "DivergedError",
    "FolderError",
    "TrainingResult",
    "epochs_done",
    "train_recipe",
]
