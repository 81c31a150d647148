"""Time a training step on Keras's loop, on it with XLA, and on the fused loop with XLA.

``python -m benchmarks.kernels [lstm|gru] [plain|masked]`` prints the medians of alternating rounds,
in milliseconds, and as ratios to Keras's loop; with ``--memory SETTING`` what building a model and
two steps of it add to the peak memory of the process. With ``--rows 1`` that is the program, most
of it what XLA has compiled; what more rows add is the memory of a step. With ``--compile`` the
first step of each, which traces and compiles: by it and the medians, ``fitting.py`` decides.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from lstmgraph.models.kernels import install

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = ((32, 60, 4), (64, 30, 8), (128, 100, 32))
SETTINGS = {"keras": (False, False), "keras xla": (False, True), "fused xla": (True, True)}
ROUNDS = 7
ROUND_SECONDS = 0.05


def model_of(
    kind: str, size: tuple[int, int, int], depth: int, setting: str, *, masked: bool
) -> keras.Model:
    """Return a compiled model as it is written by hand, with the fused loop where asked for."""
    units, steps, features = size
    fused, xla = SETTINGS[setting]
    keras.utils.set_random_seed(1)
    tensor = frames = keras.Input((steps, features))
    mask = keras.Input((steps,), dtype="bool") if masked else None
    for number in range(depth):
        layer = getattr(keras.layers, kind.upper())(
            units, return_sequences=number < depth - 1, use_cudnn=False if xla else "auto"
        )
        if fused:
            install(layer)
        tensor = layer(tensor, mask=mask)
    inputs = [frames, mask] if masked else [frames]
    model = keras.Model(inputs, keras.layers.Dense(1)(tensor))
    model.compile("adam", "mse", jit_compile=xla)
    return model


def stepper(model: keras.Model, size: tuple[int, int, int], rows: int) -> Callable[[], Any]:
    """Return what runs one training step, compiled already."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, size[1] + 1, rows)
    lengths[0] = size[1]
    inputs = [
        tf.constant(generator.normal(size=(rows, *size[1:])), tf.float32),
        tf.constant(np.arange(size[1]) < lengths[:, None]),
    ][: len(model.inputs)]
    targets = tf.constant(generator.normal(size=(rows, 1)), tf.float32)
    batches = iter(tf.data.Dataset.from_tensors((tuple(inputs), targets)).repeat())
    model.make_train_function()

    def run() -> Any:
        return model.train_function(batches)["loss"].numpy()

    return run


def main() -> None:
    """Print one row for each size, depth and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="?", default="lstm", choices=["lstm", "gru"])
    parser.add_argument("mask", nargs="?", default="plain", choices=["plain", "masked"])
    parser.add_argument("--memory", choices=list(SETTINGS))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="*", default=range(len(SIZES)))
    parser.add_argument("--depths", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 16, 32, 64, 256])
    given = parser.parse_args()
    made = partial(model_of, given.kind, masked=given.mask == "masked")
    if given.memory:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = given.rows[-1]
        run = stepper(made(SIZES[-1], 2, given.memory), SIZES[-1], rows)
        run()
        run()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        grown = (after - before) / 1024
        print(f"{given.kind} {given.mask} {given.memory}, {rows} rows: {grown:.0f} MiB")
        return
    for size in (SIZES[number] for number in given.sizes):
        for depth in given.depths:
            for rows in given.rows:
                runs = {name: stepper(made(size, depth, name), size, rows) for name in SETTINGS}
                first = {name: _seconds(run) for name, run in runs.items()}
                print(given.kind, given.mask, size, depth, rows, _measured(runs), flush=True)
                if given.compile:
                    print(
                        "first step:", ", ".join(f"{name} {s:.2f} s" for name, s in first.items())
                    )


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _measured(runs: dict[str, Callable[[], Any]]) -> str:
    times: dict[str, list[float]] = {name: [] for name in runs}
    count = max(1, int(ROUND_SECONDS / _seconds(runs["keras"])))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(count):
                run()
            times[name].append(1000 * (time.perf_counter() - start) / count)
    found = {name: statistics.median(values) for name, values in times.items()}
    return ", ".join(f"{name} {ms:.2f} ({ms / found['keras']:.2f})" for name, ms in found.items())


if __name__ == "__main__":
    main()
