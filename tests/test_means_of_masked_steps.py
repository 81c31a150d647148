"""Layers that take one number of all steps leave padded ones out, or are refused with a way.

The numbers are NumPy's, of each row without its padding.
"""

from __future__ import annotations

import numpy as np
import pytest
from building import build, load, outputs_of, randomise

import lstmgraph

LENGTHS = np.array([6, 3, 1, 0], "int32")
COUNTED = np.arange(6) < LENGTHS[:, None]
X = np.random.default_rng(1).normal(size=(4, 6, 4, 2)).astype("float32")
REGULARIZED = """
inputs: {x: {shape: [time, 2, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  first: {type: conv2d, input: x, filters: 2, kernel_size: [1, 2], mask: {lengths: lengths}}
  film: {type: activity_regularization, input: first, l1: 0.1}
  flat: {type: time_distributed, input: film, layer: {type: flatten}}
  dense: {type: dense, input: flat, units: 3}
  small: {type: activity_regularization, input: dense, l2: 0.5}
  reader: {type: gru, input: small, units: 2, return_sequences: true, activity_regularizer: l1}
outputs: {small: small, film: film, reader: reader}
training: {loss: {reader: mse}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("padding", [0.0, 7.0, np.nan])
def test_activity_of_padded_steps_costs_nothing(padding: float) -> None:
    """Keras adds up the outputs of all steps, and divides by the rows."""
    model = build(REGULARIZED)
    randomise(model)
    model.run_eagerly = True
    x = np.random.default_rng(0).normal(size=(4, 6, 2, 3)).astype("float32")
    x[~COUNTED] = padding
    data = {"x": x, "lengths": LENGTHS}
    outputs = outputs_of(model, data).items()
    found = {name: array[COUNTED].astype("float64") for name, array in outputs}
    costs = 0.1 * np.abs(found["film"]).sum() + 0.5 * (found["small"] ** 2).sum()
    costs += 0.01 * np.abs(found["reader"]).sum()
    y = np.ones((4, 6, 2))
    away = ((found["reader"] - 1) ** 2).mean()
    loss = model.evaluate(data, {"reader": y}, verbose=0)
    assert loss == pytest.approx(away + costs / 4, rel=1e-5)
    assert model.train_on_batch(data, {"reader": y}) == pytest.approx(loss, rel=1e-5)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


MASKED = """
inputs: {x: {shape: [6, 4, 2]}, lengths: {shape: [], dtype: int32}}
layers:
  first: {type: conv2d, input: x, filters: 2, kernel_size: [2, 1], mask: {lengths: lengths}}
  y: LAYER
outputs: {y: y}
"""
REFUSED = (
    "{type: group_normalization, input: first, groups: 2}",
    "{type: layer_normalization, input: first, axis: [1, 2, 3]}",
    "{type: layer_normalization, input: first, axis: -3}",
    "{type: unit_normalization, input: first, axis: 1}",
)


@pytest.mark.parametrize("layer", REFUSED)
def test_a_mean_over_padded_steps_is_refused(layer: str) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(MASKED.replace("LAYER", layer))
    assert [each.code for each in caught.value.diagnostics] == ["L512"]
    load(MASKED.replace("LAYER", layer.replace("}", ", mask: none}")))


WAYS = {
    "{type: layer_normalization, input: first, axis: [2, 3]}": (2, 3),
    "{type: time_distributed, input: first, layer: {type: group_normalization, groups: 2}}": 2,
    "{type: time_distributed, input: first, layer: {type: layer_normalization, axis: 1}}": 2,
}
"""Layers, each with the axes of its mean."""


@pytest.mark.parametrize("layer", WAYS)
def test_ways_round_are_right(layer: str) -> None:
    text = MASKED.replace("LAYER", layer).replace("{y: y}", "{y: y, first: first}")
    found = outputs_of(build(text), {"x": X, "lengths": LENGTHS})
    first = found["first"].astype("float64")
    mean, var = (each(first, axis=WAYS[layer], keepdims=True) for each in (np.mean, np.var))
    counted = COUNTED[:, 1:]
    wanted = (first - mean) / np.sqrt(var + 1e-3)
    np.testing.assert_allclose(found["y"][counted], wanted[counted], rtol=1e-4, atol=1e-5)
