"""Checking recipes in one process, in processor time: a busy machine then counts for little."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING

import lstmgraph
from benchmarks.by_recipe import chain_text
from benchmarks.timing import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.options import Options

PART = "validate"
RECIPES = Path(__file__).parent.parent / "recipes"
FILES = 200
MOST_SECONDS = 0.010
"""For one of `FILES` recipes, the mean."""
LAYERS = (500, 1000, 2000, 4000)
LARGE, LARGE_SECONDS = 2000, 3.0
"""A recipe of so many layers is checked in so many seconds."""


def measure(options: Options) -> Iterator[Figure]:
    """Seconds of many recipes against the aim; of large ones, and how they grow."""
    paths = sorted(RECIPES.glob("*.yaml"))
    many = [paths[index % len(paths)] for index in range(FILES)]
    for path in paths:  # the schemas are read once
        lstmgraph.load(path)
    spent = _spent(options, lambda: [lstmgraph.load(path) for path in many])
    each = tuple(seconds / FILES for seconds in spent)
    yield _figure(f"one of {FILES} recipes", "10 ms", each, MOST_SECONDS)
    large = {depth: _large(options, depth) for depth in LAYERS}
    yield _figure(f"{LARGE} layers", "3 s", large[LARGE], LARGE_SECONDS)
    few, most = LAYERS[0], LAYERS[-1]
    yield Figure(
        PART,
        f"one of {most} layers",
        f"one of {few} layers",
        tuple(seconds / most for seconds in large[most]),
        tuple(seconds / few for seconds in large[few]),
        aim=2.0,
    )


def _figure(case: str, against: str, ours: tuple[float, ...], aim: float) -> Figure:
    return Figure(PART, case, against, ours, (aim,) * len(ours), aim=1.0)


def _large(options: Options, depth: int) -> tuple[float, ...]:
    text = chain_text(depth)
    return _spent(options, lambda: lstmgraph.load(text))


def _spent(options: Options, run: Callable[[], object]) -> tuple[float, ...]:
    """Seconds of processor time of each repeat, beside one that does not count."""
    times = []
    for _ in range(options.repeats + 1):
        gc.collect()
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return tuple(times[1:])
