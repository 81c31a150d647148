"""The names and directions of an epoch's numbers, known without Keras, are those of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import load

from lstmgraph.compiler.checks.metric_names import LARGE_IS_GOOD, WITHOUT_DIRECTION, logged_names
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.models.building import forecasting
from lstmgraph.resources import KERAS_SCHEMA, read_schema

NEEDED = {
    "IoU": {"num_classes": 2, "target_class_ids": [0]},
    "MeanIoU": {"num_classes": 2},
    "OneHotIoU": {"num_classes": 2, "target_class_ids": [0]},
    "OneHotMeanIoU": {"num_classes": 2},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
}
WORDS = read_schema(KERAS_SCHEMA)["x-names"]["metric"]
METRICS = sorted({named_class("metric", word) for word in WORDS} - forecasting.METRICS.keys())


@pytest.mark.parametrize("name", METRICS)
def test_keras_says_the_same_of_what_is_good(name: str) -> None:
    metric = getattr(keras.metrics, name)(**NEEDED.get(name, {}))
    wanted = {"up": "max", "down": "min", None: None}[getattr(metric, "_direction", None)]
    ours = None if name in WITHOUT_DIRECTION else "max" if name in LARGE_IS_GOOD else "min"
    assert ours == wanted


ONE = ("", "{a: a}")
TWO = ("b: {type: dense, input: reader, units: 1, activation: sigmoid}", "{a: a, b: b}")


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("layers", "outputs", "training"),
    [
        (*ONE, "{loss: mse}"),
        (*ONE, "{loss: mse, metrics: [mae, MSE, accuracy, AUC, {type: auc}, {type: precision}]}"),
        (*ONE, "{loss: mse, metrics: [{type: auc, name: p}, {type: mae}, {type: r2_score}]}"),
        (*ONE, "{loss: {a: mse}, metrics: {a: [mae, mae, mae]}}"),
        (*TWO, "{loss: mse}"),
        (*TWO, "{loss: mse, metrics: [auc, {type: auc}, {type: binary_io_u}]}"),
        (*TWO, "{loss: {b: mse, a: mae}, metrics: {b: [mae]}}"),
    ],
)
def test_keras_gives_these_names(layers: str, outputs: str, training: str) -> None:
    """Twice in a process: Keras would count ``auc`` and ``auc_1`` over all models."""
    declared = load(f"""
inputs: {{x: {{shape: [2, 3]}}}}
layers:
  reader: {{type: flatten, input: x}}
  a: {{type: dense, input: reader, units: 1, activation: sigmoid}}
  {layers}
outputs: {outputs}
training: {training}
""")
    for _ in range(2):
        model = declared.build()
        names = list(model.output)
        wanted = {name: np.zeros((4, 1), "float32") for name in names}
        found = model.train_on_batch(
            {"x": np.zeros((4, 2, 3), "float32")}, wanted, return_dict=True
        )
        section = declared.compiled.declaration.training
        assert set(logged_names(section, names)) == set(found)
