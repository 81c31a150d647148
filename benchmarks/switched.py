"""Real trainings with what lstmgraph chooses for this machine, and with Keras's loop as it is.

``accuracy``: the speaker classifier of recipes/ on the test data, seed by seed, and the processor
time of each training. ``search``: the processor time of the README's search. ``profile``: that of a
training with ``--profile`` and without. The table goes on standard output, and with --markdown into
a section of a file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.options import ENVIRONMENT
from benchmarks.report import other_load, put_section
from benchmarks.timing import turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "recipes"
DATA = RECIPES / "data" / "japanese_vowels.npz"
WAYS = {"chosen": [], "Keras's loop": ["runtime.kernel=standard", "runtime.xla=false"]}
THREAD_COUNTS = [name for name in ENVIRONMENT if name.endswith("_THREADS")]
MOST_LOAD = 2.5
COMPILED = {"compiled": ["runtime.xla=true"]}
"""The fused loop in what XLA compiles, also where a training is too short for it to pay."""
METRIC = "sparse_categorical_accuracy"
COMMAND = [sys.executable, "-c", "from lstmgraph.cli import main; main()"]


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.switched", description=__doc__)
    parser.add_argument("what", choices=["accuracy", "search", "profile"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9, 10, 11], metavar="N")
    parser.add_argument("--trials", type=int, metavar="N", help="the recipe's 40 without it")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    if chosen.what == "search":
        lines = search(chosen.trials)
    else:
        lines = (accuracy if chosen.what == "accuracy" else profile)(chosen.seeds)
    print("\n".join(lines))
    if chosen.markdown:
        put_section(chosen.markdown, "\n".join(lines) + "\n")


def accuracy(seeds: Sequence[int]) -> list[str]:
    """Return the table of accuracies and processor times."""
    every, rows = {**WAYS, **COMPILED}, []
    for seed in seeds:
        shares, times = [], []
        for ways in every.values():
            with tempfile.TemporaryDirectory() as folder:
                seconds = _processor_seconds(
                    *("train", str(RECIPES / "speaker-classifier.yaml"), "--data", str(DATA)),
                    *("-o", folder, "-q"),
                    *_set([f"runtime.seed={seed}", *ways]),
                )
                results = json.loads((Path(folder) / "results.json").read_text("utf-8"))
            shares.append(f"{results['metrics']['test'][METRIC]:.1%}")
            times.append(seconds)
        rows.append((str(seed), *shares, *_times(*times)))
    headings = ("seed", *(f"test, {way}" for way in every))
    return _table("Training on real data", headings, every, rows)


def profile(seeds: Sequence[int]) -> list[str]:
    """Return the table of processor times with a profile and without, which take turns."""
    options = {"with": ["--profile"], "without": []}
    found: dict[str, list[float]] = {name: [] for name in options}
    for repeat, seed in enumerate(seeds):
        for name in turns(list(options), repeat):
            with tempfile.TemporaryDirectory() as folder:
                seconds = _processor_seconds(
                    *("train", str(RECIPES / "speaker-classifier.yaml"), "--data", str(DATA)),
                    *("-o", folder, "-q", *options[name]),
                    *_set([f"runtime.seed={seed}"]),
                )
            found[name].append(seconds)
    mine, other = (statistics.median(found[name]) for name in options)
    ratios = [a / b for a, b in zip(*found.values(), strict=True)]
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    cells = ["30 epochs", f"{mine:.1f} s", f"{other:.1f} s"]
    cells += [f"{statistics.median(ratios):.2f}", spread]
    headings = ["`lstmgraph train`, processor time", *options, "ratio", "of repeats"]
    rows = [headings, ["---"] * len(headings), cells]
    return ["## Profile", "", *_note(), *(f"| {' | '.join(row)} |" for row in rows)]


def search(trials: int | None) -> list[str]:
    """Return the table of the search."""
    for name in THREAD_COUNTS:  # a search shares the threads out
        os.environ.pop(name, None)
    found = []
    for ways in WAYS.values():
        with tempfile.TemporaryDirectory() as folder:
            seconds = _processor_seconds(
                *("tune", str(RECIPES / "speaker-classifier-search.yaml"), "--data", str(DATA)),
                *("-o", f"{folder}/out", "--workers", "2", "-q"),
                *(() if trials is None else ("--max-trials", str(trials))),
                *_set(ways),
            )
            lines = (Path(folder) / "out" / "search.jsonl").read_text("utf-8").splitlines()
        ended = [event for event in map(json.loads, lines) if event["event"] == "ended"]
        found.append((len(ended), seconds))
    (count, mine), (other_count, other) = found
    row = ("the README's search", str(count), str(other_count), *_times(mine, other))
    return _table("Search on real data", ("", *(f"trials, {way}" for way in WAYS)), WAYS, [row])


def _processor_seconds(*arguments: str) -> float:
    """Run a command, and return its processor time with that of the processes it waited for."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    status, usage = os.wait4(process.pid, 0)[1:]
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"lstmgraph {arguments[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _set(values: Sequence[str]) -> list[str]:
    return [word for value in values for word in ("--set", value)]


def _times(*seconds: float) -> list[str]:
    """Return the times of the ways of `WAYS` and further ones, and the ratio of the first two."""
    return [*(f"{each:.1f} s" for each in seconds), f"{seconds[0] / seconds[1]:.2f}"]


def _table(
    title: str, headings: Sequence[str], ways: Iterable[str], rows: Sequence[Sequence[str]]
) -> list[str]:
    columns = [*headings, *(f"processor time, {way}" for way in ways), "ratio"]
    cells = [columns, ["---"] * len(columns), *rows]
    return [f"## {title}", "", *_note(), *(f"| {' | '.join(row)} |" for row in cells)]


def _note() -> list[str]:
    """Say whether other processes ran, which makes processor times rough."""
    load = other_load() or 0.0
    # This run's own processes count too: at most 2 threads.
    return [f"**Rough: {load} processes ran on average.**", ""] if load > MOST_LOAD else []


if __name__ == "__main__":
    main()
