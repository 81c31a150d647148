"""Lowering of clipping, and of scaling by numbers that differ from row to row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.export.onnx.activations import formula
from lstmgraph.language.declaration.row_numbers import NARROWEST

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def clip(call: Call) -> Name:
    """Lower the move of numbers onto the limits of their columns."""
    limits = (call.arguments["low"], call.arguments["high"])
    low, high = (call.constant(each[0] if len(each) == 1 else each) for each in limits)
    return call.do("Min", call.do("Max", call.x(), low), high)


def change(call: Call) -> Name:
    """Lower each step less an earlier one; 0 where there is none."""
    build, x, steps = call.builder, call.x(), call.arguments["steps"]
    found, axis, end = x, build.ints(1), build.ints(np.iinfo(np.int64).max)
    for count in sorted({*steps} - {0}):
        later = call.do("Slice", x, build.ints(count), end, axis)
        earlier = call.do("Slice", x, build.ints(0), build.ints(-count), axis)
        first = call.do("Slice", x, build.ints(0), build.ints(count), axis)
        zeros = formula(call)("Mul", first, 0)
        apart = call.do("Concat", zeros, formula(call)("Sub", later, earlier), axis=1)
        own = build.constant([each == count for each in steps], "bool")
        found = call.do("Where", own, apart, found)
    return found


def of_series(call: Call) -> Name:
    """Lower center and spread of ids of series to a lookup of rows in their table."""
    ids = call.builder.cast(call.raw(), call.spec.dtype, "int64")
    ids = call.do("Reshape", ids, call.builder.ints(-1))
    return call.do("Gather", call.constant(call.arguments["table"]), ids, axis=0)


def of_window(call: Call) -> Name:
    """Lower center and spread of the steps of each history, (batch, 2, columns)."""
    own, build, f = call.arguments, call.builder, formula(call)
    places = [place for place in own["places"] if place >= 0]
    history = call.x()
    if call.rank == 2:  # one column, whose axis the recipe leaves out
        history = call.do("Unsqueeze", history, build.ints(2))
    values = call.do("Gather", history, build.ints(*places), axis=2)
    first = call.do("Slice", values, build.ints(0), build.ints(1), build.ints(1))
    values = f("Sub", values, first)
    steps = call.do("Shape", values, start=1, end=2)
    count, counted = build.cast(steps, "int64", call.dtype), None
    if len(call.inputs) == 2:
        lengths = build.cast(call.raw(1), call.inputs[1].spec.dtype, "int64")
        ends = call.do("Unsqueeze", lengths, build.ints(1, 2))
        zero, one = build.constant(0, "int64"), build.constant(1, "int64")
        numbers = call.do("Range", zero, call.do("Squeeze", steps), one)
        counted = call.do("Less", call.do("Unsqueeze", numbers, build.ints(0, 2)), ends)
        values = call.do("Where", counted, values, call.constant(0))
        count = f("Max", build.cast(ends, "int64", call.dtype), 1)
    mean = f("Div", f("ReduceSum", values, build.ints(1)), count)
    apart = f("Sub", values, mean)
    if counted is not None:
        apart = call.do("Where", counted, apart, call.constant(0))
    deviation = f("Sqrt", f("Div", f("ReduceSum", f("Mul", apart, apart), build.ints(1)), count))
    low, high = f("ReduceMin", values, build.ints(1)), f("ReduceMax", values, build.ints(1))
    pairs = zip(own["scales"], own["places"], strict=True)
    scales = [scale == "min_max" for scale, place in pairs if place >= 0]
    is_range = build.constant(np.reshape(scales, (1, 1, -1)), "bool")
    center = f("Add", call.do("Where", is_range, low, mean), first)
    spread = call.do("Where", is_range, f("Sub", high, low), deviation)
    is_narrow = call.do("Less", spread, call.constant(NARROWEST))
    spread = call.do("Where", is_narrow, call.constant(1), spread)
    found = call.do("Concat", center, spread, axis=1)
    if len(places) == len(own["places"]):
        return found
    one = call.do("Slice", found, build.ints(0), build.ints(1), build.ints(2))
    found = call.do("Concat", found, f("Mul", one, 0), axis=2)
    numbers_of = iter(range(len(places)))
    order = [next(numbers_of) if place >= 0 else len(places) for place in own["places"]]
    fixed = call.constant([[own["centers"], own["spreads"]]])
    return f("Add", call.do("Gather", found, build.ints(*order), axis=2), fixed)


def by_row(call: Call) -> Name:
    """Lower the scaling of values by the numbers of their row, or its inverse."""
    f, ints = formula(call), call.builder.ints
    numbers, moves = call.x(1), call.arguments["moves"]
    center, spread = (call.do("Slice", numbers, ints(at), ints(at + 1), ints(1)) for at in (0, 1))
    columns = int(call.inputs[1].spec.shape[-1] or 1)
    if moves is not None:
        moved = np.array([[float(bool(each)) for each in moves]])
        sized = np.array([[float(each is not None) for each in moves]])
        center = call.do("Mul", center, call.constant(moved))
        spread = call.do("Mul", spread, call.constant(sized))
        spread = call.do("Add", spread, call.constant(1 - sized))
        columns = len(moves)
    shape = [-1] + [1] * (call.rank - 1)
    if columns > 1:
        shape[-1 - call.arguments["behind"]] = columns
    center, spread = (call.do("Reshape", each, ints(*shape)) for each in (center, spread))
    if call.arguments["invert"]:
        return f("Add", f("Mul", call.x(), spread), center)
    return f("Div", f("Sub", call.x(), center), spread)
