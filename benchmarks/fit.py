"""`fit` on real data as a whole process: a script with a recipe against a script without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import OURS, Figure, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.options import Options

PART = "fit, whole process"
KERAS = "Keras by hand"
LEARNT = 0.5
"""Accuracy on what was trained on, where chance is 1 in 9: less, and a side did something else."""


def measure(options: Options) -> Iterator[Figure]:
    """The ratio of the two scripts."""
    sides = {OURS: lambda: _train("recipe"), KERAS: lambda: _train("hand")}
    case = "Japanese Vowels, 30 epochs"
    return compare(PART, case, sides, options.for_processes, aims={KERAS: 1.05})


def _train(how: str) -> None:
    script = Path(__file__).with_name(f"speakers_by_{how}.py")
    # -P: the folder of the script is not a place to import from.
    command = [sys.executable, "-P", str(script)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    if float(run.stdout) < LEARNT:
        raise RuntimeError(f"{script.name} reached an accuracy of {run.stdout.strip()} only")
