"""Searches: trials an hour against a keras-tuner script, and what a trial costs beside its fit.

Both sides train the same models on as many examples, for as many epochs; the script is given the
values that our search drew.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.timing import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.options import Options

PART = "search"
KERAS_TUNER = "keras-tuner by hand"
ROOT = Path(__file__).parent.parent
DATA = ROOT / "recipes" / "data" / "japanese_vowels.npz"
RECIPE = """\
recipe: 1
name: searched
inputs: {frames: {shape: [time, 12]}, lengths: {shape: [], dtype: int32}}
layers:
  voice:
    type: lstm
    input: frames
    units: {$search: {int: [32, 128]}}
    dropout: {$search: {float: [0.0, 0.5]}}
    mask: {lengths: lengths}
  speaker: {type: dense, input: voice, units: 9, activation: softmax}
outputs: {speaker: speaker}
training:
  loss: sparse_categorical_crossentropy
  optimizer: {type: adam, learning_rate: {$search: {float: [1e-3, 1e-2], scale: log}}}
  batch_size: 27
  epochs: 3
search: {seed: 7}
"""
NAMES = {
    "layers.voice.units": "units",
    "layers.voice.dropout": "dropout",
    "training.optimizer.learning_rate": "rate",
}
OUTSIDE = 0.3
"""Seconds of a trial beside `fit`, at most."""
GROWTH = 0.5
"""MiB a trial, at most."""


@dataclass(frozen=True)
class Searched:
    """One of our searches, trial by trial."""

    values: list[dict[str, Any]]
    seconds: float
    """From the first trial's start to the last one's end."""
    outside: list[float]
    """Seconds of each trial beside its fit: the whole search's time shared out, one worker."""
    held: list[float]
    """MiB that the search and the process that forks its trials hold, after each trial."""


def measure(options: Options) -> Iterator[Figure]:
    """Trials an hour with one worker and with two; then what many trials cost."""
    few, many = options.trials
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        one = _search(place / "one", trials=few, workers=1)
        theirs = _by_hand(place, one.values)
        two = _search(place / "two", trials=few, workers=2)
        for searched, workers, aim in ((one, "1 worker", 1.15), (two, "2 workers", 1.9)):
            case = f"{few} trials, {workers}"
            yield Figure(
                PART, case, KERAS_TUNER, (searched.seconds,), (theirs,), aim=round(1 / aim, 3)
            )
        long = _search(place / "long", trials=many, workers=1)
    tenth = max(1, many // 10)
    outside = statistics.median(long.outside)
    yield Figure(PART, "a trial beside its fit", "the limit", (outside,), (OUTSIDE,), aim=1.0)
    first, last = (statistics.median(x) for x in (long.outside[:tenth], long.outside[-tenth:]))
    case = f"the same, the last {tenth}"
    yield Figure(PART, case, f"the first {tenth}", (last,), (first,), aim=1.1)
    grown = max(0.0, (long.held[-1] - long.held[tenth - 1]) / (many - tenth or 1))
    yield Figure(
        PART, "memory grown a trial", "the limit", (grown,), (GROWTH,), aim=1.0, unit="MiB"
    )


def _search(place: Path, *, trials: int, workers: int) -> Searched:
    place.mkdir()
    recipe, out = place / "recipe.yaml", place / "out"
    recipe.write_text(RECIPE, "utf-8")
    program = "from lstmgraph.cli import main; main()"
    command = [sys.executable, "-c", program, "tune", str(recipe), "--data", str(DATA)]
    command += ["--max-trials", str(trials), "--workers", str(workers), "--out", str(out)]
    held: list[float] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "completed" in line and line.startswith("trial "):
                held.append(_held(process.pid))
    if process.returncode:
        raise RuntimeError(f"lstmgraph tune ended with {process.returncode}")
    return _read(out, held)


def _held(pid: int) -> float:
    """Of the search, and of the process that forks: not of the trials, which end."""
    search = psutil.Process(pid)
    processes = [search, *search.children()]
    return sum(process.memory_info().rss for process in processes) / 2**20


def _read(out: Path, held: list[float]) -> Searched:
    events = [json.loads(line) for line in (out / "search.jsonl").read_text("utf-8").splitlines()]
    started = [event for event in events if event["event"] == "started"]
    ended = [event for event in events if event["event"] == "ended"]
    # Neither side's imports count: the first trial's process starts when they are done.
    first = min(event["at"] - event["seconds"] for event in ended)
    moments = [first, *(event["at"] for event in ended)]
    passed = [later - earlier for earlier, later in pairwise(moments)]
    return Searched(
        [{NAMES[name]: value for name, value in event["values"].items()} for event in started],
        moments[-1] - moments[0],
        [took - event["fit_seconds"] for took, event in zip(passed, ended, strict=True)],
        held,
    )


def _by_hand(place: Path, values: list[dict[str, Any]]) -> float:
    recorded = place / "values.json"
    recorded.write_text(json.dumps(values), "utf-8")
    script = Path(__file__).with_name("search_by_hand.py")
    # -P: the folder of the script is not a place to import from.
    command = [sys.executable, "-P", str(script), str(recorded), str(place / "by_hand")]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(run.stdout.split()[-1])
