"""The result of a training, and the error of one that diverged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import keras


class DivergedError(ArithmeticError):
    """The loss became NaN or infinite. Nothing of that epoch was written."""


@dataclass(frozen=True)
class TrainingResult:
    """The result of a finished training; epochs are counted from 1."""

    history: dict[str, list[float]]
    """One value for each epoch, by Keras's names of the metrics, such as ``val_loss``."""
    best_epoch: int | None
    """The best epoch by the monitor of `early_stopping` or `checkpoint`, else by the loss."""
    epochs: int
    """The number of epochs, including those before the training was resumed."""
    resumed_from: int
    """The epoch after which this process resumed the training; 0 if it started it."""
    stopped_early: bool
    seconds: float
    """The duration of all epochs."""
    metrics: dict[str, dict[str, float]]
    """The metrics of the final model on ``validation`` and ``test``, if there is such data."""
    model: keras.Model
    files: dict[str, Path]
    """The files that were written, by what they hold: ``model``, ``history`` and so on."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints, without the model; NaN is null."""
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
        """Return the epochs, the best epoch and the metrics of each part, a line each."""
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
    """Return the metrics of each part for JSON, with None for NaN and infinity."""
    return {
        part: {name: value if math.isfinite(value) else None for name, value in found.items()}
        for part, found in metrics.items()
    }
