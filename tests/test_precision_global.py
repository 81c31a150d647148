"""What the recipe says wins over the dtype policy that the user has set for the whole process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import assert_equal_arrays, batch_for, build, copy_weights, outputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE = """
inputs:
  ids: {{shape: [time], dtype: int32}}
  x: {{shape: [time, 3]}}
  static: {{shape: [2]}}
layers:
  embedding: {{type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}}
  attended: {{type: multi_head_attention, input: [embedding, x], num_heads: 2, key_dim: 3}}
  reader:
    type: lstm
    input: [attended, static]
    units: 4
    bidirectional: true
    initial_state: {{constant: 0.1}}
  stack:
    type: gru
    input: reader.sequence
    units: [3, 3]
    residual: true
    normalization: layer
    initial_state: learned
  cells: {{type: rnn, input: stack.sequence, cells: [{{type: lstm_cell, units: 3}}]}}
  wrapped: {{type: time_distributed, input: stack.sequence, layer: {{type: dense, units: 3}}}}
  y: {{type: dense, input: wrapped, units: 2, activation: softmax}}
outputs: {{y: y, h: stack.state, cells: cells}}
runtime: {{seed: 3, dtype_policy: {policy}}}
training:
  loss: {{y: sparse_categorical_crossentropy, cells: mse}}
  metrics: {{y: [accuracy], cells: [mae]}}
"""
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float64")


@pytest.fixture(scope="module")
def expected() -> dict[str, keras.Model]:
    """Built where nothing global is set."""
    return {policy: build(RECIPE.format(policy=policy)) for policy in POLICIES}


@pytest.fixture
def global_policy(request) -> Iterator[str]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.fixture
def float16_by_default() -> Iterator[None]:
    keras.config.set_floatx("float16")
    yield
    keras.config.set_floatx("float32")


def config(model: keras.Model) -> dict[str, object]:
    """Less what Keras counts over the whole process."""
    found = json.loads(model.to_json())
    optimizer = found["compile_config"]["optimizer"]["config"]
    optimizer.get("inner_optimizer", {}).get("config", optimizer).pop("name")
    optimizer.pop("name", None)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "global_policy"),
    [*zip(POLICIES, ("mixed_float16", "float64", "float64", "mixed_float16"), strict=True)],
    indirect=["global_policy"],
)
def test_global_policy_changes_nothing(policy: str, global_policy: str, expected) -> None:
    wanted = expected[policy]
    model = build(RECIPE.format(policy=policy))
    assert keras.config.dtype_policy().name == global_policy
    assert config(model) == config(wanted)
    assert model.dtype_policy.name == wanted.dtype_policy.name == policy
    scaled = keras.optimizers.LossScaleOptimizer
    assert isinstance(model.optimizer, scaled) == (policy == "mixed_float16")
    data = batch_for(model)
    assert_equal_arrays(outputs_of(model, data), outputs_of(wanted, data))


DENSE = """
inputs: {frame: {shape: [3]}}
layers:
  hidden: {type: dense, input: frame, units: 4, activation: tanh}
  y: {type: dense, input: hidden, units: 2, activation: softmax}
outputs: {y: y}
runtime: {seed: 3}
training: {loss: sparse_categorical_crossentropy, metrics: [accuracy]}
"""


@pytest.mark.slow
@pytest.mark.parametrize("global_policy", ["mixed_float16"], indirect=True)
def test_training_step_is_the_same_under_a_global_policy(global_policy: str) -> None:
    """The loss, the metrics, and every weight after the step."""
    model = build(DENSE)
    keras.config.set_dtype_policy("float32")
    wanted = build(DENSE)
    data, classes = batch_for(model), {"y": np.arange(5) % 2}
    keras.config.set_dtype_policy(global_policy)
    logs = model.train_on_batch(data, classes, return_dict=True)
    keras.config.set_dtype_policy("float32")
    assert logs == wanted.train_on_batch(data, classes, return_dict=True)
    for found, weight in zip(model.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(found, weight)


@pytest.mark.slow
def test_layers_and_losses_do_not_follow_floatx(float16_by_default, expected) -> None:
    model, wanted = build(RECIPE.format(policy="float32")), expected["float32"]
    copy_weights(wanted, model)
    data = batch_for(model)
    assert {tensor.dtype for tensor in model.input.values()} == {"float32", "int32"}
    assert_equal_arrays(outputs_of(model, data), outputs_of(wanted, data))
    assert {loss.dtype for loss in model.loss.values()} == {"float32"}
    assert model.dtype_policy.name == "float32"


def test_model_built_after_a_float16_model_is_float32() -> None:
    build(RECIPE.format(policy="mixed_float16"))
    layer = keras.layers.Dense(2)
    assert layer.dtype_policy.name == "float32"
    model = build(RECIPE.format(policy="float32"))
    assert {each.dtype_policy.name for each in model._flatten_layers()} == {"float32"}
