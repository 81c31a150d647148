"""Running a recipe's step model: many streams in one batch, one step or many at a time."""

from __future__ import annotations

from lstmgraph.stepping.state_file import StateFileError
from lstmgraph.stepping.stepper import Stepper

__all__ = ["StateFileError", "Stepper"]
