"""A recipe's step model run on many streams in one batch, one step or many at a time."""

from __future__ import annotations

from lstmgraph.messages.errors import StateFileError
from lstmgraph.models.stepping.stepper import Stepper

__all__ = ["StateFileError", "Stepper"]
