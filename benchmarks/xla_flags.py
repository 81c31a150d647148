"""What XLA's options of lstmgraph's commands do to a training: ``python -m benchmarks.xla_flags``.

Two processes train the same cells in turns, one with the options and one without. A row shows the
processor time of the first epoch, which compiles, and of the epochs after it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics

from benchmarks.cells import SIZES, Cell
from benchmarks.options import ENVIRONMENT
from benchmarks.side import OURS
from benchmarks.timing import turns
from benchmarks.training import Side
from lstmgraph.compiler.machine.importing import QUICK_XLA

FLAGS = "XLA_FLAGS"
CELLS = [
    Cell(kind, masked, *size, depth, batch)
    for size in SIZES
    for kind, masked, depth, batch in (
        ("lstm", False, 1, 1),
        ("lstm", True, 2, 32),
        ("gru", False, 2, 32),
        ("gru", True, 1, 64),
    )
]


def main() -> None:
    """Print a row for each cell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.xla_flags", description=__doc__)
    parser.add_argument("--repeats", type=int, default=15, metavar="N")
    parser.add_argument("--flags", default=QUICK_XLA, help="others than those of the commands")
    chosen = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    os.environ.pop(FLAGS, None)
    print("| cell | compile | without | ratio | epoch | without | ratio |")
    print(f"|{' --- |' * 7}")
    sides = {"with": Side(OURS, {FLAGS: chosen.flags}), "without": Side(OURS)}
    for cell in CELLS:
        print(_row(cell, sides, chosen.repeats), flush=True)
    for side in sides.values():
        side.close()


def _row(cell: Cell, sides: dict[str, Side], repeats: int) -> str:
    first: dict[str, float] = {}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for name, side in sides.items():
        side.tell(json.dumps({"cell": cell.as_dict(), "batches": cell.batches}))
        first[name] = side.ask("go")["processor"]
        side.ask("go")
    for repeat in range(repeats):
        for name in turns(list(sides), repeat):
            times[name].append(sides[name].ask("go")["processor"])
    for side in sides.values():
        side.ask("stop")
    columns = [" ".join(map(str, cell.as_dict().values()))]
    for mine, other in (first.values(), map(statistics.median, times.values())):
        columns += [f"{mine:.3f} s", f"{other:.3f} s", f"{mine / other:.2f}"]
    return f"| {' | '.join(columns)} |"


if __name__ == "__main__":
    main()
