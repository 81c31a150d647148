"""The Stepper, which runs a recipe's step model on a batch of streams, and its state files."""

from __future__ import annotations

from lstmgraph.messages.errors import StateFileError
from lstmgraph.models.stepping.stepper import Stepper

__all__ = ["StateFileError", "Stepper"]
