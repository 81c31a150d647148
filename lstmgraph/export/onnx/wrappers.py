"""Lowering of layers that wrap another layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.export.onnx.stepwise import is_stepwise
from lstmgraph.export.onnx.values import Value
from lstmgraph.keras_facts.layers import layer_facts
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def time_distributed(call: Call) -> Name:
    """Lower TimeDistributed: the inner layer gets every step as a row."""
    arguments = call.arguments["layer"]
    if is_stepwise(call.op, call.arguments) and call.rank == 3:
        inner = replace(call, op=arguments["type"], arguments=arguments, mask=None)
        return call.lower(inner)
    step = TensorSpec((BATCH, *call.spec.shape[2:]), call.spec.dtype)
    steps = _reshaped(call, call.raw(), [-1], step, 2)
    facts = layer_facts(arguments["type"], arguments, [step], call.output.dtype)
    result = call.lower(
        replace(
            call,
            op=arguments["type"],
            arguments=arguments,
            inputs=(Value(steps, step),),
            output=TensorSpec(facts.output.shape, call.output.dtype),
            mask=None,
        )
    )
    whole = call.do("Shape", call.raw(), end=2)
    rest = call.sizes(facts.output.shape[1:], result, range(1, facts.output.rank))
    return call.do("Reshape", result, call.do("Concat", whole, rest, axis=0))


def fold(call: Call) -> Name:
    """Lower a fold of leading axes: (batch, segments, steps, ...) -> (batch * segments, ...)."""
    rest = call.do("Shape", call.raw(), start=call.arguments["axes"] + 1)
    shape = call.do("Concat", call.builder.ints(-1), rest, axis=0)
    return call.do("Reshape", call.x(), shape)


def unfold(call: Call) -> Name:
    """Lower an undone fold: (batch * segments, ...) -> (batch, segments, ...)."""
    rows = call.do("Shape", call.raw(1), end=call.arguments["axes"] + 1)
    rest = call.do("Shape", call.raw(), start=1)
    return call.do("Reshape", call.x(), call.do("Concat", rows, rest, axis=0))


def spectral_normalization(call: Call) -> Name:
    """Lower SpectralNormalization: after training the kernel is normalized already."""
    arguments = call.arguments["layer"]
    kernel, _vector, *rest = call.weights
    own = replace(call, op=arguments["type"], arguments=arguments, weights=[kernel, *rest])
    return call.lower(own)


def _reshaped(call: Call, x: Name, before: list[int], spec: TensorSpec, place: int) -> Name:
    """Reshape `x` to `before`, then to the sizes of `spec` from axis `place` of `x` on."""
    rest = call.sizes(spec.shape[1:], x, range(place, place + spec.rank - 1))
    return call.do("Reshape", x, call.do("Concat", call.builder.ints(*before), rest, axis=0))
