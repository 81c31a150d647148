"""What a run may choose, and what every side of every figure shares."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

THREADS = 2
PROCESS_REPEATS = 5

ENVIRONMENT: Mapping[str, str] = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "TF_NUM_INTEROP_THREADS": str(THREADS),
    "OMP_NUM_THREADS": str(THREADS),
}
"""For this process and those it starts, before TensorFlow is imported in either."""


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    repeats: int = 7
    """Runs of each side, beside one that does not count."""
    seconds: float = 0.05
    """What one run lasts at least: a side that is quicker is called several times in it."""
    batches: tuple[int, ...] = (1, 32, 256)
    depths: tuple[int, ...] = (1, 2, 3)
    """LSTM layers of the grid's models."""
    masks: tuple[bool, ...] = (False, True)
    chains: tuple[int, ...] = (4, 40, 400)
    """LSTM layers of the models that are built and not run."""
    trials: tuple[int, int] = (20, 100)
    """Of the searches that are compared, and of the one whose trials are looked at."""

    @property
    def once(self) -> Options:
        """One call a run, for what takes seconds or leaves something behind."""
        return replace(self, seconds=0.0)

    @property
    def for_processes(self) -> Options:
        """For whole processes: one call a run, at most `PROCESS_REPEATS` times."""
        return replace(self.once, repeats=min(self.repeats, PROCESS_REPEATS))


QUICK = Options(
    repeats=1,
    seconds=0.0,
    batches=(1,),
    depths=(1,),
    masks=(True,),
    chains=(4,),
    trials=(2, 3),
)
"""For a smoke run: nothing that it says about time is to be believed."""


def missing(*packages: str) -> str:
    """Which of `packages` are not installed, as a remark; empty where all are."""
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    return f"{', '.join(absent)} not installed" if absent else ""
