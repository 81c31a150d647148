"""What `explain --batch` estimates beside the measured peak of real steps.

``python -m benchmarks.estimates`` prints a line of JSON for each case: bytes that a row of the
batch adds to the peak of a training step and of a prediction, as measured and as estimated. Names
after it choose cases. Linux only. In this process TensorFlow gives memory back where it frees it,
so that what it would hold in reserve is not measured.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import lstmgraph

EXACT = {
    "TF_ENABLE_ONEDNN_OPTS": "0",  # with it TensorFlow keeps what it frees in a pool
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""Environment of the measured process: glibc returns larger pieces to the system at once."""
ROWS = (32, 544)
RECIPES = Path(__file__).parent.parent / "recipes"

HEAD = """
recipe: 1
name: case
inputs: {x: {shape: [time, 24]}}
training: {optimizer: adam, loss: mse, batch_size: 8, epochs: 1}
"""


@dataclass(frozen=True)
class Case:
    """Layers that read `x`, the last of them `y`; or a shipped recipe."""

    layers: str = ""
    time: int = 80
    recipe: str = ""
    runtime: str = "{}"

    def load(self) -> lstmgraph.Recipe:
        """The recipe, with a training to measure."""
        import lstmgraph

        if self.recipe:
            return lstmgraph.load(RECIPES / f"{self.recipe}.yaml")
        return lstmgraph.load(
            f"{HEAD}layers: {{{self.layers}}}\noutputs: {{y: y}}\nruntime: {self.runtime}\n"
        )


def _recurrent(layer: str, port: str = "a.sequence", time: int = 80, runtime: str = "{}") -> Case:
    layers = f"a: {{input: x, {layer}}}, y: {{type: dense, input: {port}, units: 2}}"
    return Case(layers, time, runtime=runtime)


CASES: Mapping[str, Case] = {
    "lstm": _recurrent("type: lstm, units: 48"),
    "lstm last": _recurrent("type: lstm, units: 48", "a.last"),
    "lstm masked": _recurrent("type: lstm, units: 48, mask: {value: 0.0}"),
    "lstm recurrent dropout": _recurrent("type: lstm, units: 48, recurrent_dropout: 0.2"),
    "lstm bfloat16": _recurrent("type: lstm, units: 48", runtime="{dtype_policy: mixed_bfloat16}"),
    "gru bidirectional": _recurrent(
        "type: gru, units: 40, bidirectional: true, mask: {value: 0.0}, dropout: 0.1"
    ),
    "simple_rnn": _recurrent("type: simple_rnn, units: 96"),
    "stack of three": _recurrent("type: lstm, units: [64, 32, 16]"),
    "cells": _recurrent(
        "type: rnn, cells: [{type: gru_cell, units: 48}, {type: lstm_cell, units: 32}]"
    ),
    "dense": Case(
        "a: {type: dense, input: x, units: 128, activation: tanh}, "
        "b: {type: dropout, input: a, rate: 0.2}, c: {type: layer_normalization, input: b}, "
        "y: {type: dense, input: c, units: 2}"
    ),
    "attention": Case(
        "a: {type: dense, input: x, units: 32, activation: relu}, "
        "b: {type: multi_head_attention, input: [a, a], num_heads: 4, key_dim: 16}, "
        "c: {type: add, input: [a, b]}, y: {type: dense, input: c, units: 2}",
        time=64,
    ),
    "convolution": Case(
        "a: {type: conv1d, input: x, filters: 64, kernel_size: 3, padding: same}, "
        "b: {type: batch_normalization, input: a}, c: {type: activation, input: b, "
        "activation: relu}, y: {type: dense, input: c, units: 2}"
    ),
    "store-forecaster": Case(recipe="store-forecaster", time=60),
    "speaker-classifier": Case(recipe="speaker-classifier", time=60),
    "residual-stack": Case(recipe="residual-stack", time=60),
}


def measure(case: Case) -> dict[str, dict[str, float]]:
    """Bytes that a row adds to the peak: measured and estimated, in training and inference."""
    recipe = case.load()
    model = recipe.build()
    kinds: dict[str, Callable[[Any, Any], Any]] = {
        "inference": lambda x, _: model.predict_on_batch(x),
        "training": model.train_on_batch,
    }
    found = {}
    sparse = "sparse" in str(recipe.training)
    estimates = [recipe.explain(batch=rows, time=case.time).memory.as_dict() for rows in ROWS]
    for kind, run in kinds.items():
        if estimates[0][kind] is None:
            continue
        for rows in (2, 3):  # traced with two sizes, it is traced for any
            run(*_batch(model, rows, case.time, sparse=sparse))
        peaks = [_peak(run, *_batch(model, rows, case.time, sparse=sparse)) for rows in ROWS]
        added = ROWS[1] - ROWS[0]
        found[kind] = {
            "measured": (peaks[1] - peaks[0]) / added,
            "estimated": (estimates[1][kind]["total"] - estimates[0][kind]["total"]) / added,
        }
    return found


def _batch(
    model: Any, rows: int, time: int, *, sparse: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Whole rows of numbers; lengths that count every step; targets that fit the outputs."""
    import numpy as np

    random = np.random.default_rng(0)

    def array(tensor: Any, *, ids: bool) -> Any:
        shape = (rows, *(size or time for size in tensor.shape[1:]))
        if "int" in tensor.dtype:
            return np.full(shape, time if ids else 0, tensor.dtype)
        return random.normal(size=shape).astype(tensor.dtype)

    inputs = {name: array(tensor, ids=True) for name, tensor in model.input.items()}
    targets = {name: array(tensor, ids=False) for name, tensor in model.output.items()}
    if sparse:
        targets = {name: np.zeros(y.shape[:-1], "int32") for name, y in targets.items()}
    return inputs, targets


def _peak(run: Callable[[Any, Any], Any], inputs: Any, targets: Any) -> int:
    """The most bytes that were resident while `run` ran."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew; see proc(5)
    run(inputs, targets)
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Measure the cases that are named, or all, in a process with the environment for it."""
    if any(os.environ.get(key) != value for key, value in EXACT.items()):
        command = [sys.executable, "-m", "benchmarks.estimates", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **EXACT})
    for name in sys.argv[1:] or CASES:
        print(json.dumps({"case": name, **measure(CASES[name])}), flush=True)


if __name__ == "__main__":
    main()
