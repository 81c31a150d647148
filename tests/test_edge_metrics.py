"""Recipes under recipes/edges whose metrics or losses Keras alone gets wrong: right, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import step_numbers
from building import LENGTHS, STEPS

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGES = Path(__file__).parent / "recipes" / "edges"
COUNTED = np.arange(STEPS) < LENGTHS[:, None]
ROWS = len(LENGTHS)


def fed() -> dict[str, np.ndarray]:
    x = np.random.default_rng(3).normal(size=(ROWS, STEPS, 3)).astype("float32")
    return {"x": np.where(COUNTED[..., None], x, np.nan), "lengths": LENGTHS}


def evaluated(name: str, target: np.ndarray) -> tuple[Mapping[str, float], np.ndarray]:
    """What `evaluate` gives, and the predictions in float64."""
    model = lstmgraph.load(EDGES / name).build()
    found = model.evaluate(fed(), {"y": target}, batch_size=ROWS, verbose=0, return_dict=True)
    return found, model.predict(fed(), verbose=0)["y"].astype("float64")


@pytest.mark.slow
def test_metrics_of_masked_steps() -> None:
    target = np.random.default_rng(4).integers(0, 2, (ROWS, STEPS, 1)).astype("float64")
    found, out = evaluated("metric-ignores-mask.yaml", target)
    one_by_one = np.ones(COUNTED.sum())
    named = {
        "binary_accuracy": "BinaryAccuracy",
        "mae": "MeanAbsoluteError",
        "root_mean_squared_error": "RootMeanSquaredError",
        "auc": "AUC",
        "recall": "Recall",
        "false_negatives": "FalseNegatives",
        "true_negatives": "TrueNegatives",
    }
    assert found.keys() == {"loss", *named}
    for name, metric in named.items():
        wanted = step_numbers.METRICS[metric](target[COUNTED], out[COUNTED], one_by_one)
        np.testing.assert_allclose(found[name], np.squeeze(wanted), rtol=1e-5, err_msg=name)


@pytest.mark.slow
def test_ctc_of_masked_steps() -> None:
    labels = np.array([[1, 2, 5], [3, 0, 0], [4, 4, 0], [1, 0, 0], [2, 2, 2]])
    found, out = evaluated("ctc-masked.yaml", labels)
    rows = [
        step_numbers.ctc(out[row, : LENGTHS[row]], [label for label in labels[row] if label])
        for row in range(ROWS)
        if LENGTHS[row]
    ]
    np.testing.assert_allclose(found["loss"], np.mean(rows), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "codes", "metrics"),
    [
        ("correlation-of-one-number.yaml", ["L786", "L786"], ["r2_score"]),
        ("f1-of-sparse-targets.yaml", ["L785"], ["accuracy"]),
    ],
)
def test_metrics_that_cannot_be(name: str, codes: list[str], metrics: list[str]) -> None:
    """The hint's metric is computed."""
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(EDGES / name)
    assert [found.code for found in caught.value.diagnostics] == codes
    assert all(metrics[0] in (found.hint or "") for found in caught.value.diagnostics)
    model = lstmgraph.load(EDGES / name, overrides={"training.metrics": metrics}).build()
    x = fed()["x"][:3]
    found = model.evaluate({"x": np.nan_to_num(x)}, {"y": np.array([0.0, 1.0, 2.0])}, verbose=0)
    assert np.isfinite(found).all()
