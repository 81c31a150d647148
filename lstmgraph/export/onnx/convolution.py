"""Lowering of convolution and pooling; ONNX has channels first, Keras mostly last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.export.onnx.activations import activated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def conv(call: Call) -> Name:
    """Lower Conv1D..3D."""
    x = channels_first(call, call.x())
    kernel, groups = kernel_first(call.weight(0)), call.arguments["groups"]
    return _finished(call, convolved(call, x, kernel, groups, _bias(call, 1)))


def depthwise_conv(call: Call) -> Name:
    """Lower DepthwiseConv1D and 2D, which convolve each channel separately."""
    x = channels_first(call, call.x())
    kernel = _one_group_a_channel(call.weight(0))
    return _finished(call, convolved(call, x, kernel, _channels(call), _bias(call, 1)))


def separable_conv(call: Call) -> Name:
    """Lower SeparableConv1D and 2D: each channel separately, then all channels per point."""
    kernel = _one_group_a_channel(call.weight(0))
    x = convolved(call, channels_first(call, call.x()), kernel, _channels(call))
    pointwise = call.constant(kernel_first(call.weight(1)))
    return _finished(call, call.do("Conv", x, pointwise, *_bias(call, 2)))


def conv_transpose(call: Call) -> Name:
    """Lower Conv1DTranspose..3DTranspose like TensorFlow, as the gradient of a convolution."""
    kernel = np.moveaxis(call.weight(0), (-1, -2), (0, 1))
    strides, dilations = _each(call, "strides"), _each(call, "dilation_rate")
    before, after, more = [], [], []
    for axis, size in enumerate(kernel.shape[2:]):
        pads = _transpose_pads(call, axis, (size - 1) * dilations[axis] + 1, strides[axis])
        before.append(pads[0])
        after.append(pads[1])
        more.append(pads[2])
    x = call.do(
        "ConvTranspose",
        channels_first(call, call.x()),
        call.constant(kernel),
        *_bias(call, 1),
        strides=strides,
        dilations=dilations,
        pads=[*before, *after],
        output_padding=more,
    )
    return _finished(call, x)


def _transpose_pads(call: Call, axis: int, size: int, stride: int) -> tuple[int, int, int]:
    """Return what to cut off before and after, and what to add at the end."""
    given = call.arguments["output_padding"]
    more = given if given is None or isinstance(given, int) else given[axis]
    if call.arguments["padding"].lower() == "valid":
        return 0, 0, max(stride - size, 0) if more is None else more
    cut = size - stride if more is None else size - size % 2 - more
    return (max(cut, 0) // 2, max(cut, 0) - max(cut, 0) // 2, max(-cut, 0))


def convolved(
    call: Call, x: Name, kernel: np.ndarray, groups: int = 1, bias: Sequence[Name] = ()
) -> Name:
    """Return a convolution with the call's strides, dilation and padding, channels first."""
    strides, dilations = _each(call, "strides"), _each(call, "dilation_rate")
    sizes = [
        (size - 1) * dilation + 1
        for size, dilation in zip(kernel.shape[2:], dilations, strict=True)
    ]
    return call.do(
        "Conv",
        x,
        call.constant(kernel),
        *bias,
        group=groups,
        strides=strides,
        dilations=dilations,
        **padding(call.arguments["padding"].lower(), sizes, strides),
    )


def padding(kind: str, sizes: Sequence[int], strides: Sequence[int]) -> dict[str, Any]:
    """Return the attributes for ``valid``, ``same`` or ``causal``."""
    if kind == "valid":
        return {}
    if kind == "causal":
        return {"pads": [*(size - 1 for size in sizes), *[0] * len(sizes)]}
    if max(strides) > 1:  # depends on the input's size
        return {"auto_pad": "SAME_UPPER"}
    before = [(size - 1) // 2 for size in sizes]
    after = [size - 1 - less for size, less in zip(sizes, before, strict=True)]
    return {"pads": [*before, *after]}


def pooling(call: Call) -> Name:
    """Lower MaxPooling and AveragePooling; padding does not count."""
    windows = _each(call, "pool_size")
    strides = windows if call.arguments["strides"] is None else _each(call, "strides")
    kind = "MaxPool" if "Max" in call.op else "AveragePool"
    x = channels_first(call, call.x())
    if call.dtype == "int64":  # MaxPool has no integers; float64 holds those of int32
        x = call.builder.cast(x, "int64", "float64")
    attributes = padding(call.arguments["padding"], windows, strides)
    found = call.do(kind, x, kernel_shape=windows, strides=strides, **attributes)
    if call.dtype == "int64":
        found = call.builder.cast(found, "float64", "int64")
    return channels_as_given(call, found)


def global_pooling(call: Call) -> Name:
    """Lower GlobalMaxPooling and GlobalAveragePooling, which leave out masked steps."""
    b, x = call.builder, call.x()
    is_first = call.arguments["data_format"] == "channels_first"
    axes = b.ints(*(range(2, call.rank) if is_first else range(1, call.rank - 1)))
    keepdims = int(call.arguments["keepdims"])
    kind = "Max" if "Max" in call.op else "Mean"
    if call.mask is None:
        return call.do(f"Reduce{kind}", x, axes, keepdims=keepdims)
    counts = b.op("Unsqueeze", call.mask, b.ints(1 if is_first else 2))
    if kind == "Max":
        least = call.constant(np.iinfo("int32").min if "int" in call.dtype else -3e38)
        found = call.do("ReduceMax", call.do("Where", counts, x, least), axes, keepdims=keepdims)
        some = call.do("ReduceMax", b.cast(counts, "bool", call.dtype), axes, keepdims=keepdims)
        return call.do("Mul", found, some)  # 0 for a row without a counted step
    kept = call.do("Where", counts, x, call.constant(0))
    number = call.do("ReduceSum", b.cast(counts, "bool", call.dtype), axes, keepdims=keepdims)
    number = call.do("Max", number, call.constant(1))  # of no steps the mean is 0
    return call.do("Div", call.do("ReduceSum", kept, axes, keepdims=keepdims), number)


def channels_first(call: Call, x: Name) -> Name:
    """Return the tensor as (batch, channels, height, width)."""
    if call.arguments["data_format"] == "channels_first":
        return x
    return call.do("Transpose", x, perm=[0, call.rank - 1, *range(1, call.rank - 1)])


def channels_as_given(call: Call, x: Name) -> Name:
    """Return a channels-first tensor in the layout of the call."""
    if call.arguments["data_format"] == "channels_first":
        return x
    return call.do("Transpose", x, perm=[0, *range(2, call.rank), 1])


def kernel_first(kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel: (height, width, in, out) -> (out, in, height, width)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _one_group_a_channel(kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel: (height, width, in, each) -> (in * each, 1, height, width)."""
    sizes = kernel.shape[:-2]
    return np.moveaxis(kernel.reshape(*sizes, 1, -1), (-1, -2), (0, 1))


def _channels(call: Call) -> int:
    axis = 1 if call.arguments["data_format"] == "channels_first" else -1
    return int(call.spec.shape[axis])


def _bias(call: Call, index: int) -> list[Name]:
    """Return the bias, which is the weight `index`; empty if the layer has none."""
    return [call.constant(call.weight(index))] if call.arguments["use_bias"] else []


def _finished(call: Call, x: Name) -> Name:
    """Return the activated result in the layout of the call."""
    x = channels_as_given(call, x)
    return activated(call.builder, x, call.arguments["activation"], call.dtype)


def _each(call: Call, argument: str) -> list[int]:
    """Return an argument as one value per spatial axis."""
    value = call.arguments[argument]
    return [value] * (call.rank - 2) if isinstance(value, int) else list(value)
