"""Peak memory of whole processes that build a model, or train one for an epoch of two batches.

``python -m benchmarks.memory SIDE TASK`` is such a process; it prints its peak in MiB, and that
before the first step.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cells import Cell
from benchmarks.side import KERAS, OURS, Pipe, peak_mib, serve
from benchmarks.timing import Figure, turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.options import Options

PART = "peak memory"
ROOT = Path(__file__).parent.parent
CHAIN = 40
BUILD = "build"
TRAINED = {
    "small": Cell("lstm", False, 32, 60, 4, depth=2, batch=32),
    "large": Cell("lstm", True, 128, 100, 32, depth=3, batch=256),
}
AIM = {BUILD: 1.05, **dict.fromkeys(TRAINED, 1.10)}
CASES = {
    BUILD: f"build {CHAIN} layers",
    **{
        task: f"train {cell.depth} layers of {cell.units}, batch {cell.batch}"
        for task, cell in TRAINED.items()
    },
}


def measure(options: Options) -> Iterator[Figure]:
    """The ratio of the peaks of two processes, for each task.

    Raises:
        RuntimeError: this process has imported TensorFlow. On Linux the peak of a child begins at
            what its parent holds when it is started (getrusage(2): ru_maxrss survives exec).
    """
    if "tensorflow" in sys.modules:
        raise RuntimeError("memory is measured before this process imports TensorFlow")
    for task, case in CASES.items():
        peaks: dict[str, list[float]] = {OURS: [], KERAS: []}
        steps: dict[str, list[float]] = {OURS: [], KERAS: []}
        for repeat in range(options.for_processes.repeats):
            for side in turns([OURS, KERAS], repeat):
                peak, before = _peaks_of_process(side, task)
                peaks[side].append(peak)
                steps[side].append(peak - before)
        found = tuple(peaks[OURS]), tuple(peaks[KERAS])
        yield Figure(PART, case, KERAS, *found, aim=AIM[task], unit="MiB")
        if task in TRAINED:
            found = tuple(steps[OURS]), tuple(steps[KERAS])
            yield Figure(PART, f"{case}: the steps", KERAS, *found, unit="MiB")


def _peaks_of_process(side: str, task: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.memory", side, task]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    peak, before = map(float, run.stdout.split())
    return peak, before


# Each side imports in its function only what it needs: the imports are part of its peak.
def _build(side: str) -> None:
    if side == OURS:
        from benchmarks import by_recipe

        by_recipe.chain(CHAIN)
    else:
        from benchmarks import by_hand

        by_hand.chain(CHAIN)


def main() -> None:
    """Do one task as one side, and print the peak of this process in MiB, and that before."""
    side, task = sys.argv[1:]
    before = 0.0
    if task == BUILD:
        _build(side)
    else:
        asked = json.dumps({"cell": TRAINED[task].as_dict(), "batches": 2})
        answers = io.StringIO()
        serve(side, Pipe(io.StringIO(f"{asked}\ngo\nstop\n"), answers))
        before = json.loads(answers.getvalue().splitlines()[-1])["before"]
    print(peak_mib(), before)


if __name__ == "__main__":
    main()
