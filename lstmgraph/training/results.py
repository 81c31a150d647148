"""What a training gives, and how it can fail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import keras


class DivergedError(ArithmeticError):
    """The loss became NaN or infinite; nothing of that epoch was written."""


@dataclass(frozen=True)
class TrainingResult:
    """A training that has ended. Epochs are counted from 1."""

    history: dict[str, list[float]]
    """By Keras's names, one value for each epoch."""
    best_epoch: int | None
    """Of the number that `early_stopping` or `checkpoint` watches, else of the loss."""
    epochs: int
    """How many there were, those before a restart of the process included."""
    resumed_from: int
    """The epoch after which this process went on; 0 where it began."""
    stopped_early: bool
    seconds: float
    """Of all epochs together."""
    model: keras.Model
    files: dict[str, Path]
    """What was written, by what it is."""

    def as_dict(self) -> dict[str, Any]:
        """The stable form that ``--format json`` prints: without the model; null for NaN."""
        return {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "resumed_from": self.resumed_from,
            "stopped_early": self.stopped_early,
            "seconds": self.seconds,
            "history": {
                name: [value if math.isfinite(value) else None for value in values]
                for name, values in self.history.items()
            },
            "files": {name: str(path) for name, path in self.files.items()},
        }

    def __str__(self) -> str:
        """What happened, in two lines."""
        early = ", ended by early stopping" if self.stopped_early else ""
        resumed = f" ({self.resumed_from} of them before)" if self.resumed_from else ""
        epoch = self.best_epoch or self.epochs
        numbers = ", ".join(f"{name} {values[epoch - 1]:.4g}" for name, values in self._metrics())
        return (
            f"{self.epochs} epoch{'s' * (self.epochs != 1)}{resumed} in {self.seconds:.1f} s{early}"
            f"\nbest epoch {epoch}: {numbers}"
        )

    def _metrics(self) -> list[tuple[str, list[float]]]:
        return [(name, values) for name, values in self.history.items() if name != "learning_rate"]
