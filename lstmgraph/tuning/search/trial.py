"""What a trial is given and what it gives back: the trial function's side of a search."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lstmgraph.files import write_text
from lstmgraph.models.seeds import derived_seed
from lstmgraph.tuning.search.own_files import open_own, read_of_trial
from lstmgraph.tuning.search.results import COMPLETED, PRUNED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SPEC = "spec.json"
OUTCOME = "outcome.json"
EPOCHS = "epochs.jsonl"
LOG = "log.txt"
BEST_WEIGHTS = "best.keras"
LAST_WEIGHTS = "last.keras"
CONCRETE_RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class TrialSpec:
    """One trial to run. It is all plain data and stands in the trial's folder as spec.json."""

    number: int
    folder: str
    """For the trial's own files, such as best.keras; empty when the trial starts."""
    values: Mapping[str, Any]
    """A value for each active dimension, by the dimension's name."""
    seed: int
    """The seed of this trial in this search."""
    job: Mapping[str, Any] = field(default_factory=dict)
    """What the search was given for its trial function: the recipe's text, where the data is."""
    objective: str = "val_loss"
    direction: str = "min"
    executions: int = 1
    folds: int | None = None
    initial_epoch: int = 0
    epochs: int | None = None
    """The epoch to stop before, counted from the first of `continues`; None: as the recipe says."""
    continues: str | None = None
    """The folder of the trial whose last.keras this one continues; None: it starts from scratch."""
    keep_last: bool = False
    """Whether a later trial may continue this one, which then needs to leave last.keras."""
    thresholds: tuple[float, ...] = ()
    """By epoch: a trial whose best score is worse is stopped; empty if none is to be stopped."""
    warmup_epochs: int = 0

    def seed_of(self, execution: int = 0, fold: int = 0) -> int:
        """Return the seed of one fit among the trial's executions and folds."""
        return derived_seed(self.seed, "execution", execution, "fold", fold)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the spec that `write` wrote."""
        data = json.loads(read_of_trial(path.parent, path.name))
        return cls(**{**data, "thresholds": tuple(data["thresholds"])})

    def write(self) -> Path:
        """Write spec.json into the trial's folder; return its path."""
        path = Path(self.folder) / SPEC
        write_json(path, asdict(self))
        return path


def earlier_specs(spec: TrialSpec) -> Iterator[TrialSpec]:
    """Yield the specs of the trials that one goes on from, back to the first.

    Raises:
        ValueError: a trial goes on from one that is not before it, which no search asks for.
    """
    # All stand beside the first; the others name folders of the machine that the search runs on.
    trials = Path(spec.continues or spec.folder).parent
    while spec.continues is not None:
        name = Path(spec.continues).name
        if not (name.isdecimal() and int(name) < spec.number):
            raise ValueError(f"trial {spec.number} cannot go on from {name}")
        spec = replace(TrialSpec.read(trials / name / SPEC), number=int(name))
        yield spec


@dataclass(frozen=True)
class TrialOutcome:
    """What a trial function returns. Metrics are those of the best epoch; see `TrialRow`."""

    metrics: Mapping[str, float]
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    epochs: int = 0
    fit_seconds: float = 0.0
    parameters: int | None = None
    status: str = COMPLETED
    """``completed`` or, where `Trial.on_epoch` asked to stop, ``pruned``."""
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, numbers of NumPy made Python's."""
        numbers = {name: float(value) for name, value in self.metrics.items()}
        history = {name: [float(v) for v in values] for name, values in self.history.items()}
        return {**asdict(self), "metrics": numbers, "history": history}


@dataclass
class Trial:
    """A running trial, as its function sees it."""

    spec: TrialSpec
    pruned: str = ""
    """Why `on_epoch` asked to stop; empty where it did not."""
    _best: float | None = None

    def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Note an epoch of the first execution and fold; True asks to stop the trial.

        Args:
            epoch: counted from 0; in a trial that goes on from another, from its `initial_epoch`.
            metrics: what Keras logs at the end of the epoch.
        """
        numbers = {name: float(value) for name, value in metrics.items()}
        file = open_own(Path(self.spec.folder) / EPOCHS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with os.fdopen(file, "a", encoding="utf-8") as epochs:
            epochs.write(json.dumps({"epoch": epoch, **numbers}) + "\n")
        value = numbers.get(self.spec.objective)
        if value is not None and (self._best is None or self._is_better(value, self._best)):
            self._best = value
        self._compare(epoch)
        return bool(self.pruned)

    def outcome(self, **found: Any) -> TrialOutcome:
        """Return a `TrialOutcome` with the status that `on_epoch` led to."""
        status = PRUNED if self.pruned else COMPLETED
        return TrialOutcome(**found, status=status, reason=self.pruned)

    def _compare(self, epoch: int) -> None:
        spec = self.spec
        if epoch < spec.warmup_epochs or epoch >= len(spec.thresholds) or self._best is None:
            return
        threshold = spec.thresholds[epoch]
        if self._is_better(threshold, self._best):
            self.pruned = (
                f"stopped after epoch {epoch + 1}: its best {spec.objective} {self._best:.6g} is "
                f"worse than {threshold:.6g}, the median of the trials before it"
            )

    def _is_better(self, value: float, than: float) -> bool:
        return value < than if self.spec.direction == "min" else value > than


def write_json(path: Path, data: Any) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(data))
