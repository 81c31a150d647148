"""The attention weights of a layer, read as its port ``scores``."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import batch_for, load, outputs_of, randomise, weights_by_layer
from handwritten_scores import SCORED
from onnx_running import assert_runs_as_keras
from test_outputs import assert_same_as_by_hand

import lstmgraph

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # Of the query's mask inside of GroupQueryAttention, which uses it all the same.
    pytest.mark.filterwarnings("ignore:Layer 'query' .of type EinsumDense:UserWarning"),
]


@pytest.fixture(scope="module")
def scored() -> tuple[lstmgraph.Recipe, keras.Model]:
    recipe = load(SCORED.recipe)
    model = recipe.build()
    randomise(model)
    return recipe, model


def test_scores_are_those_of_keras_by_hand(scored) -> None:
    assert_same_as_by_hand(scored[1], SCORED.by_hand)


def test_scores_are_those_of_numpy(scored) -> None:
    _, model = scored
    data = batch_for(model)
    found = outputs_of(model, data)
    for name, wanted in SCORED.in_numpy(weights_by_layer(model), data).items():
        np.testing.assert_allclose(found[name], wanted, atol=2e-6, err_msg=name)


def test_files_give_the_same_scores(scored, tmp_path) -> None:
    recipe, model = scored
    data = batch_for(model)
    recipe.save(model, tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    wanted, found = outputs_of(model, data), outputs_of(loaded, data)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
    assert_runs_as_keras(recipe, model, data)
