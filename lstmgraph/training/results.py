"""Results and errors of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import keras


class DivergedError(ArithmeticError):
    """The loss became NaN or infinite; nothing of that epoch was written."""


@dataclass(frozen=True)
class TrainingResult:
    """The result of a finished training. Epochs are counted from 1."""

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
    metrics: dict[str, dict[str, float]]
    """Of the final model on ``validation`` and ``test``, where there are such data."""
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
            "metrics": plain_metrics(self.metrics),
            "history": {
                name: [value if math.isfinite(value) else None for value in values]
                for name, values in self.history.items()
            },
            "files": {name: str(path) for name, path in self.files.items()},
        }

    def __str__(self) -> str:
        """What happened, in two lines, and one for each part that the final model is held to."""
        early = ", ended by early stopping" if self.stopped_early else ""
        resumed = f" ({self.resumed_from} of them before)" if self.resumed_from else ""
        epoch = self.best_epoch or self.epochs
        epochs = f"{self.epochs} epoch{'s' * (self.epochs != 1)}"
        lines = [f"{epochs}{resumed} in {self.seconds:.1f} s{early}"]
        best = {name: values[epoch - 1] for name, values in self.history.items()}
        best.pop("learning_rate", None)
        for what, numbers in ((f"best epoch {epoch}", best), *self.metrics.items()):
            listed = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            lines.append(f"{what}: {listed}")
        return "\n".join(lines)


def plain_metrics(
    metrics: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, float | None]]:
    """Metrics of each part as JSON has numbers: null for NaN and infinity."""
    return {
        part: {name: value if math.isfinite(value) else None for name, value in found.items()}
        for part, found in metrics.items()
    }
