"""Small recipes and data for tests of training, and what two trainings must have in common."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from building import with_header

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

ROWS, STEPS, FEATURES = 37, 5, 3

TEXT = """
inputs: {x: {shape: [5, 3]}}
layers:
  row: {type: flatten, input: x}
  thinned_row: {type: dropout, input: row, rate: 0.3}
  hidden: {type: dense, input: thinned_row, units: 6, activation: tanh}
  thinned: {type: dropout, input: hidden, rate: 0.4}
  y: {type: dense, input: thinned, units: 2}
outputs: {y: y}
runtime: {seed: 5}
training:
  loss: mse
  metrics: [mae]
  batch_size: 8
  epochs: 8
"""
"""Without a loop, which takes seconds to trace; dropout has a random state to go on with."""

STOPPING = {
    "early_stopping": {"patience": 2, "restore_best_weights": True},
    "reduce_lr_on_plateau": {"patience": 1, "factor": 0.5, "monitor": "val_mae"},
    "checkpoint": {"monitor": "val_mae"},
}
SCHEDULE = {
    "type": "adam",
    "learning_rate": {
        "type": "exponential_decay",
        "initial_learning_rate": 0.05,
        "decay_steps": 7,
        "decay_rate": 0.8,
    },
    "use_ema": True,
}
CARRIED = """
inputs: {x: {shape: [5, 3]}}
layers:
  reader: {type: lstm, input: x, units: 6, dropout: 0.3, initial_state: carried}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
runtime: {seed: 5, batch_size: 6}
training: {loss: mse, epochs: 6, callbacks: {checkpoint: {monitor: loss}}}
"""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "stopping": (
        TEXT,
        {
            "training.callbacks": STOPPING,
            "training.optimizer": {"type": "adam", "learning_rate": 0.5},
        },
    ),
    "schedule": (TEXT, {"training.optimizer": SCHEDULE}),
    "unshuffled": (TEXT, {"training.shuffle": False}),
    "carried": (CARRIED, {}),
}
"""By name, a recipe and what is put into it."""


def recipe(case: str = "unshuffled", **overrides: Any) -> lstmgraph.Recipe:
    text, values = CASES[case]
    return lstmgraph.load(with_header(text, "small"), overrides={**values, **overrides})


def arrays(rows: int = ROWS, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs, and targets that are mostly noise, so that training stagnates."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, STEPS, FEATURES)).astype("float32")
    noise = random.normal(size=(rows, 2)).astype("float32")
    return {"x": x}, {"y": 0.3 * x[:, -1, :2] + noise}


def train_small(case: str, folder: str, **options: Any) -> Any:
    """Overrides of the recipe are the options with a dot in their names."""
    overrides = {name: options.pop(name) for name in [*options] if "." in name}
    small = recipe(case, **overrides)
    return small.train(arrays(), validation=arrays(13, seed=1), folder=folder, **options)


def numbers(folder: Path) -> dict[str, Any]:
    """Everything that must be the same, however often the training was killed."""
    with (folder / "history.csv").open() as file:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    found: dict[str, Any] = {"rows": rows, "results": (folder / "results.json").read_text()}
    for name in ("small", "best", "checkpoint"):
        path = folder / f"{name}.keras"
        if path.exists():
            model = keras.models.load_model(path)
            found[name] = [w.tobytes() for w in model.get_weights()]
            found[f"{name} optimizer"] = [
                np.asarray(v).tobytes() for v in model.optimizer.variables
            ]
    return found
