"""``python -m benchmarks [--json FILE]``: every measurement as a table, and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from typing import TYPE_CHECKING

from benchmarks import build, startup

if TYPE_CHECKING:
    from benchmarks.timing import Figure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each side (default 7)")
    parser.add_argument(
        "--layers", type=int, nargs="+", default=[4, 40, 400], help="sizes of the built models"
    )
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for measure in (
        lambda: startup.measure(arguments.repeats),
        *(lambda n=n: build.measure(n, arguments.repeats) for n in arguments.layers),
    ):
        figures.append(measure())
        print(figures[-1], flush=True)
    if arguments.json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        report = {"machine": machine, "figures": [figure.as_dict() for figure in figures]}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
