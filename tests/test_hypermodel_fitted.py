"""``Recipe.hypermodel(data)``: scales and vocabularies of the training part in every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras_tuner
import numpy as np
import pytest
from building import with_header

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # keras-tuner 1.4.8 names its threads by a deprecated function.
    pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning"),
]

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
def test_every_model_has_what_the_training_part_has(
    split: str, rows: int | None, tmp_path: Path
) -> None:
    recipe = lstmgraph.load(with_header(RECIPE.replace("SPLIT", split), "kinds"))
    data = recipe.load_data(table())
    numbers = data.train.numbers
    if rows is not None:
        assert list(numbers) == list(range(rows))
    hyper = recipe.hypermodel(data)
    tuner = keras_tuner.GridSearch(hyper, objective="loss", directory=tmp_path, max_trials=2)
    tuner.search(data.train.as_keras(16).dataset, verbose=0)
    units = set()
    for model in tuner.get_best_models(2):
        units.add(model.get_layer("hidden").units)
        scaled = model.get_layer("x_scaled")
        own = table()["a"][numbers]
        np.testing.assert_allclose(np.ravel(scaled.mean)[0], own.mean(), rtol=1e-6)
        np.testing.assert_allclose(np.sqrt(np.ravel(scaled.variance)[0]), own.std(), rtol=1e-6)
        words = model.get_layer("ids").get_vocabulary(include_special_tokens=False)
        assert set(words) == set(table()["k"][numbers])
    assert units == {2, 5}
    with pytest.raises(keras_tuner.errors.FatalValueError, match=r"recipe.hypermodel\(data\)"):
        recipe.hypermodel().build(keras_tuner.HyperParameters())
