"""Whole trainings, process start included: `lstmgraph train` against a Keras script.

A repeat runs all sides of a recipe one after the other, with a seed of its own, and goes to a
file of JSON lines: a run that is stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import number_words
from benchmarks import sentences as sentence_pairs
from benchmarks.options import ENVIRONMENT
from benchmarks.report import QUIET, machine, other_load, put_section
from benchmarks.timing import OURS, turns
from benchmarks.training import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "recipes"
VOWELS = RECIPES / "data" / "japanese_vowels.npz"
HAND, START = "Keras by hand", "import keras"
SIDES = (OURS, HAND, START)
REPEATS = 5
FIRST_SEED = 7
SMALL, ANY = 0.60, 1.05
"""Aims: of models of at most 64 units, and of all others."""
TOLERANCE = 0.25
"""Of the loss of the last epoch, the median of repeats: first weights, parts and orders of examples
differ from side to side."""
LEAST_REPEATS = 3
"""With fewer, losses are not compared."""
COLUMNS = (
    *("recipe", "epochs", OURS, HAND, "ratio", "of repeats", "aim", ""),
    *("processor time", HAND, "ratio", START, "last loss", HAND),
)

Line = dict[str, Any]


@dataclass(frozen=True)
class Fit:
    """A recipe, the data it is trained on and the script that does the same."""

    script: str
    data: Path | Callable[[Path], None]
    """A file, or what makes one."""
    epochs: int
    recipe: str = ""
    """In recipes/; "" where `lstmgraph init` proposes one."""
    target: str = ""
    """The target that `init` is given."""
    aim: float = SMALL
    stops: bool = False
    """Whether the recipe has early stopping, which is kept from stopping: all epochs are run."""


def _streams(path: Path) -> None:
    with np.load(VOWELS) as archive:
        frames, lengths = archive["train_frames"], archive["train_lengths"]
    parts = {"frames": frames[:, :-1], "lengths": lengths - 1, "expected": frames[:, 1:]}
    np.savez(path, **{f"train_{name}": array for name, array in parts.items()})


def _sentences(path: Path) -> None:
    inputs, same = sentence_pairs.pairs(sentence_pairs.meanings()[200:], seed=1)
    arrays = {**inputs, "same": same}
    np.savez(path, **{f"train_{name}": array for name, array in arrays.items()})


def _numbers(path: Path) -> None:
    chosen = number_words.numbers(3500)[500:].tolist()
    words = number_words.word_ids(number_words.in_words(number) for number in chosen)
    read, written = number_words.digit_ids(chosen)
    np.savez(path, train_words=words, train_digits=read, train_next=written)


def _texts(path: Path) -> None:
    text = (RECIPES / "data" / "reviews.csv").read_text("utf-8")
    path.write_text(text.replace(",review,", ",text,", 1), "utf-8")


FITS = {
    "speaker-classifier": Fit("speakers", VOWELS, 30, "speaker-classifier.yaml", aim=ANY),
    "next-frame": Fit(
        "next_frame", RECIPES / "data" / "japanese_vowels.parquet", 20, "next-frame.yaml"
    ),
    "stream-anomalies": Fit("streams", _streams, 15, "stream-anomalies.yaml"),
    "review-classifier": Fit("review_classifier", _texts, 5, "review-classifier.yaml"),
    "sentence-matcher": Fit("sentences", _sentences, 12, "sentence-matcher.yaml"),
    "number-words": Fit("numbers", _numbers, 5, "number-words.yaml", aim=ANY),
    "flights, proposed": Fit("flights", RECIPES / "data" / "flights.csv", 15, stops=True),
    "reviews, proposed": Fit(
        "reviews", RECIPES / "data" / "reviews.csv", 30, target="opinion", stops=True
    ),
}
"""What a clone of the repository can train, with the recipe's epochs or, after `init`, fewer."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the repeats that the file lacks, or write its table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fit", description=__doc__)
    add = parser.add_argument
    add("--lines", type=Path, default=Path("fit.jsonl"), metavar="FILE", help="JSON lines")
    add("--minutes", type=float, metavar="N", help="begin no repeat after so many minutes")
    add("--repeats", type=int, default=REPEATS, metavar="N", help=f"{REPEATS} without it")
    add("--recipes", nargs="+", choices=FITS, default=list(FITS), metavar="NAME")
    add("--epochs", type=int, metavar="N", help="fewer than the recipes' for a smoke run")
    add(
        "--markdown", type=Path, metavar="FILE", help="put the table into FILE, and measure nothing"
    )
    chosen = parser.parse_args(arguments)
    lines = read_lines(chosen.lines)
    if chosen.markdown:
        put_section(chosen.markdown, table(lines))
        return
    os.environ.update(ENVIRONMENT)
    end = time.monotonic() + 60 * (chosen.minutes or float("inf"))
    done = {(line["recipe"], line["repeat"]) for line in lines}
    wanted = [(name, repeat) for repeat in range(chosen.repeats) for name in chosen.recipes]
    missing = [each for each in wanted if each not in done]
    print(f"{len(missing)} of {len(wanted)} repeats are missing", flush=True)
    for name, repeat in missing:
        if time.monotonic() > end:
            return
        line = measure(name, repeat, chosen.epochs)
        with chosen.lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(_summary(line), flush=True)


def measure(name: str, repeat: int, epochs: int | None = None) -> Line:
    """Run all sides of a recipe once, in an order that turns with `repeat`."""
    fit, load = FITS[name], other_load()
    count, seed = epochs or fit.epochs, FIRST_SEED + repeat
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = _data(fit, folder)
        commands = {
            OURS: _train(fit, data, folder, count, seed),
            HAND: [
                *("-m", f"benchmarks.fits.{fit.script}", str(data), str(folder / "hand")),
                *(str(count), str(seed)),
            ],
            START: ["-c", "import keras"],
        }
        sides = {side: _run(commands[side]) for side in turns(list(SIDES), repeat)}
        sides[HAND] |= json.loads(sides[HAND].pop("printed"))
        with (folder / "ours" / "history.csv").open(encoding="utf-8") as file:
            losses = [float(row["loss"]) for row in csv.DictReader(file)]
        weights = _weights(commands[OURS])
    sides[OURS] |= {"last": losses[-1], "epochs": len(losses), "weights": weights}
    for side in (OURS, HAND):
        trained = {what: sides[side][what] for what in ("epochs", "weights")}
        if trained != {"epochs": count, "weights": weights}:
            raise RuntimeError(f"{side}, {name}: {trained}, and not {count} and {weights}")
    for each in sides.values():
        each.pop("printed", None)
    return {
        **{"recipe": name, "epochs": count, "repeat": repeat, "load": load},
        **{"sides": sides, "machine": machine()},
    }


def _data(fit: Fit, folder: Path) -> Path:
    if isinstance(fit.data, Path):
        return fit.data
    path = folder / ("data.csv" if fit.data is _texts else "data.npz")
    fit.data(path)
    return path


def _train(fit: Fit, data: Path, folder: Path, epochs: int, seed: int) -> list[str]:
    """Return the command of our side; a recipe that has to be proposed is written before."""
    recipe = RECIPES / fit.recipe
    if not fit.recipe:
        recipe = folder / "recipe.yaml"
        target = ("--target", fit.target) if fit.target else ()
        _run(["-m", "lstmgraph", "init", "--data", str(data), *target, "-o", str(recipe)])
    values = [f"runtime.seed={seed}"]
    if fit.stops:
        values.append(f"training.callbacks.early_stopping.patience={epochs}")
    return [
        *("-m", "lstmgraph", "train", str(recipe), "--data", str(data), "--epochs", str(epochs)),
        *("-o", str(folder / "ours"), "-q"),
        *(word for value in values for word in ("--set", value)),
    ]


def _weights(train: Sequence[str]) -> int:
    """Return the number of trainable weights of the recipe that the command `train` names."""
    recipe = train[train.index("train") + 1]
    explained = _run(["-m", "lstmgraph", "explain", recipe, "--format", "json"])["printed"]
    return int(json.loads(explained)["totals"]["trainable_parameters"])


def _run(arguments: Sequence[str]) -> Line:
    """Run Python, and return the seconds it took, its processor time, and what it printed."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdout=printed, stderr=errors
        )
        status, usage = os.wait4(process.pid, 0)[1:]
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{errors.read()[-2000:]}")
        return {
            "seconds": seconds,
            "processor": usage.ru_utime + usage.ru_stime,
            "printed": printed.read(),
        }


def ratios_of(lines: Sequence[Line], what: str) -> list[float]:
    """Return ours by theirs in each repeat, the smallest first."""
    return sorted(line["sides"][OURS][what] / line["sides"][HAND][what] for line in lines)


def require_equal_losses(lines: Sequence[Line]) -> None:
    """Compare the losses of the last epoch of both sides over the repeats of one recipe.

    Raises:
        RuntimeError: they differ, so the sides do not compute the same.
    """
    ours, theirs = (_median(lines, side, "last") for side in (OURS, HAND))
    if len(lines) >= LEAST_REPEATS and abs(ours - theirs) > TOLERANCE * theirs:
        raise RuntimeError(f"{lines[0]['recipe']}: the losses {ours:.4g}, {theirs:.4g} differ")


def table(lines: Sequence[Line]) -> str:
    """Return the lines as Markdown, a row for each recipe."""
    every = {name: [line for line in lines if line["recipe"] == name] for name in FITS}
    shown = {name: found for name, found in every.items() if found}
    counts = sorted({len(found) for found in shown.values()})
    repeats = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]]))) if counts else "0"
    parts = [
        "## Fit, whole process",
        "`lstmgraph train` and a script, from the process's start to its end, in turn, each "
        f"repeat with a seed of its own; medians of {repeats} repeats. "
        "[What the columns mean](README.md#whole-trainings).",
    ]
    rough = sum((line["load"] or 0) > QUIET for found in shown.values() for line in found)
    if rough:
        total = sum(map(len, shown.values()))
        parts.append(f"**Rough: other processes ran before {rough} of {total} repeats.**")
    rows = [COLUMNS, ["---"] * len(COLUMNS), *map(_cells, shown.values())]
    parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(parts) + "\n"


def _cells(lines: Sequence[Line]) -> list[str]:
    require_equal_losses(lines)
    name, aim = lines[0]["recipe"], FITS[lines[0]["recipe"]].aim
    ratios, shares = ratios_of(lines, "seconds"), ratios_of(lines, "processor")
    ratio = statistics.median(ratios)
    return [
        *(name, str(lines[0]["epochs"])),
        *(f"{_median(lines, side, 'seconds'):.1f} s" for side in (OURS, HAND)),
        *(f"{ratio:.2f}", f"{ratios[0]:.2f}-{ratios[-1]:.2f}", f"{aim:.2f}"),
        "ok" if ratio <= aim else "missed",
        *(f"{_median(lines, side, 'processor'):.1f} s" for side in (OURS, HAND)),
        *(f"{statistics.median(shares):.2f}", f"{_median(lines, START, 'processor'):.1f} s"),
        *(f"{_median(lines, side, 'last'):.4g}" for side in (OURS, HAND)),
    ]


def _median(lines: Sequence[Line], side: str, what: str) -> float:
    return statistics.median(line["sides"][side][what] for line in lines)


def _summary(line: Line) -> str:
    ours, hand = (line["sides"][side] for side in (OURS, HAND))
    return (
        f"{line['recipe']}: {ours['seconds']:.1f} s by {hand['seconds']:.1f} s, processor "
        f"{ours['processor']:.1f} by {hand['processor']:.1f} s "
        f"({ours['processor'] / hand['processor']:.2f}), losses {ours['last']:.4g} "
        f"{hand['last']:.4g}; load {line['load']}"
    )
