"""Lowering of normalization layers; trained statistics become a scale and a shift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.export.onnx.activations import formula
from lstmgraph.export.onnx.merging import unit_length

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call

EPSILON = 1e-7
"""``keras.config.epsilon()``, the smallest deviation that Normalization divides by."""


def batch_normalization(call: Call) -> Name:
    """Lower BatchNormalization with its moving mean and variance."""
    weights = [call.weight(index) for index in range(len(call.weights))]
    scale = weights.pop(0) if call.arguments["scale"] else np.ones(())
    shift = weights.pop(0) if call.arguments["center"] else np.zeros(())
    mean, variance = weights[:2]
    factor = scale / np.sqrt(variance + call.arguments["epsilon"])
    axes = call.axes(call.arguments["axis"])
    f = formula(call)
    scaled = f("Mul", call.x(), call.constant(_along(call, factor, axes)))
    return f("Add", scaled, call.constant(_along(call, shift - mean * factor, axes)))


def layer_normalization(call: Call) -> Name:
    """Lower LayerNormalization over its axes."""
    weights = [call.weight(index) for index in range(len(call.weights))]
    axes = call.axes(call.arguments["axis"])
    shape = [call.spec.shape[axis] for axis in axes]
    scale = weights.pop(0) if call.arguments["scale"] else np.ones([int(size) for size in shape])
    epsilon = call.arguments["epsilon"]
    if axes == list(range(axes[0], call.rank)):
        shift = [call.constant(weights[0])] if call.arguments["center"] else []
        return call.do(
            "LayerNormalization",
            call.x(),
            call.constant(scale),
            *shift,
            axis=axes[0],
            epsilon=epsilon,
        )
    f = formula(call)
    scaled = f("Mul", _standard(call, call.x(), axes), call.constant(_along(call, scale, axes)))
    if not call.arguments["center"]:
        return scaled
    return f("Add", scaled, call.constant(_along(call, weights[0], axes)))


def group_normalization(call: Call) -> Name:
    """Lower GroupNormalization, over each group of channels in a row."""
    (axis,) = call.axes(call.arguments["axis"])
    last = [*(place for place in range(call.rank) if place != axis), axis]
    x = call.x() if axis == call.rank - 1 else call.do("Transpose", call.x(), perm=last)
    size = int(call.spec.shape[axis])
    groups = size if call.arguments["groups"] == -1 else call.arguments["groups"]
    apart = call.builder.ints(*[0] * (call.rank - 1), groups, size // groups)
    grouped = call.do("Reshape", x, apart)
    axes = [*range(1, call.rank - 1), call.rank]
    normal = _standard(call, grouped, axes)
    joined = call.do("Reshape", normal, call.builder.ints(*[0] * (call.rank - 1), size))
    f, weights = formula(call), list(range(len(call.weights)))
    if call.arguments["scale"]:
        joined = f("Mul", joined, call.constant(call.weight(weights.pop(0))))
    if call.arguments["center"]:
        joined = f("Add", joined, call.constant(call.weight(weights.pop(0))))
    if axis == call.rank - 1:
        return joined
    return call.do("Transpose", joined, perm=np.argsort(last).tolist())


def rms_normalization(call: Call) -> Name:
    """Lower RMSNormalization: a division by the root mean square."""
    f, x = formula(call), call.x()
    axes = call.axes(call.arguments["axis"])
    mean = f("ReduceMean", f("Mul", x, x), call.builder.ints(*axes))
    root = f("Sqrt", f("Add", mean, call.arguments["epsilon"]))
    return f("Mul", f("Div", x, root), call.constant(_along(call, call.weight(0), axes)))


def unit_normalization(call: Call) -> Name:
    """Lower UnitNormalization, which scales to length 1."""
    return unit_length(call, call.x(), call.axes(call.arguments["axis"]))


def normalization(call: Call) -> Name:
    """Lower Normalization with the recipe's mean and variance."""
    axis = call.arguments["axis"]
    axes = [] if axis is None else call.axes(axis)
    mean, variance = (
        _along(call, np.asarray(call.arguments[name], "float64"), axes)
        for name in ("mean", "variance")
    )
    deviation = np.maximum(np.sqrt(variance), EPSILON)
    f, x = formula(call), call.x()
    if call.arguments["invert"]:
        return f("Add", call.constant(mean), f("Mul", x, call.constant(deviation)))
    return f("Div", f("Sub", x, call.constant(mean)), call.constant(deviation))


def _standard(call: Call, x: Name, axes: list[int]) -> Name:
    """Return `x` minus its mean over `axes`, divided by its deviation."""
    f, places = formula(call), call.builder.ints(*axes)
    centred = f("Sub", x, f("ReduceMean", x, places))
    variance = f("ReduceMean", f("Mul", centred, centred), places)
    return f("Div", centred, f("Sqrt", f("Add", variance, call.arguments["epsilon"])))


def _along(call: Call, values: np.ndarray, axes: list[int]) -> np.ndarray:
    """Return `values`, sized like `axes` or the last of them, with 1 for all other axes."""
    shape = [1] * call.rank
    if values.ndim:
        for axis, size in zip(axes[-values.ndim :], values.shape, strict=True):
            shape[axis] = size
    return values.reshape(shape)
