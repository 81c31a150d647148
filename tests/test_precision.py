"""Dtype policies stand on layers, never globally; heads, ids and the loss keep their precision."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import reference as ref
from building import (
    FIRST_STEPS,
    STEPS,
    batch_for,
    build,
    outputs_of,
    randomise,
    weights_by_layer,
)

RECIPE = """
inputs: {{ids: {{shape: [time], dtype: int32}}, static: {{shape: [3]}}}}
layers:
  embedding: {{type: embedding, input: ids, input_dim: 3000, output_dim: 4, mask_zero: true}}
  encoder:
    type: lstm
    input: embedding
    units: 4
    bidirectional: true
  decoder:
    type: gru
    input: [encoder.sequence, static]
    units: [4, 3]
    initial_state: [{{static: [static]}}, zeros]
  wrapped: {{type: time_distributed, input: decoder.sequence, layer: {{type: dense, units: 4}}}}
  token: {{type: dense, input: wrapped, units: 5, activation: softmax}}
outputs: {{token: token, h: encoder.state.forward.h}}
runtime: {{dtype_policy: {policy}, seed: 2}}
training: {{loss: {{token: sparse_categorical_crossentropy}}, optimizer: sgd}}
"""
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float64")
COMPUTE = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    """One of each policy, built one after the other in this process."""
    before = keras.config.dtype_policy()
    found = {policy: build(RECIPE.format(policy=policy)) for policy in POLICIES}
    assert keras.config.dtype_policy() == before
    return found


def with_inner_layers(layer: keras.Layer) -> list[keras.Layer]:
    """`layer`, the layers that it wraps, and the cells of those that are recurrent."""
    parts = ("forward_layer", "backward_layer", "layer", "cell")
    inner = [getattr(layer, part) for part in parts if hasattr(layer, part)]
    return [layer] + [found for child in inner for found in with_inner_layers(child)]


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_is_on_every_layer_and_what_it_wraps(models, policy: str) -> None:
    names = ("embedding", "encoder", "decoder_1", "decoder_1_h", "decoder_2", "wrapped")
    for layer in (models[policy].get_layer(name) for name in names):
        found = {inner.dtype_policy.name for inner in with_inner_layers(layer)}
        assert found == {policy}, layer.name
        assert layer.compute_dtype == COMPUTE.get(policy, policy)


@pytest.mark.parametrize("policy", COMPUTE)
def test_head_of_a_mixed_model_is_float32(models, policy: str) -> None:
    model = models[policy]
    assert model.get_layer("token").dtype_policy.name == "float32"
    probabilities = outputs_of(model, batch_for(model))["token"]
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_outputs_are_float32_or_float64(models, policy: str) -> None:
    """NumPy has no bfloat16; what a recurrent layer computed in 16 bits is given in 32."""
    model = models[policy]
    full = "float64" if policy == "float64" else "float32"
    assert {tensor.dtype for tensor in model.output.values()} == {full}
    found = model.predict(batch_for(model), verbose=0)
    assert {array.dtype.name for array in found.values()} == {full}
    rounded = keras.ops.cast(keras.ops.cast(found["h"], COMPUTE.get(policy, policy)), full)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(rounded), found["h"])


@pytest.mark.parametrize("policy", COMPUTE)
def test_mixed_model_computes_nearly_the_same(models, policy: str) -> None:
    model, full = models[policy], models["float32"]
    data = batch_for(model)
    found, wanted = (keras.ops.convert_to_numpy(m(data)["token"]) for m in (model, full))
    np.testing.assert_allclose(found, wanted, atol=5e-3)
    assert not np.array_equal(found, wanted)


def test_own_policy_of_a_layer_wins() -> None:
    model = build(
        """
        inputs: {x: {shape: [time, 3]}}
        layers:
          low: {type: lstm, input: x, units: 4}
          high: {type: lstm, input: low.sequence, units: 4, dtype_policy: float32,
                 initial_state: low}
          low_again: {type: lstm, input: high.sequence, units: 4, initial_state: high}
          y: {type: dense, input: low_again, units: 2, dtype_policy: mixed_float16}
        outputs: {y: y, high: high.sequence}
        runtime: {dtype_policy: mixed_float16}
        """
    )
    policies = {name: model.get_layer(name).compute_dtype for name in ("low", "high", "low_again")}
    assert policies == {"low": "float16", "high": "float32", "low_again": "float16"}
    assert model.get_layer("y").compute_dtype == "float16"
    found = outputs_of(model, batch_for(model))
    assert {name: y.dtype.name for name, y in found.items()} == {"y": "float32", "high": "float32"}
    assert not np.array_equal(found["high"], found["high"].astype("float16"))
    np.testing.assert_array_equal(found["y"], found["y"].astype("float16"))


def test_sums_of_a_mixed_model_do_not_pass_the_largest_number() -> None:
    """The sum of the masked steps is 120 000, and that of the squares is 360 000."""
    by_hand = keras.layers.GlobalAveragePooling1D(dtype="mixed_float16")
    x = np.full((1, 3000, 4), 40, "float32")
    assert np.isinf(by_hand(x, mask=np.ones((1, 3000), bool))).all()
    model = build(
        """
        inputs: {x: {shape: [time, 4]}}
        layers:
          masked: {type: masking, input: x}
          mean: {type: global_average_pooling1d, input: masked}
          wide: {type: rescaling, input: mean, scale: 7.5}
          unit: {type: unit_normalization, input: wide}
          alike: {type: dot, input: [wide, wide], axes: -1, normalize: true}
          y: {type: concatenate, input: [mean, unit, alike]}
        outputs: {y: y}
        runtime: {dtype_policy: mixed_float16}
        """
    )
    wanted = [[40] * 4 + [0.5] * 4 + [1]]
    np.testing.assert_allclose(outputs_of(model, {"x": x})["y"], wanted, rtol=1e-3)


SQUASHING = {
    "dense": "{type: dense, input: x, units: 3, activation: softmax}",
    "sigmoid": "{type: dense, input: x, units: 3, activation: sigmoid}",
    "activation": "{type: activation, input: x, activation: log_softmax}",
    "softmax": "{type: softmax, input: x}",
    "wrapped": "{type: time_distributed, input: x, layer: {type: softmax}}",
    "convolution": "{type: conv1d, input: x, filters: 3, kernel_size: 1, activation: softmax}",
}


@pytest.mark.parametrize("name", SQUASHING)
def test_probabilities_inside_a_mixed_model_are_float32(name: str) -> None:
    """Not the head computes them here, but the layer before it."""
    model = build(
        f"""
        inputs: {{x: {{shape: [2, 3]}}}}
        layers:
          probability: {SQUASHING[name]}
          plain: {{type: dense, input: x, units: 3, activation: tanh}}
          y: {{type: add, input: [probability, plain]}}
        outputs: {{y: y}}
        runtime: {{dtype_policy: mixed_float16}}
        """
    )
    layer = model.get_layer("probability")
    assert {inner.dtype_policy.name for inner in with_inner_layers(layer)} == {"float32"}
    assert model.get_layer("plain").dtype_policy.name == "mixed_float16"


def test_float64_agrees_with_numpy_in_all_digits() -> None:
    model = build(
        """
        inputs:
          frames: {shape: [time, 3]}
          lengths: {shape: [], dtype: int32}
          static: {shape: [2]}
        layers:
          reader:
            type: lstm
            input: [frames, static]
            units: 4
            bidirectional: true
            mask: {lengths: lengths}
            initial_state: input
        outputs: {y: reader.sequence}
        runtime: {dtype_policy: float64}
        """
    )
    randomise(model)
    data = batch_for(model)
    assert {array.dtype.name for array in data.values()} == {"float64", "int32"}
    repeated = np.repeat(data["static"][:, None], STEPS, axis=1)
    slots = ("forward_h", "forward_c", "backward_h", "backward_c")
    wanted = ref.bidirectional(
        ref.lstm,
        np.concatenate([data["frames"], repeated], axis=-1),
        weights_by_layer(model)["reader"],
        FIRST_STEPS,
        tuple(data[f"reader_{slot}"] for slot in slots),
    )
    np.testing.assert_allclose(outputs_of(model, data)["y"], wanted.sequence, rtol=0, atol=1e-14)


def test_ids_are_not_rounded(models) -> None:
    """Float16 has no 2049: an id that became a number would find the row of 2048."""
    model = models["mixed_float16"]
    assert model.input["ids"].dtype == "int32"
    embedding = model.get_layer("embedding")
    part = keras.Model(model.input["ids"], embedding.output)
    found = keras.ops.convert_to_numpy(part(np.array([[2047, 2048, 2049, 2050]], "int32")))[0]
    np.testing.assert_array_equal(found, embedding.get_weights()[0][2047:2051].astype("float16"))
    assert not np.array_equal(found[1], found[2])


# Gradients of float16 layers are too small without a scaled loss.


def test_loss_is_scaled_under_float16_only(models) -> None:
    scaled = keras.optimizers.LossScaleOptimizer
    found = {policy for policy in POLICIES if isinstance(models[policy].optimizer, scaled)}
    assert found == {"mixed_float16"}
    assert isinstance(models["mixed_float16"].optimizer.inner_optimizer, keras.optimizers.SGD)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_loss_scaling_survives_saving(models, tmp_path) -> None:
    model = models["mixed_float16"]
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "mixed.keras")
    loaded = keras.models.load_model(tmp_path / "mixed.keras")
    assert isinstance(loaded.optimizer, keras.optimizers.LossScaleOptimizer)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    policies = [
        [inner.dtype_policy.name for layer in m.layers for inner in with_inner_layers(layer)]
        for m in (loaded, model)
    ]
    assert policies[0] == policies[1]


@pytest.mark.slow
def test_one_training_step_is_that_of_float32(models) -> None:
    """Scaled and scaled back, the gradients are those of float32 but for float16's rounding."""
    steps = {}
    for policy in ("float32", "mixed_float16"):
        model = build(RECIPE.format(policy=policy))
        randomise(model)
        before = model.get_layer("encoder").get_weights()
        data = batch_for(model)
        model.train_on_batch(data, {"token": data["ids"] % 5})
        after = model.get_layer("encoder").get_weights()
        steps[policy] = [b - a for a, b in zip(after, before, strict=True)]
    for found, wanted in zip(steps["mixed_float16"], steps["float32"], strict=True):
        assert np.abs(wanted).max() > 0
        np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())
