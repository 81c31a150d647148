"""Lowering of layers that move, repeat, crop or pad values, or change nothing at inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.export.onnx.activations import formula

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call

TO_THE_END = np.iinfo("int64").max


def identity(call: Call) -> Name:
    """Lower dropout, noise or regularization, which do nothing at inference."""
    return call.x()


def flatten(call: Call) -> Name:
    """Lower Flatten: (batch, a, b) -> (batch, a * b)."""
    x = call.x()
    if call.arguments["data_format"] == "channels_first" and call.rank > 2:
        x = call.do("Transpose", x, perm=[0, *range(2, call.rank), 1])
    return call.do("Reshape", x, call.builder.ints(0, -1))


def reshape(call: Call) -> Name:
    """Lower Reshape: (batch, ...) -> (batch, *target_shape)."""
    return call.do("Reshape", call.x(), call.builder.ints(0, *call.arguments["target_shape"]))


def permute(call: Call) -> Name:
    """Lower Permute."""
    return call.do("Transpose", call.x(), perm=[0, *call.arguments["dims"]])


def repeat_vector(call: Call) -> Name:
    """Lower RepeatVector: (batch, features) -> (batch, n, features)."""
    row = call.do("Unsqueeze", call.x(), call.builder.ints(1))
    return call.do("Expand", row, call.builder.ints(1, call.arguments["n"], 1))


def cropping(call: Call) -> Name:
    """Lower Cropping1D..3D."""
    axes, pairs = spatial_axes(call), _pairs(call, "cropping")
    starts = [before for before, _ in pairs]
    ends = [-after if after else TO_THE_END for _, after in pairs]
    b = call.builder
    return call.do("Slice", call.x(), b.ints(*starts), b.ints(*ends), b.ints(*axes))


def zero_padding(call: Call) -> Name:
    """Lower ZeroPadding1D..3D."""
    axes, pairs = spatial_axes(call), _pairs(call, "padding")
    sizes = [size for place in (0, 1) for size in (pair[place] for pair in pairs)]
    b = call.builder
    return call.do("Pad", call.x(), b.ints(*sizes), call.constant(0), b.ints(*axes))


def up_sampling(call: Call) -> Name:
    """Lower UpSampling1D..3D of nearest values, which repeats every index."""
    size = call.arguments["size"]
    axes = spatial_axes(call)
    x, b = call.x(), call.builder
    for axis, factor in zip(
        axes, [size] * len(axes) if isinstance(size, int) else size, strict=True
    ):
        length = call.spec.shape[axis]
        if isinstance(length, int):
            places = b.ints(*(index // factor for index in range(length * factor)))
        else:
            times = b.constant(factor, "int64")
            end = b.op("Mul", b.op("Squeeze", b.op("Shape", x, start=axis, end=axis + 1)), times)
            zero, one = b.constant(0, "int64"), b.constant(1, "int64")
            places = b.op("Div", b.op("Range", zero, end, one), times)
        x = call.do("Gather", x, places, axis=axis)
    return x


def rescaling(call: Call) -> Name:
    """Lower Rescaling: x * scale + offset."""
    scaled = formula(call)("Mul", call.x(), call.constant(call.arguments["scale"]))
    return call.do("Add", scaled, call.constant(call.arguments["offset"]))


def masking(call: Call) -> Name:
    """Lower Masking: zeros where every feature is ``mask_value``, the inverse of `call.mask`."""
    counts = call.do("Unsqueeze", call.mask or "", call.builder.ints(-1))
    return formula(call)("Where", counts, call.x(), 0)


def category_encoding(call: Call) -> Name:
    """Lower CategoryEncoding: multi-hot, counts, or one-hot."""
    b, mode = call.builder, call.arguments["output_mode"]
    ids = b.cast(call.raw(), call.spec.dtype, "int64")
    if mode != "one_hot" or call.rank == 1 or call.spec.shape[-1] != 1:
        ids = b.op("Unsqueeze", ids, b.ints(-1))
    is_id = b.op("Equal", ids, b.ints(*range(call.arguments["num_tokens"])))
    found = b.cast(is_id, "bool", call.dtype)
    if mode == "one_hot":
        return found
    reduce = "ReduceSum" if mode == "count" else "ReduceMax"
    return call.do(reduce, found, b.ints(1), keepdims=0)


def spatial_axes(call: Call) -> list[int]:
    """Return the axes of time, or of height and width."""
    if call.arguments.get("data_format") == "channels_first":
        return list(range(2, call.rank))
    return list(range(1, call.rank - 1))


def _pairs(call: Call, argument: str) -> list[tuple[int, int]]:
    """Return an argument as (before, after) for each spatial axis."""
    value, dimensions = call.arguments[argument], call.rank - 2
    if dimensions == 1 and not isinstance(value, int):
        value = [value]
    entries = [value] * dimensions if isinstance(value, int) else value
    return [(one, one) if isinstance(one, int) else (one[0], one[1]) for one in entries]
