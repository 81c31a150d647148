"""Ids, lengths and masks are what the inputs say, whatever precision the layers compute in."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import reference as ref
from building import build, outputs_of, randomise, weights_by_layer

MIXED = ("mixed_float16", "mixed_bfloat16")
IDS = np.array([[[2049, 65535], [3001, 7], [16777217, 0], [2147483647, 9]]], "int32")
"""Numbers that float16 has not, nor bfloat16; the larger ones float32 has not either."""

PASSES_IDS_ON = (
    "{type: identity, input: INPUT}",
    "{type: reshape, input: INPUT, target_shape: [4, 2]}",
    "{type: permute, input: INPUT, dims: [1, 2]}",
    "{type: masking, input: INPUT}",
    "{type: activation, input: INPUT, activation: relu}",
    "{type: relu, input: INPUT, mask: none}",
    "{type: add, input: [INPUT, added]}",
    "{type: maximum, input: [INPUT, added]}",
    "{type: subtract, input: [INPUT, added]}",
    "{type: time_distributed, input: INPUT, layer: {type: reshape, target_shape: [2]}}",
    "{type: zero_padding1d, input: INPUT, padding: 1}",
    "{type: cropping1d, input: INPUT, cropping: 1}",
    "{type: activity_regularization, input: INPUT}",
)


@pytest.mark.parametrize("policy", MIXED)
def test_ids_pass_through_any_chain_of_layers(policy: str) -> None:
    lines, source = [], "ids"
    for number, layer in enumerate(PASSES_IDS_ON):
        lines.append(f"  layer{number}: {layer.replace('INPUT', source)}")
        source = f"layer{number}"
    text = "\n".join(lines)
    ids = "{shape: [4, 2], dtype: int32}"
    model = build(
        f"inputs: {{ids: {ids}, added: {ids}}}\n"
        f"layers:\n{text}\noutputs: {{ids: {source}}}\nruntime: {{dtype_policy: {policy}}}\n"
    )
    layers = [model.get_layer(f"layer{number}") for number in range(len(PASSES_IDS_ON))]
    assert policy in {layer.dtype_policy.name for layer in layers}
    found = outputs_of(model, {"ids": IDS, "added": np.zeros_like(IDS)})["ids"]
    np.testing.assert_array_equal(found, IDS, strict=True)


@pytest.mark.parametrize("policy", MIXED)
def test_lengths_above_2048_count_every_step(policy: str) -> None:
    """The sums of a float16 mask would stop at 2048."""
    steps = 2052
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 1]}}, lengths: {{shape: [], dtype: int32}}}}
        layers:
          reader:
            {{type: simple_rnn, input: x, units: 1, mask: {{lengths: lengths}}, activation: relu}}
        outputs: {{y: reader.sequence}}
        runtime: {{dtype_policy: {policy}}}
        """
    )
    model.get_layer("reader").set_weights([np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1)])
    lengths = np.array([2047, 2049, 2051], "int32")
    data = {"x": np.ones((3, steps, 1), "float32"), "lengths": lengths}
    found = model.predict_on_batch(data)["y"]
    np.testing.assert_array_equal(found[:, :, 0].sum(axis=1), lengths)


# A mask by value: 1e-8 is not 0, though float16 has no 1e-8.

SMALL = np.array([[[1e-8, 1e-8], [0.5, 1.0], [0.0, 0.0]]], "float32")
COUNTS = np.array([[True, True, False]])


@pytest.mark.parametrize("policy", MIXED)
def test_loss_counts_the_steps_that_the_input_says(policy: str) -> None:
    """Through every layer to the loss, the mask is the one that was made from float32."""
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 2]}}}}
        layers:
          masked: {{type: masking, input: x}}
          reader: {{type: lstm, input: masked, units: 3}}
          y: {{type: dense, input: reader.sequence, units: 1}}
        outputs: {{y: y}}
        runtime: {{dtype_policy: {policy}}}
        training: {{loss: mse, optimizer: sgd}}
        """
    )
    randomise(model)
    found = outputs_of(model, {"x": SMALL})["y"]
    target = np.array([[[3.0], [1.0], [100.0]]], "float32")
    wanted = np.square(found - target)[COUNTS].mean()
    assert model.test_on_batch({"x": SMALL}, {"y": target}) == pytest.approx(wanted, rel=1e-5)


def test_masking_asked_for_in_float16_masks_what_it_gives_on() -> None:
    """The layer zeroes 1e-8, so no layer behind it may count that step."""
    model = build(
        """
        inputs: {x: {shape: [time, 2]}}
        layers:
          masked: {type: masking, input: x, dtype_policy: mixed_float16}
          y: {type: lstm, input: masked, units: 3}
        outputs: {y: y}
        """
    )
    randomise(model)
    weights = weights_by_layer(model)["y"]
    wanted = ref.lstm(SMALL, weights, mask=[[False, True, False]]).last
    np.testing.assert_allclose(outputs_of(model, {"x": SMALL})["y"], wanted, rtol=0, atol=2e-6)


def test_masking_of_float64_data_masks_what_it_gives_on() -> None:
    """1e-46 is a number of float64, and 0 in float32."""
    x = SMALL.astype("float64")
    x[:, 0] = 1e-46
    text = """
    inputs: {{x: {{shape: [time, 2], dtype: float64}}}}
    layers:
      masked: {{type: masking, input: x, dtype_policy: {policy}}}
      y: {{type: lstm, input: masked, units: 3, dtype_policy: float64}}
    outputs: {{y: y}}
    """
    for policy, first in (("float32", False), ("float64", True)):
        model = build(text.format(policy=policy))
        randomise(model)
        weights = weights_by_layer(model)["y"]
        wanted = ref.lstm(x, weights, mask=[[first, True, False]]).last
        found = outputs_of(model, {"x": x})["y"]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13, err_msg=policy)


@pytest.mark.parametrize("policy", MIXED)
def test_outputs_in_float32_keep_their_mask(policy: str) -> None:
    """A recurrent layer's own sequence as an output: the cast behind it hands the mask on."""
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 2]}}, lengths: {{shape: [], dtype: int32}}}}
        layers: {{reader: {{type: gru, input: x, units: 1, mask: {{lengths: lengths}}}}}}
        outputs: {{y: reader.sequence}}
        runtime: {{dtype_policy: {policy}}}
        training: {{loss: mse, optimizer: sgd}}
        """
    )
    randomise(model)
    data = {"x": np.ones((2, 4, 2), "float32"), "lengths": np.array([1, 3], "int32")}
    found = outputs_of(model, data)["y"]
    target = np.random.default_rng(2).normal(size=found.shape)
    wanted = np.square(found - target)[np.arange(4) < data["lengths"][:, None]].mean()
    loss = model.test_on_batch(data, {"y": target})
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert keras.backend.standardize_dtype(model.output["y"].dtype) == "float32"


@pytest.mark.parametrize("policy", [*MIXED, "float64"])
def test_loss_counts_the_steps_behind_a_convolution(policy: str) -> None:
    """Padded steps carry a number that the dtype has, so that Keras finds them again."""
    model = build(
        f"""
        inputs: {{x: {{shape: [time, 2]}}, lengths: {{shape: [], dtype: int32}}}}
        layers:
          c:
            {{type: conv1d, input: x, filters: 3, kernel_size: 2, mask: {{lengths: lengths}}}}
          y: {{type: dense, input: c, units: 1}}
        outputs: {{y: y}}
        runtime: {{dtype_policy: {policy}}}
        training: {{loss: mse, metrics: [mae]}}
        """
    )
    model.run_eagerly = True
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    y = np.random.default_rng(1).normal(size=(3, 4, 1))
    data = {"x": x.astype(model.input["x"].dtype), "lengths": np.array([5, 3, 0], "int32")}
    counted = np.arange(4) < np.maximum(data["lengths"] - 1, 0)[:, None]
    away = (outputs_of(model, data)["y"].astype("float64") - y)[counted]
    wanted = {"loss": np.mean(away**2), "mae": np.mean(np.abs(away))}
    for found in (
        model.evaluate(data, {"y": y}, verbose=0, return_dict=True),
        model.train_on_batch(data, {"y": y}, return_dict=True),
    ):
        assert found == {name: pytest.approx(value, rel=1e-5) for name, value in wanted.items()}
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
