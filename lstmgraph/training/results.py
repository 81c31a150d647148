"""The result of a training, as text and for notebooks."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.notebook import notebook_html, picture_html
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.tables import Section
from lstmgraph.messages.wording import counted, metrics_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import keras

    from lstmgraph.data.problems import DataProblem
    from lstmgraph.messages.diagnostics import Diagnostic
    from lstmgraph.models.given_weights import GivenWeights
    from lstmgraph.training.profile import Profile


@dataclass(frozen=True)
class BestModelResult:
    """What ``checkpoint`` kept as ``best.keras``."""

    epoch: int
    """Whose weights it has, counted from 1."""
    monitor: str
    """The number by which this epoch is the best."""
    metrics: dict[str, dict[str, float]]
    """Its metrics on ``validation`` and ``test``, if there is such data."""


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
    """What was written, by what it is."""
    model_epoch: int | None = None
    """The epoch whose weights `model` has: the best one where `early_stopping` restores these,
    else the last; None where they are averages over several."""
    monitor: str = "loss"
    """The number by which `best_epoch` is the best."""
    best_model: BestModelResult | None = None
    """The model in ``best.keras``; None without ``checkpoint``."""
    weights: GivenWeights | None = None
    """The file whose weights the training began with; None for fresh ones."""
    warnings: tuple[DataProblem | Diagnostic, ...] = ()
    """What is probably not as intended in the data; layers frozen with random weights (W764)."""
    asked: int | None = None
    """How many epochs were asked for, in all; the folder may have had more before."""
    profile: Profile | None = None
    """Where the time of the epochs went that this process trained, if it was measured."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints, without the model; NaN is null."""
        return {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "monitor": self.monitor,
            "model_epoch": self.model_epoch,
            "resumed_from": self.resumed_from,
            "stopped_early": self.stopped_early,
            "seconds": self.seconds,
            "metrics": plain_metrics(self.metrics),
            "best_model": plain_best_model(self.best_model),
            "history": {
                name: [value if math.isfinite(value) else None for value in values]
                for name, values in self.history.items()
            },
            "weights": self.weights and self.weights.as_dict(),
            "profile": self.profile and self.profile.as_dict(),
            "files": {name: str(path) for name, path in self.files.items()},
        }

    def __repr__(self) -> str:
        best = "" if self.best_epoch is None else f", best epoch {self.best_epoch}"
        epochs = counted(self.epochs, "epoch")
        return f"<TrainingResult of {self.model.name}: {epochs}{best}; print() shows more>"

    def _repr_html_(self) -> str:
        title = f"training of {self.model.name}"
        rows = [(name, str(path)) for name, path in self.files.items()]
        sections = [
            Section(title, lines=str(self).splitlines()),
            Section(headings=("file", "path"), rows=rows),
        ]
        if self.profile is not None:
            sections.insert(1, self.profile.section())
        return notebook_html(sections, *curves_html(self.history, title))

    def __str__(self) -> str:
        """Return what happened, the best epoch, and the saved model's metrics on each part."""
        epoch = self.best_epoch or self.epochs
        best = {name: values[epoch - 1] for name, values in self.history.items()}
        best.pop("learning_rate", None)
        weights = "with averaged weights"
        if self.model_epoch is not None:
            weights = f"with the weights of epoch {self.model_epoch}"
        shown = {f"best epoch {epoch} of {self.epochs}, by {self.monitor}": best}
        shown |= {f"saved model, {weights}, on {part} data": m for part, m in self.metrics.items()}
        if kept := self.best_model:
            what = f"best.keras, with the weights of epoch {kept.epoch}, the best by {kept.monitor}"
            shown |= {f"{what}, on {part} data": m for part, m in kept.metrics.items()}
        lines = [f"{what}: {metrics_text(numbers)}" for what, numbers in shown.items()]
        return "\n".join([self._epochs_text(), *lines])

    def _epochs_text(self) -> str:
        epochs = counted(self.epochs, "epoch")
        early = ", ended by early stopping" if self.stopped_early else ""
        if self.epochs > self.resumed_from:
            resumed = f" ({self.resumed_from} of them before)" if self.resumed_from else ""
            return f"{epochs}{resumed} in {self.seconds:.1f} s{early}"
        asked = "" if self.asked in (None, self.epochs) else f", and {self.asked} were asked for"
        more = "restart begins anew" if early else "more epochs go on, restart begins anew"
        return f"nothing was trained: this folder has {epochs}{early}{asked}; {more}"


def curves_html(history: Mapping[str, Sequence[float]], title: str) -> list[str]:
    """Return the curves of a training as an image for a notebook; nothing before an epoch ended."""
    from lstmgraph.training.picture import history_svg  # noqa: PLC0415 - only to show it

    named = {printable(name): values for name, values in history.items()}
    return [picture_html(history_svg(named, printable(title)), title)] if named else []


def plain_metrics(
    metrics: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, float | None]]:
    """Return the metrics of each part for JSON, with None for NaN and infinity."""
    return {
        part: {name: value if math.isfinite(value) else None for name, value in found.items()}
        for part, found in metrics.items()
    }


def plain_best_model(best: BestModelResult | None) -> dict[str, Any] | None:
    """Return what ``checkpoint`` kept for JSON, with None for NaN and infinity."""
    return None if best is None else {**asdict(best), "metrics": plain_metrics(best.metrics)}
