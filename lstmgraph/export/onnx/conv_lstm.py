"""Lowering of ConvLSTM1D..3D to a Scan over the steps, as ONNX has no operator for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from onnx import helper

from lstmgraph.export.onnx.activations import activated
from lstmgraph.export.onnx.builder import ELEMENT_TYPES
from lstmgraph.export.onnx.convolution import (
    channels_as_given,
    channels_first,
    convolved,
    kernel_first,
    padding,
)
from lstmgraph.export.onnx.values import Value
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

    from lstmgraph.export.onnx.builder import Builder, Name
    from lstmgraph.export.onnx.call import Call


def conv_lstm(call: Call) -> Name:
    """Lower ConvLSTM: the last output or all of them; a masked step keeps the states."""
    b = call.builder
    inputs = _convolved_inputs(call)
    zeros = b.op("Expand", call.constant(0), _state_shape(call))
    scanned, backwards = [inputs], int(call.arguments["go_backwards"])
    if call.mask:
        scanned.append(b.op("Transpose", call.mask, perm=[1, 0]))
    last, _, sequence = b.ops(
        "Scan",
        [zeros, zeros, *scanned],
        3,
        num_scan_inputs=len(scanned),
        scan_input_directions=[backwards] * len(scanned),
        body=_step(call),
    )
    if not call.arguments["return_sequences"]:
        if _zeroes_padded(call):
            last = b.op("Gather", sequence, b.constant(-1, "int64"), axis=0)
        return channels_as_given(_one_step(call, ""), last)
    perm = [1, 0, *range(2, call.rank)]
    if call.arguments["data_format"] != "channels_first":
        perm = [1, 0, *range(3, call.rank), 2]
    return b.op("Transpose", sequence, perm=perm)


def _zeroes_padded(call: Call) -> bool:
    """Return whether padded steps give zeros, rather than repeat the last output."""
    return call.mask is not None and bool(call.arguments["zero_output_for_mask"])


def _one_step(call: Call, x: Name) -> Call:
    """Return the call with steps as rows."""
    shape = call.spec.shape
    spec = TensorSpec((BATCH, *shape[2:]), call.dtype)
    return replace(call, inputs=(Value(x, spec),))


def _convolved_inputs(call: Call) -> Name:
    """Return the inputs convolved, all steps at once: (time, batch, 4 * filters, ...)."""
    b = call.builder
    by_time = b.op("Transpose", call.x(), perm=[1, 0, *range(2, call.rank)])
    rows = b.op("Reshape", by_time, b.ints(-1, *(int(size) for size in call.spec.shape[2:])))
    step = _one_step(call, rows)
    bias = [call.constant(call.weight(2))] if call.arguments["use_bias"] else []
    kernel = kernel_first(call.weight(0))
    found = convolved(step, channels_first(step, rows), kernel, bias=bias)
    steps = call.sizes([call.spec.shape[1]], by_time, [0])
    filters = 4 * call.arguments["filters"]
    shape = b.op("Concat", steps, b.ints(-1, filters, *_places(call)), axis=0)
    return b.op("Reshape", found, shape)


def _places(call: Call) -> list[int]:
    """Return the sizes of an output, without its channels."""
    sizes = call.output.shape[2 if call.arguments["return_sequences"] else 1 :]
    kept = sizes[1:] if call.arguments["data_format"] == "channels_first" else sizes[:-1]
    return [int(size) for size in kept]


def _state_shape(call: Call) -> Name:
    b = call.builder
    return b.op("Concat", call.batch, b.ints(call.arguments["filters"], *_places(call)), axis=0)


def _step(call: Call) -> GraphProto:
    """Return the body of the Scan: h, c and a step's inputs -> h, c, and h as the output."""
    b = call.builder.body("step")
    h, c, x, counts = (f"{b.scope}/{name}" for name in ("h", "c", "x", "counts"))
    new_h, new_c = _gates(call, b, h, c, x)
    read = [(h, call.dtype), (c, call.dtype), (x, call.dtype)]
    if call.mask:
        rank = 2 + len(_places(call))
        counting = b.op("Reshape", counts, b.ints(-1, *[1] * (rank - 1)))
        new_h, new_c = (b.op("Where", counting, new, old) for new, old in ((new_h, h), (new_c, c)))
        read.append((counts, "bool"))
    output = b.op("Identity", new_h)
    if _zeroes_padded(call):
        output = b.op("Where", counting, new_h, b.constant(0, call.dtype))
    made = [(name, call.dtype) for name in (new_h, new_c, output)]
    call.builder.adopt_constants(b)
    return helper.make_graph(b.nodes, b.scope, _infos(read), _infos(made))


def _infos(tensors: list[tuple[Name, str]]) -> list[ValueInfoProto]:
    """Return names and dtypes as ONNX wants them; the sizes follow from the nodes."""
    return [
        helper.make_tensor_value_info(name, ELEMENT_TYPES[dtype], None) for name, dtype in tensors
    ]


def _gates(call: Call, b: Builder, h: Name, c: Name, x: Name) -> tuple[Name, Name]:
    """Return the next h and c, from the gates i, f, c, o."""
    kernel = kernel_first(call.weight(1))
    sizes = kernel.shape[2:]
    same = padding("same", sizes, [1] * len(sizes))
    recurrent = b.op("Conv", h, b.constant(kernel, call.dtype), **same)
    gates = b.ops("Split", [b.op("Add", x, recurrent)], 4, axis=1, num_outputs=4)
    named = [call.arguments[name] for name in ("recurrent_activation", "activation")]
    gate = [activated(b, gates[place], named[0], call.dtype) for place in (0, 1, 3)]
    candidate = activated(b, gates[2], named[1], call.dtype)
    new_c = b.op("Add", b.op("Mul", gate[1], c), b.op("Mul", gate[0], candidate))
    return b.op("Mul", gate[2], activated(b, new_c, named[1], call.dtype)), new_c
