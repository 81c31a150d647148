"""What a training and a search watch is computed over the counted steps alone, and they say which.

The data is made so that the same number over all steps, padded ones too, chooses another epoch and
another trial. Every number that is compared with is NumPy's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import with_header

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("forked_servers"),
]

STEPS, COUNTED, ROWS = 20, 5, 8
RECIPE = """
inputs: {x: {shape: [20, 1]}}
layers:
  kept: {type: masking, input: x, mask_value: -9.0}
  score:
    type: dense
    input: kept
    units: 1
    activation: sigmoid
    kernel_initializer: ones
    bias_initializer: {type: constant, value: -0.5}
outputs: {score: score}
runtime: {seed: 3}
training: {loss: mse, metrics: [precision, recall], batch_size: 8, epochs: 12, shuffle: false}
"""


def examples() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Four kinds of counted steps, five in each row of 20; padded targets are 0."""
    steps = np.repeat([-0.3, 0.7, 0.6, -1.0], [24, 2, 4, 10])
    answers = np.repeat([1.0, 1.0, 0.0, 0.0], [24, 2, 4, 10])
    x, y = np.full((ROWS, STEPS, 1), -9.0), np.zeros((ROWS, STEPS, 1))
    x[:, :COUNTED, 0], y[:, :COUNTED, 0] = steps.reshape(ROWS, -1), answers.reshape(ROWS, -1)
    return {"x": x.astype("float32")}, {"score": y.astype("float32")}


def precisions(scores: np.ndarray) -> tuple[float, float]:
    """The precision over the counted steps, and over all; `scores` is (batch, time, 1)."""
    answers = examples()[1]["score"]
    found = []
    for steps in (COUNTED, STEPS):
        chosen = scores[:, :steps] > 0.5
        found.append(float((chosen & (answers[:, :steps] > 0)).sum() / max(chosen.sum(), 1)))
    return found[0], found[1]


def best_epoch(values: list[float]) -> int:
    return int(np.argmax(values)) + 1


def stopped_after(values: list[float], patience: int) -> int | None:
    """The epoch after which Keras's early stopping ends a training; None where it does not."""
    for epoch in range(1, len(values) + 1):
        if epoch - best_epoch(values[:epoch]) >= patience:
            return epoch
    return None


def rates(values: list[float], rate: float) -> list[float]:
    """The rate of each epoch, where it is halved after every epoch without gain."""
    found, best = [], -np.inf
    for value in values:
        found.append(rate)
        rate, best = (rate, value) if value > best + 1e-4 else (rate / 2, best)
    return found


class Predicting(keras.callbacks.Callback):
    """Keeps both precisions of each epoch's predictions."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: list[float] = []
        self.padded: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes them
        counted, padded = precisions(np.array(self.model(examples()[0])["score"]))
        self.counted.append(counted)
        self.padded.append(padded)


def train(folder: Path, callbacks: dict[str, Any], *own: keras.callbacks.Callback) -> Any:
    optimizer = {"type": "sgd", "learning_rate": 3.0}
    values = {"training.callbacks": callbacks, "training.optimizer": optimizer}
    recipe = lstmgraph.load(with_header(RECIPE), overrides=values)
    both = {"validation": examples(), "test": examples()}
    return recipe.train(examples(), folder=folder, callbacks=own, **both)


@pytest.mark.slow
def test_callbacks_watch_the_counted_steps(tmp_path: Path) -> None:
    monitor, seen = "val_precision", Predicting()
    callbacks = {
        "early_stopping": {"monitor": monitor, "patience": 3},
        "reduce_lr_on_plateau": {"monitor": monitor, "patience": 1, "factor": 0.5},
        "checkpoint": {"monitor": monitor},
    }
    result = train(tmp_path, callbacks, seen)
    counted, padded = seen.counted, seen.padded
    assert result.history[monitor] == pytest.approx(counted, abs=1e-6)
    assert result.epochs == stopped_after(counted, 3) != stopped_after(padded, 3)
    found = result.history["learning_rate"]
    assert found == rates(counted, 3.0) != rates(padded, 3.0)
    assert result.best_epoch == best_epoch(counted) != best_epoch(padded)
    best = lstmgraph.load_model(tmp_path / "best.keras")
    assert precisions(np.array(best(examples()[0])["score"]))[0] == max(counted)


@pytest.mark.slow
def test_a_training_says_which_epoch_each_file_has(tmp_path: Path) -> None:
    """Early stopping restores another epoch than the checkpoint keeps; both are tested."""
    callbacks = {
        "early_stopping": {"monitor": "val_loss", "restore_best_weights": True, "patience": 20},
        "checkpoint": {"monitor": "val_recall"},
    }
    result = train(tmp_path, callbacks)
    history = result.history
    kept, last = 1 + int(np.argmax(history["val_recall"])), 1 + int(np.argmin(history["val_loss"]))
    assert kept < last
    assert (result.monitor, result.best_epoch, result.model_epoch) == ("val_loss", last, last)
    assert (result.best_model.monitor, result.best_model.epoch) == ("val_recall", kept)
    for part in ("validation", "test"):
        for epoch, metrics in ((last, result.metrics), (kept, result.best_model.metrics)):
            wanted = {name: history[f"val_{name}"][epoch - 1] for name in metrics[part]}
            assert metrics[part] == pytest.approx(wanted, abs=1e-6)
    # The model has its own weights again, in memory and in its file.
    x, y = examples()
    loss = history["val_loss"][last - 1]
    for model in (result.model, lstmgraph.load_model(tmp_path / "inline.keras")):
        scores = np.array(model(x)["score"])[:, :COUNTED]
        assert np.mean((scores - y["score"][:, :COUNTED]) ** 2) == pytest.approx(loss, abs=1e-6)
    lines = str(result).splitlines()
    assert lines[1].startswith(f"best epoch {last} of 12, by val_loss: ")
    assert lines[3].startswith(f"saved model, with the weights of epoch {last}, on test data: ")
    which = f"best.keras, with the weights of epoch {kept}, the best by val_recall"
    assert lines[5].startswith(f"{which}, on test data: loss ")
    written = json.loads((tmp_path / "results.json").read_text())
    assert (written["best_epoch"], written["monitor"]) == (last, "val_loss")
    best = written["best_model"]
    assert (best["epoch"], best["monitor"]) == (kept, "val_recall")
    seconds = np.loadtxt(tmp_path / "history.csv", delimiter=",", skiprows=1)[:, -1]
    assert result.seconds == pytest.approx(seconds.sum(), abs=2e-3)


@pytest.mark.slow
def test_a_search_finds_another_trial_than_with_padded_steps(tmp_path: Path) -> None:
    """Nothing is learned, so that NumPy knows the scores of both trials."""
    biases = [-0.5, 0.5]
    values = {
        "layers.score.bias_initializer.value": {"$search": {"choice": biases}},
        "training.optimizer": {"type": "sgd", "learning_rate": 1e-30},
        "training.epochs": 1,
        "search": {"oracle": {"type": "grid"}, "objective": {"metric": "val_precision"}},
    }
    recipe = lstmgraph.load(with_header(RECIPE), overrides=values)
    result = recipe.tune(
        examples(), validation=examples(), test=examples(), folder=tmp_path / "out", workers=2
    )
    inputs = np.where(examples()[0]["x"] == -9.0, 0.0, examples()[0]["x"])
    both = [precisions(1 / (1 + np.exp(-(inputs + bias)))) for bias in biases]
    found = {trial.number: trial.metrics["val_precision"] for trial in result.results.trials}
    assert sorted(found.values()) == pytest.approx(sorted(counted for counted, _ in both), abs=1e-6)
    wanted, padded = (biases[int(np.argmax([pair[n] for pair in both]))] for n in (0, 1))
    assert result.best is not None
    assert result.best.values["layers.score.bias_initializer.value"] == wanted != padded
    # The headline of the report is the number that was searched for, on the test data.
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    value = f"{max(counted for counted, _ in both):.6g}"
    assert f"<b>{value}</b><span>precision of the best model on the test data" in report
    assert next(iter(result.test)) == "precision"
