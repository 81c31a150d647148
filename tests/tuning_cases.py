"""A small searched recipe, its data, and the command run in a process that can be killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.tuning.search.trial import Trial

TEXT = """\
recipe: 1
name: small
inputs: {x: {shape: [time, 3]}}
layers:
  reader:
    type: lstm
    input: x
    depth: {$search: {int: [1, 2]}}
    units: {$search: {int: [2, 5], per_layer: true}}
    dropout: {$search: {float: [0.0, 0.4], step: 0.2}}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
runtime: {seed: 5}
training:
  loss: mse
  metrics: [mae]
  optimizer: {type: adam, learning_rate: {$search: {choice: [1e-2, 3e-2, 1e30]}}}
  batch_size: 8
  epochs: 3
  callbacks: {early_stopping: {patience: 1}}
search: {seed: 4}
"""
"""A learning rate of 1e30 makes the loss infinite: that trial fails."""


QUICK = """\
recipe: 1
name: quick
inputs: {x: {shape: [4, 3]}}
layers:
  row: {type: flatten, input: x}
  thinned: {type: dropout, input: row, rate: {$search: {float: [0.1, 0.5]}}}
  y: {type: dense, input: thinned, units: 2}
outputs: {y: y}
runtime: {seed: 5}
training: {loss: mse, batch_size: 8, epochs: 2, optimizer: {type: adam, learning_rate: 0.01}}
search: {seed: 4}
"""
"""Without a loop, which takes a second to trace; dropout has a random state to go on with."""


def arrays(rows: int = 40, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and targets by name."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4, 3)).astype("float32")
    noise = random.normal(size=(rows, 2)).astype("float32")
    return {"x": x}, {"y": 0.5 * x[:, -1, :2] + 0.3 * noise}


def write_files(folder: Path) -> tuple[Path, Path]:
    """A recipe, and an archive with data to train and to test on."""
    recipe, data = folder / "small.yaml", folder / "data.npz"
    recipe.write_text(TEXT, "utf-8")
    named = {}
    for part, (inputs, targets) in {"train": arrays(), "test": arrays(12, seed=1)}.items():
        named |= {f"{part}_{name}": array for name, array in {**inputs, **targets}.items()}
    np.savez(data, **named)
    return recipe, data


def command(trial: Trial) -> None:
    """The command line in ``trial.spec.job``, in a process that has TensorFlow already."""
    from lstmgraph.cli import app  # noqa: PLC0415 - imported once, by the server

    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a process of its own
    os._exit(app(trial.spec.job["command"], standalone_mode=False) or 0)
