"""Training of a recipe's model in a folder, from which an interrupted training is resumed."""

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
