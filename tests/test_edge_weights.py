"""Weights of two outputs, and rows of different lengths, from the file to the loss of Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lstmgraph

EDGES = Path(__file__).parent / "recipes" / "edges"
LENGTHS = np.array([4, 2, 1, 3])
COUNTED = np.arange(4) < LENGTHS[:, None]


def steps() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=(length, 3)).astype("float32") for length in LENGTHS]


def padded() -> np.ndarray:
    rows = np.zeros((4, 4, 3), "float32")
    rows[COUNTED] = np.concatenate(steps())
    return rows


@pytest.mark.slow
def test_weights_of_two_outputs() -> None:
    """Each loss is the sum of its weighted errors over the number of counted rows or steps."""
    found = lstmgraph.load(
        EDGES / "weights-of-two-outputs.yaml", overrides={"data.split.validation": 0}
    )
    random = np.random.default_rng(1)
    x = {"x": padded(), "lengths": LENGTHS}
    y = {"a": random.normal(size=4), "b": random.normal(size=(4, 4))}
    weights = {"a": np.array([1.0, 0.0, 3.0, 0.5]), "b": random.random((4, 4))}
    model = found.build()
    outputs = {name: each[..., 0] for name, each in model.predict(x, verbose=0).items()}
    errors = {"a": (outputs["a"] - y["a"]) ** 2, "b": np.abs(outputs["b"] - y["b"])}
    a = (errors["a"] * weights["a"]).sum() / 4
    b = (errors["b"] * weights["b"] * COUNTED).sum() / COUNTED.sum()
    data = found.load_data((x, y, weights)).train.as_keras(4)
    numbers = model.evaluate(data.dataset, verbose=0, return_dict=True)
    assert numbers == {
        "a_loss": pytest.approx(a, rel=1e-5),
        "b_loss": pytest.approx(b, rel=1e-5),
        "loss": pytest.approx(a + b, rel=1e-5),
    }


@pytest.mark.slow
def test_rows_of_different_lengths() -> None:
    """They give the numbers of rows that are padded by hand, however much."""
    found = lstmgraph.load(EDGES / "ragged-data.yaml", overrides={"data.split.validation": 0})
    model = found.build()
    targets = np.arange(4.0)
    wide = np.pad(padded(), ((0, 0), (0, 3), (0, 0)), constant_values=9.0)
    output = model.predict({"x": wide, "lengths": LENGTHS}, verbose=0)["y"][:, 0]
    wanted = np.mean((output.astype("float64") - targets) ** 2)
    ragged = found.load_data(({"x": steps()}, {"y": targets})).train.as_keras(4)
    assert model.evaluate(ragged.dataset, verbose=0) == pytest.approx(wanted, rel=1e-5)
