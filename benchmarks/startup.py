"""A whole ``lstmgraph validate recipes/*.yaml`` process against ``python -c "import keras"``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.timing import Figure, alternate

RECIPES = Path(__file__).parent.parent / "recipes"


def measure(repeats: int) -> Figure:
    """The ratio of the two processes."""
    command = Path(sys.executable).with_name("lstmgraph")
    recipes = [str(path) for path in sorted(RECIPES.glob("*.yaml"))]
    return alternate(
        f"validate {len(recipes)} recipes / import keras",
        lambda: _run([str(command), "validate", *recipes]),
        lambda: _run([sys.executable, "-c", "import keras"]),
        repeats=repeats,
        aim=0.1,
    )


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
