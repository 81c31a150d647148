"""Numbers that Keras 3.15 gets wrong without a word, 22 to 24: a bias on another axis, rounded
means, and sparsemax. Each test shows first what Keras does, then that a recipe is refused.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from silent import RANDOM, assert_close, assert_far, numbers, refusal

pytestmark = pytest.mark.tensorflow("what is wrong is TensorFlow's fused bias")


def refused(layer: str, shape: str, dtype: str = "float32") -> tuple[str, str]:
    return refusal(
        f"""
        inputs: {{x: {{shape: {shape}, dtype: {dtype}}}}}
        layers:
          y:
            {layer}
        outputs: {{y: y}}
        """
    )


# 22: a bias along one axis is added along another of the same size.


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layers.Conv2D(4, 1, data_format="channels_first"), "type: conv2d, filters: 4"),
        (
            layers.Conv2DTranspose(4, 1, data_format="channels_first"),
            "type: conv2d_transpose, filters: 4",
        ),
        (
            layers.SeparableConv2D(4, 1, data_format="channels_first"),
            "type: separable_conv2d, filters: 4",
        ),
        (
            layers.DepthwiseConv2D(1, data_format="channels_first", depth_multiplier=4),
            "type: depthwise_conv2d, depth_multiplier: 4",
        ),
    ],
    ids=["conv2d", "conv2d_transpose", "separable_conv2d", "depthwise_conv2d"],
)
def test_the_bias_of_channels_first(layer: keras.Layer, text: str, size: int) -> None:
    x = RANDOM.normal(size=(2, 1, 3, size)).astype("float32")
    layer = layer.__class__.from_config(layer.get_config())
    without = numbers(layer(x))
    bias = np.arange(4.0, dtype="float32")
    layer.bias.assign(bias)
    right = without + bias[:, None, None]
    (assert_far if size == 4 else assert_close)(layer(x), right)
    if size == 4:
        whole = f"{{input: x, kernel_size: 1, data_format: channels_first, {text}}}"
        shape = "[1, 3, 4]"
        assert refused(whole, shape) == ("L401", whole)
        assert refused(whole, "[1, 3, width]") == ("L401", whole)


@pytest.mark.parametrize("steps", [3, 4])
def test_the_bias_of_an_einsum(steps: int) -> None:
    x = RANDOM.normal(size=(2, steps, 3)).astype("float32")
    layer = layers.EinsumDense("btd,de->bte", (steps, 4), bias_axes="t")
    without = numbers(layer(x))
    bias = np.arange(float(steps), dtype="float32")[:, None]
    layer.bias.assign(bias)
    (assert_far if steps == 4 else assert_close)(layer(x), without + bias)
    if steps == 4:
        text = (
            '{type: einsum_dense, input: x, equation: "btd,de->bte", output_shape: [4, 4], '
            "bias_axes: t}"
        )
        assert refused(text, "[4, 3]") == ("L401", text)


# 23: the mean of integers is rounded to one.


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layers.LayerNormalization(), "type: layer_normalization"),
        (layers.GroupNormalization(groups=2), "type: group_normalization, groups: 2"),
    ],
    ids=["layer", "group"],
)
def test_normalized_integers(layer: keras.Layer, text: str) -> None:
    x = np.array([[0, 1, 4, 9, 16, 25]], "int32")
    assert_far(layer(x), numbers(layer(x.astype("float32"))))
    line = f"{{input: x, {text}}}"
    assert refused(line, "[6]", "int32") == ("L401", line)


# 24: sparsemax, which projects onto the numbers that are not negative and sum to 1.


def test_sparsemax() -> None:
    x = 2 * np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    assert_far(numbers(keras.activations.sparsemax(x)).sum(-1), 1.0)
    line = "{type: dense, input: x, units: 3, activation: sparsemax}"
    assert refused(line, "[3]") == ("L205", line)
