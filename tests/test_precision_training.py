"""Training in 16 bits learns what float32 learns: the loss is scaled where float16 loses it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import reference as ref
from building import Arrays, batch_for, build, copy_weights, randomise, weights_by_layer

LossScaleOptimizer = keras.optimizers.LossScaleOptimizer


def loss_scaled(layers: str, outputs: str = "{y: y}", policy: str = "float32") -> bool:
    """Whether the compiled model scales its loss, and whether a compile by hand would."""
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 3]}}, ids: {{shape: [time], dtype: int32}}}}
        layers:
          ids_read: {{type: embedding, input: ids, input_dim: 9, output_dim: 2, trainable: false}}
          {layers}
        outputs: {{ids_read: ids_read, {outputs[1:]}
        runtime: {{dtype_policy: {policy}}}
        training: {{loss: mse, optimizer: sgd}}
        """
    )
    found = isinstance(model.optimizer, LossScaleOptimizer)
    model.compile("sgd", "mse")
    assert isinstance(model.optimizer, LossScaleOptimizer) == found
    return found


HALF = "dtype_policy: mixed_float16"
FROZEN = "trainable: false"
SCALED = {
    "one recurrent layer": f"y: {{type: lstm, input: x, units: 2, {HALF}}}",
    "both ways": f"y: {{type: gru, input: x, units: 2, bidirectional: true, {HALF}}}",
    "cells": f"y: {{type: rnn, input: x, cells: [{{type: lstm_cell, units: 2}}], {HALF}}}",
    "wrapped": f"y: {{type: time_distributed, input: x, layer: {{type: dense, units: 2}}, {HALF}}}",
    "head": f"y: {{type: dense, input: x, units: 2, {HALF}}}",
    "no weights, but a gradient runs through": (
        "low: {type: dense, input: x, units: 2}\n"
        f"          y: {{type: activation, input: low, activation: tanh, {HALF}}}"
    ),
    "frozen, but what is before it trains": (
        "low: {type: dense, input: x, units: 2}\n"
        f"          y: {{type: lstm, input: low, units: 2, {FROZEN}, {HALF}}}"
    ),
    "by the state alone": (
        "low: {type: lstm, input: x, units: 2}\n"
        f"          y: {{type: lstm, input: x, units: 2, {FROZEN}, initial_state: low, {HALF}}}"
    ),
}
NOT_SCALED = {
    "float32": "y: {type: lstm, input: x, units: 2}",
    "bfloat16": "y: {type: lstm, input: x, units: 2, dtype_policy: mixed_bfloat16}",
    "frozen": (
        f"low: {{type: gru, input: x, units: 2, {FROZEN}, return_sequences: true, {HALF}}}\n"
        "          y: {type: dense, input: low, units: 2}"
    ),
    "nothing trains before it": (
        f"low: {{type: activation, input: x, activation: tanh, {HALF}}}\n"
        "          y: {type: dense, input: low, units: 2}"
    ),
}


@pytest.mark.parametrize("name", SCALED)
def test_loss_is_scaled_where_gradients_run_through_float16(name: str) -> None:
    assert loss_scaled(SCALED[name])


@pytest.mark.parametrize("name", NOT_SCALED)
def test_loss_is_not_scaled_where_none_do(name: str) -> None:
    assert not loss_scaled(NOT_SCALED[name])


def test_layers_of_float32_in_a_float16_recipe_need_no_scaling() -> None:
    own = "y: {type: lstm, input: x, units: 2, dtype_policy: float32}"
    assert not loss_scaled(own, policy="mixed_float16")


# What training does.

LEARNER = """
inputs: {{frames: {{shape: [4, 3]}}}}
layers:
  reader: {{type: lstm, input: frames, units: 6}}
  hidden: {{type: dense, input: reader, units: 6, activation: tanh}}
  y: {{type: dense, input: hidden, units: 1}}
outputs: {{y: y}}
runtime: {{seed: 4, dtype_policy: {policy}, kernel: unrolled}}
training: {{loss: mse, optimizer: {optimizer}}}
"""


def learning_data() -> tuple[Arrays, Arrays]:
    frames = np.random.default_rng(5).normal(size=(16, 4, 3)).astype("float32")
    return {"frames": frames}, {"y": np.tanh(frames.sum(axis=(1, 2)))[:, None]}


def learner(policy: str, optimizer: str = "{type: adam, learning_rate: 0.02}") -> keras.Model:
    return build(LEARNER.format(policy=policy, optimizer=optimizer))


def losses(model: keras.Model, steps: int) -> np.ndarray:
    data, targets = learning_data()
    return np.array([model.train_on_batch(data, targets) for _ in range(steps)])


@pytest.mark.slow
def test_mixed_models_learn_what_float32_learns() -> None:
    wanted = losses(learner("float32"), steps=40)
    assert wanted[-1] < wanted[0] / 4
    for policy in ("mixed_float16", "mixed_bfloat16"):
        found = losses(learner(policy), steps=40)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=0.05 * wanted[0], err_msg=policy)


@pytest.mark.slow
def test_small_gradients_reach_the_weights_by_scaling_alone() -> None:
    """Gradients of 1e-9 are 0 in float16."""
    moved, rate = {}, 1e6
    for name in ("float32", "scaled", "not scaled"):
        model = learner("float32" if name == "float32" else "mixed_float16")
        optimizer = keras.optimizers.SGD(rate)
        if name == "scaled":
            optimizer = LossScaleOptimizer(optimizer, initial_scale=2.0**20)
        model.compile(optimizer, "mse", loss_weights=1e-7, auto_scale_loss=False, jit_compile=False)
        before = model.get_layer("reader").get_weights()[1]
        losses(model, steps=1)
        moved[name] = model.get_layer("reader").get_weights()[1] - before
    most = np.abs(moved["float32"]).max()
    assert 0 < most / rate < 6e-8
    np.testing.assert_allclose(moved["scaled"], moved["float32"], rtol=0, atol=most / 20)
    assert not moved["not scaled"].any()


def test_step_that_overflows_is_skipped_and_the_scale_halved() -> None:
    model = learner("mixed_float16", "{type: sgd, learning_rate: 0.1}")
    data, _ = learning_data()
    targets = {"y": np.full((16, 1), 1e4, "float32")}
    losses(model, steps=1)
    before, scale = model.get_weights(), float(model.optimizer.dynamic_scale)
    model.train_on_batch(data, targets)
    assert float(model.optimizer.dynamic_scale) == scale / 2
    for found, weight in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, weight)


@pytest.mark.slow
def test_gradients_are_clipped_after_they_are_scaled_back() -> None:
    clipped = "{type: sgd, learning_rate: 1.0, clipnorm: 0.01}"
    moved = {}
    for policy in ("float32", "mixed_float16"):
        model = learner(policy, clipped)
        before = model.get_layer("y").get_weights()[0]
        losses(model, steps=1)
        moved[policy] = model.get_layer("y").get_weights()[0] - before
        assert np.linalg.norm(moved[policy]) == pytest.approx(0.01, rel=1e-3)
    np.testing.assert_allclose(moved["mixed_float16"], moved["float32"], rtol=0, atol=1e-4)


# float64 to the last digits.

DOUBLE = """
inputs: {x: {shape: [time, 2]}, lengths: {shape: [], dtype: int32}}
layers:
  reader:
    {type: lstm, input: x, units: 2, mask: {lengths: lengths}, initial_state: {constant: 0.3}}
  y: {type: dense, input: reader, units: 1}
outputs: {y: y}
runtime: {dtype_policy: float64}
training: {loss: mse, metrics: [mae], optimizer: {type: sgd, learning_rate: 0.5}}
"""
COMPLEX_STEP = 1e-30


def loss_in_numpy(data: Arrays, target: np.ndarray, weights: dict[str, list[np.ndarray]]):
    mask = np.arange(data["x"].shape[1]) < data["lengths"][:, None]
    state = np.full((len(target), 2), 0.3)
    last = ref.lstm(data["x"], weights["reader"], mask, (state, state)).last
    return ((ref.dense(last, weights["y"]) - target) ** 2).mean()


def gradient_in_numpy(data: Arrays, target: np.ndarray, weights: dict[str, list[np.ndarray]]):
    """By the complex step, exact to rounding: Squire and Trapp, SIAM Review 40 (1998), 110-112."""
    found = {name: [np.zeros(w.shape) for w in own] for name, own in weights.items()}
    for name, own in weights.items():
        for number, weight in enumerate(own):
            for index in np.ndindex(weight.shape):
                changed = {key: [w.astype(complex) for w in ws] for key, ws in weights.items()}
                changed[name][number][index] += COMPLEX_STEP * 1j
                loss = loss_in_numpy(data, target, changed)
                found[name][number][index] = loss.imag / COMPLEX_STEP
    return found


@pytest.mark.slow
def test_float64_trains_in_float64() -> None:
    """A learning rate of 0.5 is exact in the float32 in which Keras keeps it."""
    model = build(DOUBLE)
    randomise(model)
    data = batch_for(model)
    target = np.random.default_rng(8).normal(size=(5, 1))
    weights = weights_by_layer(model)
    assert {w.dtype for w in model.weights} == {"float64"}
    logs = model.train_on_batch(data, {"y": target}, return_dict=True)
    assert logs["loss"] == pytest.approx(loss_in_numpy(data, target, weights), rel=1e-6)
    gradients = gradient_in_numpy(data, target, weights)
    for name, after in weights_by_layer(model).items():
        for found, weight, gradient in zip(after, weights[name], gradients[name], strict=True):
            assert np.abs(gradient).max() > 1e-3
            np.testing.assert_allclose(found, weight - 0.5 * gradient, rtol=0, atol=1e-14)


def test_metrics_of_a_float64_model_are_float64() -> None:
    model = build(DOUBLE)
    target = np.zeros((5, 1))
    model.evaluate(batch_for(model), {"y": target}, verbose=0)
    metrics = {metric.name: metric.dtype for metric in model._compile_metrics.metrics}
    assert metrics == {"mae": "float64"}
    assert {loss.dtype for loss in model.loss.values()} == {"float64"}
    assert "dtype" not in model.loss["y"].get_config()  # a loaded model's loss is float32


# What is saved.


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_loaded_model_goes_on_training_with_the_same_scale(tmp_path) -> None:
    model = learner("mixed_float16")
    losses(model, steps=2)
    model.optimizer.dynamic_scale.assign(512.0)
    model.save(tmp_path / "learner.keras")
    loaded = keras.models.load_model(tmp_path / "learner.keras")
    assert isinstance(loaded.optimizer, LossScaleOptimizer)
    assert float(loaded.optimizer.dynamic_scale) == 512.0
    assert isinstance(loaded.optimizer.inner_optimizer, keras.optimizers.Adam)
    np.testing.assert_array_equal(losses(loaded, steps=2), losses(model, steps=2))


@pytest.mark.slow
def test_same_weights_give_nearly_the_same_gradient_in_every_precision() -> None:
    """One step of SGD, so that the step is the gradient."""
    full = learner("float32", "{type: sgd, learning_rate: 1.0}")
    steps = {}
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        model = learner(policy, "{type: sgd, learning_rate: 1.0}")
        copy_weights(full, model)
        before = model.get_weights()
        losses(model, steps=1)
        steps[policy] = [b - a for a, b in zip(model.get_weights(), before, strict=True)]
    for policy, share in (("mixed_float16", 0.01), ("mixed_bfloat16", 0.1)):
        for found, wanted in zip(steps[policy], steps["float32"], strict=True):
            most = share * np.abs(wanted).max()
            np.testing.assert_allclose(found, wanted, rtol=0, atol=most, err_msg=policy)
