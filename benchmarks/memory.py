"""Peak memory of whole processes that build a model, or build it and train it for one step.

``python -m benchmarks.memory SIDE TASK`` is such a process; it prints its peak in MiB.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.grid import Case
from benchmarks.timing import OURS, Figure, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.options import Options

PART = "peak memory"
KERAS = "Keras by hand"
ROOT = Path(__file__).parent.parent
CHAIN = 40
CASE = Case(depth=3, batch=256, masked=True)
TASKS = {"build": f"build {CHAIN} layers", "train": f"one training step: {CASE}"}


def measure(options: Options) -> Iterator[Figure]:
    """The ratio of the peaks of two processes, for each task.

    Raises:
        RuntimeError: this process has imported TensorFlow. On Linux the peak of a child begins at
            what its parent holds when it is started (getrusage(2): ru_maxrss survives exec).
    """
    if "tensorflow" in sys.modules:
        raise RuntimeError("memory is measured before this process imports TensorFlow")
    for task, case in TASKS.items():
        peaks: dict[str, list[float]] = {OURS: [], KERAS: []}
        for repeat in range(options.for_processes.repeats):
            for side in turns([OURS, KERAS], repeat):
                peaks[side].append(_peak_of_process(side, task))
        yield Figure(
            PART, case, KERAS, tuple(peaks[OURS]), tuple(peaks[KERAS]), aim=1.05, unit="MiB"
        )


def _peak_of_process(side: str, task: str) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", side, task]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return float(run.stdout)


# Each side imports in its function only what it needs: the imports are part of its peak.
def _build_ours() -> None:
    from benchmarks import by_recipe

    by_recipe.chain(CHAIN)


def _build_by_hand() -> None:
    from benchmarks import by_hand

    by_hand.chain(CHAIN)


def _train_ours() -> None:
    from benchmarks import by_recipe

    batch = CASE.data()
    model = by_recipe.classifier_recipe(CASE).build()
    model.train_on_batch(by_recipe.inputs(CASE, batch), {"label": batch.labels})


def _train_by_hand() -> None:
    from benchmarks import by_hand

    batch = CASE.data()
    by_hand.classifier(CASE).train_on_batch(batch.sequence, batch.labels)


RUNS: Mapping[tuple[str, str], Callable[[], None]] = {
    (OURS, "build"): _build_ours,
    (KERAS, "build"): _build_by_hand,
    (OURS, "train"): _train_ours,
    (KERAS, "train"): _train_by_hand,
}


def main() -> None:
    """Do one task as one side, and print the peak of this process in MiB."""
    import resource  # not on Windows

    side, task = sys.argv[1:]
    RUNS[side, task]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)  # bytes, or KiB


if __name__ == "__main__":
    main()
