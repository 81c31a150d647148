"""Mistakes with layers with kernels and windows: dense, convolution, pooling."""

from typing import Any

from layer_case import Refusal, b, f, i, refusal

from lstmgraph.keras_facts.tensors import TensorSpec

EINSUM = {"equation": "abc,cd->abd", "output_shape": [None, 4]}


def conv1d(*inputs: TensorSpec, **arguments: Any) -> Refusal:
    return refusal("Conv1D", *inputs, **{"filters": 4, "kernel_size": 3, **arguments})


DENSE_REFUSALS = [
    refusal("Dense", f(), says="(batch, ..., features)", input=0, units=4),
    refusal("Dense", f(8), says="`units` must be positive", argument="units", units=0),
    refusal("Dense", f("time"), says="`time` is known only from", input=0, units=4),
    refusal("Dense", f(8), f(8), says="takes one input, but got 2", units=4),
    refusal(
        "Dense",
        f(8),
        says="halves",
        argument="activation",
        stricter=True,
        units=4,
        activation="glu",
    ),
    refusal(
        "Embedding", f(4), says="integer ids", input=0, stricter=True, input_dim=9, output_dim=2
    ),
    refusal("Embedding", i(4), says="positive", argument="input_dim", input_dim=0, output_dim=2),
    refusal("EinsumDense", f("time", 8, 2), says="names 3 input", argument="equation", **EINSUM),
    refusal(
        "EinsumDense",
        f(5, "time"),
        says="`time` is known only",
        argument="equation",
        input=0,
        **EINSUM,
    ),
    refusal(
        "EinsumDense",
        f(5, 8),
        says="has 6 for `b`",
        argument="output_shape",
        equation="abc,cd->abd",
        output_shape=[6, 4],
    ),
    refusal(
        "EinsumDense",
        f(8),
        says="must have the form",
        argument="equation",
        equation="ab",
        output_shape=4,
    ),
    refusal(
        "EinsumDense",
        f(4, 5, 8),
        says="reverse order",
        argument="equation",
        stricter=True,
        equation="...x,xy->...y",
        output_shape=4,
    ),
    refusal(
        "EinsumDense",
        f(8),
        says="neither in the input",
        argument="equation",
        equation="ab,bcz->ac",
        output_shape=4,
    ),
    refusal(
        "EinsumDense", f(5, 8), says="bias axis `z`", argument="bias_axes", bias_axes="z", **EINSUM
    ),
]

CONVOLUTION_REFUSALS = [
    conv1d(f(16), says="needs a (batch, steps, channels) input, but got (batch, 16)", input=0),
    conv1d(f(9, 9, 3), says="needs a (batch, steps, channels)", input=0),
    conv1d(f(2, 3), says="window of 3 is larger than the 2", argument="kernel_size"),
    conv1d(f(4, 3), says="window of 5", argument="kernel_size", dilation_rate=2),
    conv1d(f("time", "width"), says="`width` is known only from", input=0),
    conv1d(f(9, 6), says="6 input channels", argument="groups", groups=4),
    conv1d(f(9, 6), says="4 filters", argument="groups", groups=3),
    conv1d(f(9, 6), says="both strides", argument="dilation_rate", strides=2, dilation_rate=2),
    conv1d(i(9, 6), says="needs floats, but got int32", input=0),
    conv1d(f(9, 6), says="positive", argument="kernel_size", kernel_size=0),
    conv1d(f(9, 6), says="must be 1 integers", argument="kernel_size", kernel_size=[3, 3]),
    refusal(
        "Conv2D", f("time", 8), says="(batch, height, width", input=0, filters=4, kernel_size=3
    ),
    refusal(
        "Conv2D",
        f(8, 9, 3),
        says="no causal padding",
        argument="padding",
        filters=4,
        kernel_size=3,
        padding="causal",
    ),
    refusal("Conv3D", i(4, 4, 4, 2), says="floats", input=0, filters=4, kernel_size=3),
    refusal(
        "Conv1DTranspose",
        f(9, 6),
        says="output padding of 2",
        argument="output_padding",
        filters=4,
        kernel_size=3,
        strides=2,
        output_padding=2,
    ),
    refusal(
        "Conv1DTranspose",
        f(9, 6),
        says="output padding of 0 and an even kernel of 2",
        argument="output_padding",
        filters=4,
        kernel_size=2,
        padding="same",
        output_padding=0,
    ),
    refusal(
        "Conv2DTranspose",
        f(9, 8, 6),
        says="output padding of 0 and an even kernel of 4",
        argument="output_padding",
        filters=4,
        kernel_size=(3, 4),
        strides=2,
        padding="same",
        output_padding=(1, 0),
    ),
    refusal("DepthwiseConv1D", f(2, 3), says="larger", argument="kernel_size", kernel_size=3),
    refusal("SeparableConv1D", b(9, 3), says="floats", input=0, filters=2, kernel_size=3),
    refusal("ConvLSTM1D", f(4, "width", 3), says="`width` of", input=0, filters=2, kernel_size=2),
    refusal("ConvLSTM1D", f(8, 3), says="(batch, time", input=0, filters=2, kernel_size=2),
    refusal(
        "ConvLSTM1D",
        f(4, 8, 3),
        says="not supported",
        argument="return_state",
        stricter=True,
        filters=2,
        kernel_size=2,
        return_state=True,
    ),
]

POOLING_REFUSALS = [
    refusal("MaxPooling1D", f(4, 4, 3), says="(batch, steps, channels)", input=0),
    refusal("MaxPooling1D", f(2, 3), says="larger than the 2", argument="pool_size", pool_size=3),
    refusal("MaxPooling1D", f(9, 3), says="positive", argument="strides", strides=0),
    refusal("AveragePooling1D", i(9, 3), says="floats", input=0),
    refusal("MaxPooling3D", i(4, 4, 4, 3), says="floats", input=0),
    refusal(
        "MaxPooling3D", f(4, 4, 4, 3), says="float64", argument="dtype_policy", policy="float64"
    ),
    refusal("GlobalMaxPooling1D", f(3), says="(batch, steps, channels)", input=0),
    refusal("AdaptiveMaxPooling1D", f(3), says="(batch, steps", input=0, output_size=2),
    refusal("AdaptiveAveragePooling2D", i(8, 8, 3), says="floats", input=0, output_size=2),
]
