"""Lowering of forecasts of chances: quantiles in order, and parameters of distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.keras_facts.distributions import ANY_NUMBER, LOWEST, PARAMETERS

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def quantiles(call: Call) -> Name:
    """Lower numbers in order: TopK finds the smallest, as many as there are."""
    return _in_order(call, call.x())


def _in_order(call: Call, x: Name) -> Name:
    count = int(call.output.shape[-1])
    if count == 1:
        return x
    smallest = [x, call.builder.ints(count)]
    return call.builder.ops("TopK", smallest, 2, axis=call.rank - 1, largest=0)[0]


def intervals(call: Call) -> Name:
    """Lower quantiles with their offsets, which the mean change in a season multiplies."""
    own, build = call.arguments, call.builder
    offsets = np.array(own["offsets"])
    if len(offsets) > 1:
        offsets = offsets.reshape([int(size) for size in call.output.shape[1:]])
    added = call.constant(offsets)
    if own["season"]:
        ints, season, columns = build.ints, own["season"], own["columns"]
        history = call.x(1)
        if call.inputs[1].spec.rank == 2:  # one column, whose axis the recipe leaves out
            history = call.do("Unsqueeze", history, ints(2))
        values = call.do("Gather", history, ints(*columns), axis=2)
        ends = ints(np.iinfo(np.int64).max)
        later = call.do("Slice", values, ints(season), ends, ints(1))
        before = call.do("Slice", values, ints(0), ints(-season), ints(1))
        changes = call.do("Abs", call.do("Sub", later, before))
        change = call.do("ReduceMean", changes, ints(1), keepdims=0)
        change = call.do("Max", change, call.constant(own["smallest"]))
        several = (len(columns),) if len(columns) > 1 else ()
        shape = (-1, *[1] * (call.rank - 2 - len(several)), *several, 1)
        added = call.do("Mul", call.do("Reshape", change, ints(*shape)), added)
    return _in_order(call, call.do("Add", call.x(), added))


def parameters(call: Call) -> Name:
    """Lower parameters of a distribution: the softplus of those that must be positive."""
    kinds = list(PARAMETERS[call.arguments["distribution"]].values())
    x, free = call.x(), np.array([kind == ANY_NUMBER for kind in kinds])
    positive = call.do("Softplus", x)
    chosen = call.do("Where", call.builder.constant(free, "bool"), x, positive)
    return call.do("Add", chosen, call.constant(np.array([LOWEST[kind] for kind in kinds])))
