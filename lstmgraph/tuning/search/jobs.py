"""A search and how it is run: what the recipe and the command line say, as plain values."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.machine.machine import this_machine
from lstmgraph.compiler.machine.versions import ORACLES, TRAINING, versions
from lstmgraph.tuning.search.devices import visible_gpus
from lstmgraph.tuning.search.results import DimensionRow, Objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.language.space import Space


@dataclass(frozen=True)
class SearchJob:
    """What is searched. A folder holds one job for good: another is refused there."""

    recipe: str
    """The recipe's name."""
    space: Space
    oracle: Mapping[str, Any]
    """``type`` and keras-tuner's arguments of that oracle."""
    function: str
    """The trial function, as ``package.module:name``."""
    objectives: tuple[Objective, ...] = (Objective("val_loss", "min"),)
    seed: int = 0
    executions_per_trial: int = 1
    folds: int | None = None
    pruning: Mapping[str, Any] | None = None
    """``warmup_epochs`` and ``min_trials`` of the median rule; None: no trial is stopped early."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """Plain data for the trial function, such as the recipe's text and where the data is."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What must not change between runs beside the rest: the recipe, the data's fingerprint, the
    versions of libraries."""

    def fingerprint(self) -> dict[str, Any]:
        """Return what the job in a folder is known by, as plain data."""
        return {
            "name": self.recipe,
            **self.identity,
            "dimensions": [asdict(DimensionRow.of(each)) for each in self.space.dimensions],
            "oracle": dict(self.oracle),
            "objectives": [asdict(objective) for objective in self.objectives],
            "seed": self.seed,
            "executions_per_trial": self.executions_per_trial,
            "folds": self.folds,
            "pruning": None if self.pruning is None else dict(self.pruning),
        }


def job_settings(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `SearchJob` that a complete ``search:`` section gives.

    ``objectives`` are not among them, because their directions may follow from the metrics, nor is
    ``max_trials``: it is an option of a run, and may change when a search goes on.
    """
    pruning = {key: value for key, value in section["pruning"].items() if key != "type"}
    return {
        "oracle": section["oracle"],
        "seed": section["seed"],
        "executions_per_trial": section["executions_per_trial"],
        "folds": section["folds"],
        "pruning": None if section["pruning"]["type"] == "none" else pruning,
    }


def search_versions() -> dict[str, str]:
    """Return the versions of what a search's numbers depend on."""
    return versions(*TRAINING, *ORACLES)


@dataclass(frozen=True)
class Limits:
    """Of one trial. What goes beyond is killed, alone."""

    seconds: float | None = None
    memory_mb: float | None = None
    """Of the child and of what it started: resident memory, TensorFlow's own included (MiB)."""


@dataclass(frozen=True)
class RunOptions:
    """How a job is run; all of it may change when a search goes on."""

    workers: int = 1
    max_trials: int | None = None
    seconds: float | None = None
    """Of the whole search, its earlier runs included. No trial starts after it; those that run
    then are let end."""
    max_failures: int | None = None
    """The search stops after this many failed, oversized and timed-out trials; None: it goes on."""
    keep: int = 1
    """How many of the best trials keep their weights."""
    limits: Limits = field(default_factory=Limits)
    gpus: tuple[str, ...] | None = None
    """As CUDA_VISIBLE_DEVICES names them; None: those of this machine."""
    preload: tuple[str, ...] = ("keras",)
    """Modules that are imported once for all trials."""
    cluster: str | None = None
    """``ray``: each trial is a task of the Ray cluster that runs here or that RAY_ADDRESS names,
    and `workers` is how many there are at a time; None: all on this machine."""
    cpus_per_trial: float | None = None
    """Of a node of the cluster; None: 1."""
    gpus_per_trial: float | None = None
    """Of a node of the cluster, also a part of one; None: 0."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            ValueError: one is 0 or less, or is for a cluster where there is none, or the other way
                round; the message names it.
        """
        self._check_cluster()
        limits = {"trial_seconds": self.limits.seconds, "trial_memory_mb": self.limits.memory_mb}
        counted = ("workers", "max_trials", "seconds", "max_failures")
        for name, value in ({name: getattr(self, name) for name in counted} | limits).items():
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be greater than 0, not {value}")
        if self.keep < 0:
            raise ValueError(f"keep must be 0 or more, not {self.keep}")

    def _check_cluster(self) -> None:
        if self.cluster not in (None, "ray"):
            raise ValueError(f"cluster must be ray, not {self.cluster}")
        for name in ("cpus_per_trial", "gpus_per_trial"):
            if self.cluster is None and getattr(self, name) is not None:
                raise ValueError(f"{name} is for a cluster, and the search runs on this machine")
        if self.cluster is not None and self.gpus is not None:
            raise ValueError("gpus are those of this machine; a cluster takes gpus_per_trial")
        cpus, gpus = self.per_trial().values()
        if cpus <= 0:
            raise ValueError(f"cpus_per_trial must be greater than 0, not {cpus:g}")
        if gpus < 0 or (gpus > 1 and gpus % 1):
            raise ValueError(f"gpus_per_trial must be whole, or a part of one, not {gpus:g}")

    def per_trial(self) -> dict[str, float]:
        """Return the ``cpus`` and ``gpus`` that a trial asks a cluster for."""
        cpus = 1.0 if self.cpus_per_trial is None else self.cpus_per_trial
        return {"cpus": cpus, "gpus": self.gpus_per_trial or 0.0}

    def named_gpus(self) -> list[str]:
        """Return the GPUs of this machine to share out."""
        if self.cluster is not None:
            return []
        if self.gpus is not None:
            return list(self.gpus)
        return visible_gpus(this_machine().gpus, os.environ)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings that reports show."""
        shown = asdict(self)
        limits = shown.pop("limits")
        del shown["preload"]
        if self.cluster is None:
            for name in ("cluster", "cpus_per_trial", "gpus_per_trial"):
                del shown[name]
        else:
            shown |= {f"{name}_per_trial": number for name, number in self.per_trial().items()}
        shown["gpus"] = self.named_gpus()
        return shown | {"trial_seconds": limits["seconds"], "trial_memory_mb": limits["memory_mb"]}
