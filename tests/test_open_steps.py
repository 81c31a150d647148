"""`time_distributed` over a named number of steps: as many as the data has, in a traced model too.

Keras 3.15 computes as many steps as there are rows there (docs/why.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from building import load, randomise

if TYPE_CHECKING:
    from pathlib import Path

SIZES = (3, 5, 7, 4)
BATCHES = [(5, 3), (5, 5), (2, 7), (2, 4)]
"""Rows and steps: more rows than steps, as many, and fewer."""

LAYERS = """
inputs:
  x: {shape: [steps, 6, 3]}
  ids: {shape: [steps, characters], dtype: int32}
layers:
  conv: {type: time_distributed, input: x, layer: {type: conv1d, filters: 2, kernel_size: 3}}
  pool: {type: time_distributed, input: conv, layer: {type: max_pooling1d, pool_size: 2}}
  norm: {type: time_distributed, input: x, layer: {type: layer_normalization}}
  flat: {type: time_distributed, input: x, layer: {type: flatten}}
  dense: {type: time_distributed, input: flat, layer: {type: dense, units: 4}}
  mean: {type: time_distributed, input: x, layer: {type: global_average_pooling1d}}
  soft: {type: time_distributed, input: x, layer: {type: softmax, axis: 1}}
  embedded:
    type: time_distributed
    input: ids
    layer: {type: embedding, input_dim: 9, output_dim: 3}
  wide: {type: time_distributed, input: embedded, layer: {type: conv1d, filters: 2, kernel_size: 2}}
  both:
    type: time_distributed
    input: embedded
    layer: {type: time_distributed, layer: {type: dense, units: 2}}
outputs:
  {conv: conv, pool: pool, norm: norm, flat: flat, dense: dense, mean: mean, soft: soft,
   embedded: embedded, wide: wide, both: both}
"""
FROM = {"pool": "conv", "dense": "flat", "embedded": "ids", "wide": "embedded", "both": "embedded"}

MASKED = """
inputs: {x: {shape: [steps, 4, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  image: {type: conv2d, input: x, filters: 2, kernel_size: 1, mask: {lengths: lengths}}
  rows: {type: time_distributed, input: x, mask: {lengths: lengths}, layer: {type: dense, units: 2}}
  lstm:
    type: conv_lstm1d
    input: x
    filters: 2
    kernel_size: 1
    mask: {lengths: lengths}
    return_sequences: true
  all: {type: add, input: [lstm, rows]}
  sum: {type: add, input: [image, rows]}
  flat: {type: time_distributed, input: sum, layer: {type: flatten}}
  y: {type: dense, input: flat, units: 1}
outputs: {rows: rows, sum: sum, y: y, all: all}
training:
  loss: {rows: mse, sum: mse, y: mse, all: mse}
  optimizer: {type: sgd, learning_rate: 1.0e-12}
"""


TRACED = """
inputs: {x: {shape: [steps, 6, 3]}}
layers: {y: {type: time_distributed, input: x, layer: {type: conv1d, filters: 2, kernel_size: 3}}}
outputs: {y: y}
"""


def steps_of(rows: int, steps: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(rows * steps)
    return {
        "x": random.normal(size=(rows, steps, 6, 3)).astype("float32"),
        "ids": random.integers(0, 9, (rows, steps, steps + 1)).astype("int32"),
    }


def folded(layer: Any, values: np.ndarray) -> np.ndarray:
    """The layer inside, on the steps as rows."""
    result = values
    axes = 1
    while isinstance(layer, keras.layers.TimeDistributed):
        layer, axes = layer.layer, axes + 1
    result = np.array(layer(values.reshape(-1, *values.shape[axes:])))
    return result.reshape(*values.shape[:axes], *result.shape[1:])


@pytest.mark.slow
def test_every_number_of_steps_is_computed() -> None:
    model = load(LAYERS).build()
    randomise(model)
    for rows, steps in BATCHES:
        given = steps_of(rows, steps)
        found = model.predict(given, verbose=0)
        for name, result in found.items():
            source = FROM.get(name, "x")
            wanted = folded(model.get_layer(name), found.get(source, given.get(source)))
            where = f"{name} of {rows} rows, {steps} steps"
            np.testing.assert_allclose(result, wanted, atol=1e-5, err_msg=where)


@pytest.mark.slow
def test_masks_go_with_every_number_of_steps() -> None:
    """The loss of each counted step, whose outputs are those of the layers without a mask."""
    model = load(MASKED).build()
    randomise(model)
    weights = {name: model.get_layer(name).get_weights() for name in ("image", "rows", "y")}
    for rows, steps in BATCHES:
        x = np.random.default_rng(steps).normal(size=(rows, steps, 4, 3)).astype("float32")
        lengths = np.arange(rows, dtype="int32") % steps + 1
        counted = np.arange(steps) < lengths[:, None]
        x[~counted] = np.nan
        dense = x @ weights["rows"][0] + weights["rows"][1]
        image = x @ weights["image"][0][0, 0] + weights["image"][1]
        flat = (image + dense).reshape(rows, steps, 8)
        wanted = {"rows": dense, "sum": image + dense, "y": flat @ weights["y"][0]}
        wanted["y"] += weights["y"][1]
        wanted["all"] = dense + np.array(model.get_layer("lstm")(np.nan_to_num(x)))
        given = {"x": x, "lengths": lengths}
        targets = {name: np.zeros_like(value) for name, value in wanted.items()}
        found = model.predict(given, verbose=0)
        model.reset_metrics()
        losses = model.train_on_batch(given, targets, return_dict=True)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name][counted], value[counted], atol=1e-4)
            mean = (value[counted] ** 2).mean()
            assert losses[f"{name}_loss"] == pytest.approx(mean, rel=1e-3), (rows, steps, name)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow traces it")
def test_a_saved_model_takes_every_number_of_steps(tmp_path: Path) -> None:
    recipe = load(TRACED)
    model = recipe.build()
    recipe.export(model, tmp_path, format="saved_model")
    (path,) = tmp_path.glob("*.saved_model")
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    for steps in SIZES:
        x = steps_of(2, steps)["x"]
        wanted = folded(model.get_layer("y"), x)
        np.testing.assert_allclose(served(x=tf.constant(x))["y"], wanted, atol=1e-6)
