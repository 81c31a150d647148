"""A whole ``lstmgraph validate recipes/*.yaml`` process against ``python -c "import keras"``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import OURS, Figure, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.options import Options

PART = "startup"
KERAS = "import keras"
RECIPES = Path(__file__).parent.parent / "recipes"


def measure(options: Options) -> Iterator[Figure]:
    """The ratio of the two processes, for one recipe and for all."""
    command = Path(sys.executable).with_name("lstmgraph")
    recipes = [str(path) for path in sorted(RECIPES.glob("*.yaml"))]
    sides = {
        OURS: lambda: _run([str(command), "validate", *recipes]),
        KERAS: lambda: _run([sys.executable, "-c", "import keras"]),
    }
    aims = {KERAS: 0.1}
    one = {**sides, OURS: lambda: _run([str(command), "validate", recipes[-1]])}
    yield from compare(PART, "validate one recipe", one, options.for_processes, aims=aims)
    case = f"validate {len(recipes)} recipes"
    yield from compare(PART, case, sides, options.for_processes, aims=aims)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
