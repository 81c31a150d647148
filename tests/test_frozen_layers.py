"""Frozen layers: nothing in them is trained, also after loading; LoRA goes on where it stopped."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import load, randomise, with_header
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FROZEN = """
inputs: {x: {shape: [5, 3]}}
layers:
  norm: {type: batch_normalization, input: x, trainable: false}
  outside: {type: time_distributed, input: norm, trainable: false, layer: {type: dense, units: 3}}
  inside: {type: time_distributed, input: outside, layer: {type: dense, units: 3, trainable: false}}
  nested:
    {type: time_distributed, input: inside, layer: {type: batch_normalization, trainable: false}}
  query: {type: multi_head_attention, input: {query: nested, value: x}, num_heads: 2, key_dim: 2,
          trainable: false}
  groups: {type: group_query_attention, input: {query: query, value: x}, num_query_heads: 2,
           num_key_value_heads: 1, head_dim: 2, trainable: false}
  images: {type: reshape, input: groups, target_shape: [5, 3, 1]}
  waves: {type: conv_lstm1d, input: images, filters: 2, kernel_size: 1, trainable: false,
          return_sequences: true}
  steps: {type: reshape, input: waves, target_shape: [5, 6]}
  cells: {type: rnn, input: steps, cells: [{type: lstm_cell, units: 2}, {type: gru_cell, units: 2}],
          return_sequences: true, trainable: false}
  stack: {type: lstm, input: cells, units: 2, depth: 2, normalization: layer, bidirectional: true,
          initial_state: learned, return_sequences: true, trainable: false}
  bridged: {type: gru, input: stack, units: 3, initial_state: {from: waiting, bridge: dense},
            trainable: false}
  waiting: {type: gru, input: x, units: 2, trainable: false}
  adapted: {type: dense, input: bridged, units: 3, lora_rank: 1, trainable: false}
  y: {type: dense, input: adapted, units: 1}
outputs: {y: y}
runtime: {seed: 5}
training: {loss: mse, batch_size: 8, optimizer: {type: sgd, learning_rate: 0.5}}
data: {split: {validation: 0}}
"""
X = np.random.default_rng(0).normal(size=(16, 5, 3)).astype("float32")
DATA = {"x": X, "y": np.ones((16, 1), "float32")}


def counted(weights: list) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


@pytest.mark.slow
def test_nothing_of_a_frozen_layer_is_trained(tmp_path: Path) -> None:
    """Not even what Keras trains: parts of attention, of ConvLSTM, and what makes states."""
    recipe = load(FROZEN)
    model = recipe.build()
    randomise(model)
    assert [weight.path for weight in model.trainable_variables] == ["y/kernel", "y/bias"]
    explained = recipe.explain()
    assert explained.trainable_parameters == counted(model.trainable_weights) == 4
    assert explained.non_trainable_parameters == counted(model.non_trainable_weights)
    recipe.save(model, tmp_path / "begin.keras")
    again = lstmgraph.load_model(tmp_path / "begin.keras")
    for each in (model, again):
        assert counted(each.trainable_weights) == 4
        head = np.array(each.get_layer("y").kernel)
        frozen = [np.array(weight) for weight in each.non_trainable_weights]
        each.run_eagerly = True  # tracing takes longer
        each.fit({"x": X}, {"y": DATA["y"]}, batch_size=16, verbose=0)
        for weight, before in zip(each.non_trainable_weights, frozen, strict=True):
            np.testing.assert_array_equal(np.array(weight), before, err_msg=weight.path)
        assert (np.array(each.get_layer("y").kernel) != head).all()


def test_batch_normalization_is_in_inference_mode() -> None:
    """Frozen, it normalizes by its moving averages in training too, as in Keras by hand."""
    recipe = load("""
    inputs: {x: {shape: [3]}}
    layers:
      n: {type: batch_normalization, input: x, trainable: false}
      y: {type: dense, input: n, units: 1}
    outputs: {y: y}
    """)
    model = recipe.build()
    randomise(model)
    rows = X[:, 0]
    gamma, beta, mean, variance = model.get_layer("n").get_weights()
    kernel, bias = model.get_layer("y").get_weights()
    wanted = ((rows - mean) / np.sqrt(variance + 1e-3) * gamma + beta) @ kernel + bias
    np.testing.assert_allclose(model({"x": rows}, training=True)["y"], wanted, rtol=1e-4, atol=1e-5)


def test_where_nothing_is_left_to_train() -> None:
    text = """
    inputs: {x: {shape: [4, 3]}}
    layers:
      a: {type: time_distributed, input: x, layer: {type: dense, units: 2, trainable: false}}
      y: {type: lstm, input: a, units: 2, trainable: false}
    outputs: {y: y}
    """
    assert load(text).explain().trainable_parameters == 0
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(text + "training: {loss: mse}\n")
    (found,) = caught.value.diagnostics
    assert (found.code, found.path) == ("L779", ("layers", "a", "layer", "trainable"))


def test_a_frozen_spectral_normalization_is_refused() -> None:
    """Keras changes its kernel in training all the same."""
    for place, argument in (("trainable: false, ", "trainable"), ("", "layer.trainable")):
        inner = "" if place else ", trainable: false"
        with pytest.raises(lstmgraph.RecipeError, match="changes its kernel in training") as caught:
            load(f"""
            inputs: {{x: {{shape: [4, 3]}}}}
            layers:
              a: {{type: spectral_normalization, input: x, {place}
                   layer: {{type: conv1d, filters: 2, kernel_size: 1{inner}}}}}
            outputs: {{y: a}}
            """)
        assert caught.value.diagnostics[0].path == ("layers", "a", *argument.split("."))
    x = keras.Input((4, 3))
    layer = keras.layers.SpectralNormalization(keras.layers.Conv1D(2, 1), trainable=False)
    layer(x)
    before = np.array(layer.kernel)
    layer(X, training=True)
    assert (np.array(layer.kernel) != before).all()


LORA = """
inputs: {x: {shape: [3]}}
layers:
  a: {type: dense, input: x, units: 4, RANK}
  y: {type: dense, input: a, units: 1}
outputs: {y: y}
runtime: {seed: 5}
training: {loss: mse, batch_size: 8, epochs: 2, optimizer: {type: adam, learning_rate: 0.1}}
data: {split: {validation: 0}}
"""


@pytest.mark.slow
def test_lora_adapts_the_weights_of_a_file(tmp_path: Path) -> None:
    """The kernel stays that of the file; what is trained goes on after a checkpoint and a file."""
    base = load(LORA.replace("RANK", "activation: tanh"))
    model = base.build()
    randomise(model)
    base.save(model, tmp_path / "base.keras")
    data = {**DATA, "x": X[:, 0]}
    recipe = load(LORA.replace("RANK", "activation: tanh, lora_rank: 1"))
    given = {"weights": tmp_path / "base.keras"}
    whole = recipe.train(data, folder=tmp_path / "whole", **given)
    assert whole.warnings == ()
    layer = whole.model.get_layer("a")
    np.testing.assert_array_equal(layer._kernel, model.get_layer("a").kernel)
    assert (np.abs(np.array(layer.kernel) - np.array(layer._kernel)) > 1e-3).all()
    recipe.train(data, folder=tmp_path / "twice", epochs=1, **given)
    twice = recipe.train(data, folder=tmp_path / "twice", epochs=2, **given)
    assert twice.history["loss"] == whole.history["loss"]
    loaded = lstmgraph.load_model(tmp_path / "whole" / f"{recipe.name}.keras")
    before = np.array(loaded.get_layer("a").kernel)
    np.testing.assert_allclose(before, layer.kernel, rtol=1e-6)
    loaded.fit({"x": data["x"]}, {"y": data["y"]}, epochs=3, verbose=0)
    assert (np.array(loaded.get_layer("a").kernel) != before).any()


@pytest.mark.slow
def test_what_is_frozen_at_random_is_warned_of(tmp_path: Path) -> None:
    """Only a training can tell: with a file of weights the same recipe is right."""
    recipe = tmp_path / "frozen.yaml"
    text = LORA.replace("RANK", "trainable: false").replace("epochs: 2", "epochs: 1")
    recipe.write_text(with_header(text, "frozen"))
    data = tmp_path / "data.npz"
    np.savez(data, x=X[:, 0], y=DATA["y"])
    out, arguments = tmp_path / "out", ["train", str(recipe), "--data", str(data), "-o"]
    first = CliRunner().invoke(app, [*arguments, str(out)])
    assert first.exit_code == 0
    assert "frozen.yaml:5:51: warning[W764]: 'a' is frozen, and its weights are random" in (
        first.stderr
    )
    again = CliRunner().invoke(app, [*arguments, str(out), "--format", "json"])
    assert [each["code"] for each in json.loads(again.stdout)["warnings"]] == ["W764"]
    begun = [*arguments, str(tmp_path / "later"), "--weights", str(out / "frozen.keras")]
    assert "W764" not in CliRunner().invoke(app, begun).stderr
