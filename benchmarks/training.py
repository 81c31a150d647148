"""The table of training steps: seconds of a step of `fit`, side by side.

Each side is a process of its own (side.py) that trains an epoch when it is asked to, so that the
sides take turns. What is measured goes to a file of JSON lines, a cell each: a run that is stopped
goes on where it was.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.cells import BATCHES, DEPTHS, KINDS, SIZES, Cell, cells, floor_seconds
from benchmarks.options import ENVIRONMENT
from benchmarks.report import QUIET, machine, other_load, put_section
from benchmarks.side import KERAS, KERAS_JAX, KERAS_XLA, OURS, SIDES, TORCH
from benchmarks.timing import turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parent.parent
REPEATS = 7
WARM_UPS = 2
"""Epochs that do not count: the first compiles."""
CELLS_A_PROCESS = 12
"""Sides begin anew after so many cells, as compiled code is never forgotten."""
PACKAGES = {KERAS_JAX: "jax", TORCH: "torch"}
TOLERANCE = {TORCH: 0.02}
"""Of the losses of the first two epochs. torch trains two biases where Keras's LSTM has one."""
COLUMNS = (
    *("layers", "batch", OURS, KERAS, "ratio", "of repeats", "aim", ""),
    *(KERAS_XLA, KERAS_JAX, TORCH, "ratio", "aim", "", "floor x", "compile", "by hand"),
)

Line = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cells that the file lacks, or write its table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks training", description=__doc__)
    add = parser.add_argument
    add("--lines", type=Path, default=Path("training.jsonl"), metavar="FILE", help="JSON lines")
    add("--minutes", type=float, metavar="N", help="begin no cell after so many minutes")
    add("--repeats", type=int, default=REPEATS, metavar="N", help=f"{REPEATS} without it")
    add("--kinds", nargs="+", choices=KINDS, default=KINDS)
    add("--units", nargs="+", type=int, choices=[size[0] for size in SIZES], help="all without it")
    add("--layers", nargs="+", type=int, choices=DEPTHS, default=DEPTHS)
    add("--batches", nargs="+", type=int, choices=BATCHES, default=BATCHES)
    add("--sides", nargs="+", choices=SIDES, default=SIDES, help="the table needs the first two")
    add(
        "--markdown", type=Path, metavar="FILE", help="put the table into FILE, and measure nothing"
    )
    chosen = parser.parse_args(arguments)
    if chosen.markdown:
        put_section(chosen.markdown, table(read_lines(chosen.lines)))
        return
    os.environ.update(ENVIRONMENT)
    end = time.monotonic() + 60 * (chosen.minutes or float("inf"))
    done = {_key(line["cell"]) for line in read_lines(chosen.lines)}
    missing = [cell for cell in _chosen(chosen) if _key(cell.as_dict()) not in done]
    print(f"{len(done)} cells are measured, {len(missing)} are missing", flush=True)
    for line in measured(missing, chosen.sides, chosen.repeats, end):
        with chosen.lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(_summary(line), flush=True)


def _chosen(chosen: argparse.Namespace) -> Iterator[Cell]:
    for cell in cells():
        wanted = cell.kind in chosen.kinds and cell.units in (chosen.units or [cell.units])
        if wanted and cell.depth in chosen.layers and cell.batch in chosen.batches:
            yield cell


def _key(cell: Mapping[str, Any]) -> str:
    return json.dumps(cell, sort_keys=True)


def read_lines(path: Path) -> list[Line]:
    """Return the lines of the file; one that was cut off while it was written is left out."""
    lines: list[Line] = []
    for text in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


class Side:
    """The process of one side."""

    def __init__(self, name: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self.name = name
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - see `close`
        backend = "jax" if name == KERAS_JAX else "tensorflow"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.side", name],
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": backend, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def tell(self, line: str) -> None:
        """Send one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> Line:
        """Send one line, and return the answer.

        Raises:
            RuntimeError: the process has ended.
        """
        self.tell(line)
        assert self.process.stdout is not None
        answer: Line = json.loads(self.process.stdout.readline() or "{}")
        if not answer:
            self.errors.seek(0)
            raise RuntimeError(f"{self.name} has ended:\n{self.errors.read()[-2000:]}")
        return answer

    def close(self) -> None:
        """End the process."""
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait()
        self.errors.close()


def measured(
    wanted: Sequence[Cell], names: Sequence[str], repeats: int, end: float
) -> Iterator[Line]:
    """Yield a line for each cell, until ``time.monotonic()`` is after `end`."""
    present = [n for n in names if n not in PACKAGES or importlib.util.find_spec(PACKAGES[n])]
    for start in range(0, len(wanted), CELLS_A_PROCESS):
        if time.monotonic() > end:
            return
        sides = {name: Side(name) for name in present}
        try:
            for cell in wanted[start : start + CELLS_A_PROCESS]:
                if time.monotonic() > end:
                    return
                yield _measure(cell, sides, repeats)
        finally:
            for side in sides.values():
                side.close()


def _measure(cell: Cell, sides: Mapping[str, Side], repeats: int) -> Line:
    load = other_load()
    begin = json.dumps({"cell": cell.as_dict(), "batches": cell.batches})
    found: dict[str, Line] = {}
    for name, side in sides.items():
        side.tell(begin)
        first, second = (side.ask("go") for _ in range(WARM_UPS))
        found[name] = {"first": first["seconds"], "seconds": []}
        found[name]["losses"] = [first["loss"], second["loss"]]
    require_equal_losses(cell, found)
    for repeat in range(repeats):
        for name in turns(list(sides), repeat):
            found[name]["seconds"].append(sides[name].ask("go")["seconds"] / cell.batches)
    for name, side in sides.items():
        found[name] |= side.ask("stop")
        found[name]["compile"] = max(
            0.0, found[name]["first"] - cell.batches * statistics.median(found[name]["seconds"])
        )
    return {
        "cell": cell.as_dict(),
        "batches": cell.batches,
        "floor": floor_seconds(cell),
        "load": load,
        "sides": found,
        "machine": machine(),
    }


def require_equal_losses(cell: Cell, found: Mapping[str, Line]) -> None:
    """Compare the losses of the first two epochs, in which each side has trained the same batches.

    Raises:
        RuntimeError: they differ, so the sides do not compute the same.
    """
    wanted = next(iter(found.values()))["losses"]
    for name, each in found.items():
        if not np.allclose(each["losses"], wanted, rtol=TOLERANCE.get(name, 1e-3)):
            raise RuntimeError(f"{name} computes something else for {cell}: {found}")


def aim_of(cell: Cell, against: str) -> float | None:
    """Return the ratio to stay under; None where there is none."""
    if against == TORCH:
        return 1.0 if cell.masked else 1.2
    if against != KERAS:
        return None
    if cell.batch == 1:
        return 0.20
    if cell.units < 128 and cell.batch <= 64:
        return 0.45
    return 0.75 if (cell.units, cell.batch) == (128, 32) else 1.03


def ratio_of(line: Line, against: str) -> tuple[float, float, float] | None:
    """Return the ratio of ours to another side, and the least and the largest of the repeats.

    The ratio is the median of those of the repeats, in which the sides ran one after the other.
    """
    ours, theirs = (line["sides"].get(name, {}).get("seconds") for name in (OURS, against))
    if not ours or not theirs:
        return None
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return statistics.median(ratios), ratios[0], ratios[-1]


def _summary(line: Line) -> str:
    cell = Cell(**line["cell"])
    ratios = {name: ratio_of(line, name) for name in SIDES if name != OURS}
    shown = ", ".join(f"{found[0]:.2f} of {name}" for name, found in ratios.items() if found)
    mask = "masked" if cell.masked else "plain"
    where = (
        f"{cell.kind} {cell.units} x {cell.steps}, {mask}, {cell.depth} layers, batch {cell.batch}"
    )
    return f"{where}: {shown or 'measured'}; load {line['load']}"


def table(lines: Sequence[Line]) -> str:
    """Return the lines as Markdown: a table for each size, kind and mask, in the cells' order."""
    order = [_key(cell.as_dict()) for cell in cells()]
    latest = {_key(line["cell"]): line for line in lines}
    shown = [latest[key] for key in order if key in latest]
    parts = [
        "## Training step",
        "One step of `fit`, in ms: epochs of 2 to 100 batches, the sides in turn, each in its own "
        f"process; medians of {_counts(shown)} repeats. [What the columns mean]"
        "(README.md#training-steps).",
    ]
    rough = sum((line["load"] or 0) > QUIET for line in shown)
    if rough:
        parts.append(f"**Rough: other processes ran before {rough} of {len(shown)} cells.**")
    parts += [f"{len(shown)} of {len(order)} cells. {_aims(shown)}"]
    for title, group in groupby(shown, key=lambda line: _title(Cell(**line["cell"]))):
        rows = [_markdown(COLUMNS), _markdown(["---"] * len(COLUMNS))]
        parts += [f"### {title}", "\n".join([*rows, *(_markdown(_cells(line)) for line in group)])]
    return "\n\n".join(parts) + "\n"


def _counts(lines: Sequence[Line]) -> str:
    counts = {len(side["seconds"]) for line in lines for side in line["sides"].values()}
    return (
        " to ".join(str(count) for count in sorted({min(counts), max(counts)})) if counts else "0"
    )


def _aims(lines: Sequence[Line]) -> str:
    texts = []
    for against in (KERAS, TORCH):
        verdicts = [_verdict(line, against) for line in lines]
        reached, judged = verdicts.count("ok"), len(verdicts) - verdicts.count("")
        texts.append(f"against {against} {reached} of {judged} aims are reached")
    return f"{'; '.join(texts)}.".capitalize()


def _verdict(line: Line, against: str) -> str:
    ratio, aim = ratio_of(line, against), aim_of(Cell(**line["cell"]), against)
    return "" if ratio is None or aim is None else "ok" if ratio[0] <= aim else "missed"


def _title(cell: Cell) -> str:
    size = f"{cell.units} units, {cell.steps} steps, {cell.features} features"
    return f"{cell.kind.upper()}, {'masked' if cell.masked else 'plain'}: {size}"


def _cells(line: Line) -> list[str]:
    cell, sides = Cell(**line["cell"]), line["sides"]
    ours = statistics.median(sides[OURS]["seconds"]) if OURS in sides else 0.0
    hand, torch = (ratio_of(line, name) for name in (KERAS, TORCH))
    return [
        *(str(cell.depth), str(cell.batch), _ms(sides.get(OURS)), _ms(sides.get(KERAS))),
        f"{hand[0]:.2f}" if hand else "",
        f"{hand[1]:.2f}-{hand[2]:.2f}" if hand else "",
        *(f"{aim_of(cell, KERAS):.2f}", _verdict(line, KERAS)),
        *(_ms(sides.get(name)) for name in (KERAS_XLA, KERAS_JAX, TORCH)),
        f"{torch[0]:.2f}" if torch else "",
        *(f"{aim_of(cell, TORCH):.2f}", _verdict(line, TORCH)),
        f"{ours / line['floor']:.1f}" if ours else "",
        *(f"{sides[name]['compile']:.1f} s" if name in sides else "" for name in (OURS, KERAS)),
    ]


def _ms(side: Line | None) -> str:
    return "" if side is None else f"{1e3 * statistics.median(side['seconds']):.2f}"


def _markdown(cells_: Sequence[str]) -> str:
    return f"| {' | '.join(cells_)} |"
