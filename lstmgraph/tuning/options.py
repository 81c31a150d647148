"""The options of a search, beside its recipe and its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from rich.console import Console

from lstmgraph.tuning.run import PRELOAD, TuneRequest
from lstmgraph.tuning.search.jobs import Limits, RunOptions

if TYPE_CHECKING:
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.tuning.callbacks import TrialCallbacks


class TuneOptions(TypedDict, total=False):
    """The options of ``Recipe.tune``; each may be left out."""

    validation: Any
    """Data of its own to compare the trials by."""
    test: Any
    """Data of its own that only the best is scored on, at the end."""
    weights: Path | None
    """A file whose weights every trial begins with; fresh ones without it."""
    folder: str | Path | None
    """The folder of the search, ``searches/NAME`` without it; made where it is missing."""
    callbacks: TrialCallbacks | None
    """Of every training: a list that is copied, or a function of a ``TrialInfo`` that makes it."""
    restart: bool
    """Begin anew; an earlier search is kept beside it, as ``folder.1``."""
    workers: int
    """Trials at a time; GPUs are shared out among them. 1 without it."""
    max_trials: int | None
    """How many trials there are, in place of the recipe's number."""
    seconds: float | None
    """No trial starts after so long, earlier runs included."""
    trial_seconds: float | None
    """A trial that runs for longer is killed, alone."""
    trial_memory_mb: float | None
    """A trial that holds more main memory (MiB) is killed, alone."""
    max_failures: int | None
    """The search stops after this many failed trials; it goes on without it."""
    keep: int
    """How many of the best trials keep their weights. 1 without it."""
    cluster: str | None
    """``ray``: trials are tasks of the Ray cluster that runs here or that RAY_ADDRESS names."""
    cpus_per_trial: float | None
    """How many CPUs each trial asks of the cluster. 1 without it."""
    gpus_per_trial: float | None
    """How many GPUs, or which part of one, each trial asks of the cluster. 0 without it."""
    verbose: int
    """1 shows a live table, or lines where there is no terminal."""


def tune_request(
    recipe: CompiledRecipe, data: Any, options: TuneOptions, console: Console | None = None
) -> TuneRequest:
    """Return all that ``tune`` needs.

    Raises:
        ValueError: a number makes no sense; the message names it. Callbacks cannot be pickled.
        TypeError: callbacks are none.
    """
    given: dict[str, Any] = {**options}
    own = {name: given.pop(name, None) for name in ("validation", "test")}
    folder = given.pop("folder", None) or Path("searches") / recipe.declaration.name
    weights = given.pop("weights", None)
    callbacks = _pickled(given.pop("callbacks", None))
    restart, verbose = bool(given.pop("restart", False)), given.pop("verbose", 0)
    limits = Limits(given.pop("trial_seconds", None), given.pop("trial_memory_mb", None))
    return TuneRequest(
        recipe,
        {"train": data} | {name: source for name, source in own.items() if source is not None},
        Path(str(folder)),
        RunOptions(**given, limits=limits, preload=PRELOAD),
        restart=restart,
        console=Console() if verbose and console is None else console,
        callbacks=callbacks,
        weights=weights,
    )


def _pickled(callbacks: TrialCallbacks | None) -> str:
    if callbacks is None:
        return ""
    from lstmgraph.tuning.callbacks import pickled  # noqa: PLC0415 - imports TensorFlow

    return pickled(callbacks)
