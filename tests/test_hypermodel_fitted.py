"""``Recipe.hypermodel(data)``: scales and vocabularies of the training part in every model."""

from __future__ import annotations

import keras_tuner
import numpy as np
import pytest
from building import with_header

import lstmgraph
from lstmgraph.models.building.vocabularies import is_fitted

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = """
inputs: {x: {shape: [2]}, kind: {shape: [], dtype: string}}
layers:
  ids: {type: string_lookup, input: kind, output_mode: one_hot,
        max_tokens: 5, pad_to_max_tokens: true}
  both: {type: concatenate, input: [x, ids]}
  hidden: {type: dense, input: both, units: {$search: {choice: [2, 5]}}}
  price: {type: dense, input: hidden, units: 1}
outputs: {price: price}
runtime: {seed: 1}
training: {loss: mse, epochs: 1, batch_size: 16}
data:
  time: day
  columns: {a: {scale: standard}}
  inputs: {x: {columns: [a, b]}, kind: {columns: [k]}}
  targets: {price: {columns: [p]}}
  split: SPLIT
"""


def table() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    found = {name: random.normal(size=60) for name in "bp"}
    kinds = np.array(["red"] * 20 + ["blue"] * 20 + ["late"] * 20)
    days = np.datetime64("2024-01-01") + np.arange(60)
    return found | {"day": days, "a": np.arange(60.0), "k": kinds}


@pytest.mark.parametrize(
    ("split", "rows"),
    [("{kind: chronological, validation: 0.25, test: 0.25}", 30), ("{test: 0.25, folds: 2}", None)],
)
def test_every_model_has_what_the_training_part_has(split: str, rows: int | None) -> None:
    recipe = lstmgraph.load(with_header(RECIPE.replace("SPLIT", split), "kinds"))
    data = recipe.load_data(table())
    numbers = data.train.numbers
    if rows is not None:
        assert list(numbers) == list(range(rows))
    hyper = recipe.hypermodel(data)
    for units in (2, 5):
        point = keras_tuner.HyperParameters()
        point.values["layers.hidden.units"] = units
        model = hyper.build(point)
        assert model.get_layer("hidden").units == units
        scaled = model.get_layer("x_scaled")
        own = table()["a"][numbers]
        np.testing.assert_allclose(np.ravel(scaled.mean)[0], own.mean(), rtol=1e-6)
        np.testing.assert_allclose(np.sqrt(np.ravel(scaled.variance)[0]), own.std(), rtol=1e-6)
        words = model.get_layer("ids").get_vocabulary(include_special_tokens=False)
        assert set(words) == set(table()["k"][numbers])
    feed = data.train.as_keras(16).dataset
    history = hyper.fit(point, model, feed, verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"][0])
    with pytest.raises(keras_tuner.errors.FatalValueError, match=r"recipe.hypermodel\(data\)"):
        recipe.hypermodel().build(keras_tuner.HyperParameters())


WINDOWED = """
inputs: {h: {shape: [4, 1]}}
layers: {read: {type: lstm, input: h, units: 2}, y: {type: dense, input: read, units: 2}}
outputs: {y: y}
training: {loss: mse}
data:
  time: day
  window: {history: 4, horizon: 2}
  columns: {sales: COLUMN}
  inputs: {h: {columns: [sales]}}
  targets: {y: {columns: [sales]}}
"""


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ("{scale: standard}", False),
        ("{scale: standard, fitted: [1.0, 2.0]}", True),
        ("{scale: standard, per: window}", True),
        ("{clip: {quantiles: [0.1, 0.9]}}", False),
    ],
)
def test_what_is_yet_to_be_found(column: str, wanted: bool) -> None:
    recipe = lstmgraph.load(with_header(WINDOWED.replace("COLUMN", column), "windows"))
    assert is_fitted(recipe.compiled) == wanted
