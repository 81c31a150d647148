"""Lowering of layers that merge inputs, and of the graph's own operations."""

from __future__ import annotations

from string import ascii_letters
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.compiler.passes.loops import is_sequence
from lstmgraph.export.onnx.activations import formula

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call

FOLDED = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Maximum": "Max", "Minimum": "Min"}
"""The operator of each layer, which merges two inputs at a time."""


def elementwise(call: Call) -> Name:
    """Lower Add, Subtract, Multiply, Maximum or Minimum."""
    first, *others = aligned(call)
    for other in others:
        first = call.do(FOLDED[call.op], first, other)
    return first


def average(call: Call) -> Name:
    """Lower Average."""
    first, *others = aligned(call)
    for other in others:
        first = call.do("Add", first, other)
    return formula(call)("Div", first, len(call.inputs))


def aligned(call: Call) -> list[Name]:
    """Return the inputs with equal ranks: axes of size 1 are added after the batch."""
    ranks = [value.spec.rank for value in call.inputs]
    tensors = []
    for index, rank in enumerate(ranks):
        missing = list(range(1, 1 + max(ranks) - rank))
        x = call.x(index)
        tensors.append(call.do("Unsqueeze", x, call.builder.ints(*missing)) if missing else x)
    return tensors


def concatenate(call: Call) -> Name:
    """Lower Concatenate along an axis."""
    inputs = [call.x(index) for index in range(len(call.inputs))]
    return call.do("Concat", *inputs, axis=call.arguments["axis"] % call.rank)


def dot(call: Call) -> Name:
    """Lower Dot: a sum of products over one axis of each input, optionally normalized."""
    given = call.arguments["axes"]
    ranks = [value.spec.rank for value in call.inputs]
    pair = [given, given] if isinstance(given, int) else given
    axes = [axis % rank for axis, rank in zip(pair, ranks, strict=True)]
    inputs = [call.x(index) for index in range(2)]
    if call.arguments["normalize"]:
        inputs = [unit_length(call, x, [axis]) for x, axis in zip(inputs, axes, strict=True)]
    equation, is_vector = _dot_equation(ranks, axes)
    products = call.do("Einsum", *inputs, equation=equation)
    return call.do("Unsqueeze", products, call.builder.ints(1)) if is_vector else products


def _dot_equation(ranks: Sequence[int], axes: Sequence[int]) -> tuple[str, bool]:
    """Return an equation such as ``abc,adc->abd``, and whether only the batch is left."""
    first = list(ascii_letters[: ranks[0]])
    second = ["a", *ascii_letters[ranks[0] : ranks[0] + ranks[1] - 1]]
    summed = first[axes[0]]
    second[axes[1]] = summed
    rest = [one for one in first if one != summed] + [
        one for one in second if one not in ("a", summed)
    ]
    return f"{''.join(first)},{''.join(second)}->{''.join(rest)}", len(rest) == 1


def unit_length(call: Call, x: Name, axes: Sequence[int]) -> Name:
    """Return `x` divided by its length over `axes`, whose square is at least 1e-12."""
    f = formula(call)
    length = f("Sqrt", f("ReduceSum", f("Mul", x, x), call.builder.ints(*axes)))
    return f("Div", x, f("Max", length, 1e-12))


def join(call: Call) -> Name:
    """Lower a join of sequences and static features: (time, batch, features).

    Time comes first, as a recurrent layer reads it.
    """
    sequence = next(i for i, value in enumerate(call.inputs) if value.spec.rank == 3)
    steps = call.inputs[sequence].spec.shape[1]
    shape = call.sizes([steps, 1, 1], call.raw(sequence), [0, 1, 2])
    parts = [
        call.x(index)
        if value.spec.rank == 3
        else call.do("Expand", call.do("Unsqueeze", call.x(index), call.builder.ints(0)), shape)
        for index, value in enumerate(call.inputs)
    ]
    return call.do("Concat", *parts, axis=2)


def repeat(call: Call) -> Name:
    """Lower a repetition along an axis of the second input: (batch, steps, features)."""
    axis = call.arguments["axis"]
    steps = call.do("Shape", call.raw(1), start=axis, end=axis + 1)
    shape = call.do("Concat", call.builder.ints(1), steps, call.builder.ints(1), axis=0)
    return call.do("Expand", call.do("Unsqueeze", call.x(), call.builder.ints(1)), shape)


def constant_state(call: Call) -> Name:
    """Lower a constant state: (batch, units) with the same numbers in every row."""
    value, units = call.arguments["value"], call.arguments["units"]
    row = np.broadcast_to(np.asarray(value, "float64"), (1, units))
    shape = call.do("Concat", call.batch, call.builder.ints(1), axis=0)
    return call.do("Expand", call.constant(row), shape)


def row_ids(call: Call) -> Name:
    """Lower row ids: the id 0 for every row."""
    return call.do("Expand", call.constant(0), call.batch)


def step(call: Call) -> Name:
    """Lower one step of a sequence: (batch, 1, ...). The steps of a sequence are one Split."""
    index: int = call.arguments["index"]
    return call.builder.steps(call.x(), call.arguments["steps"])[index]


def stack(call: Call) -> Name:
    """Lower the results of the steps of a loop, after each other along time."""
    results = [call.x(index) for index in range(len(call.inputs))]
    if not is_sequence(call.spec):
        results = [call.do("Unsqueeze", x, call.builder.ints(1)) for x in results]
    return call.do("Concat", *results, axis=1)


def full(call: Call) -> Name:
    """Lower a tensor (batch, *shape) with the same value everywhere."""
    shape = call.arguments["shape"]
    rows = np.full((1, *shape), call.arguments["value"], "float64")
    sizes = call.do("Concat", call.batch, call.builder.ints(*shape), axis=0)
    return call.do("Expand", call.constant(rows), sizes if shape else call.batch)


def add_season(call: Call) -> Name:
    """Lower the sum of a forecast and the last steps of a history, over and over."""
    own, build = call.arguments, call.builder
    columns, period, horizon = list(own["columns"]), own["period"], own["horizon"]
    places = np.arange(horizon) % period
    history = call.x(1)
    if call.inputs[1].spec.rank == 2:  # one column, whose axis the recipe leaves out
        history = call.do("Unsqueeze", history, build.ints(2))
    values = call.do("Gather", history, build.ints(*columns), axis=2)
    if len(call.inputs) == 2:
        ends = build.ints(np.iinfo(np.int64).max)
        last = call.do("Slice", values, build.ints(-period), ends, build.ints(1))
        values = call.do("Gather", last, build.ints(*places.tolist()), axis=1)
    else:
        lengths = build.cast(call.raw(2), call.inputs[2].spec.dtype, "int64")
        ends = call.do("Unsqueeze", lengths, build.ints(1, 2))
        offsets = build.constant((places - period).reshape(1, -1, 1), "int64")
        sizes = call.do("Concat", call.batch, build.ints(horizon, len(columns)), axis=0)
        rows = call.do("Expand", call.do("Add", ends, offsets), sizes)
        values = call.do("GatherElements", values, rows, axis=1)
    if own["parameters"]:
        values = call.do("Mul", values, call.constant(np.eye(1, own["parameters"])))
    elif call.rank == 2:
        values = call.do("Squeeze", values, build.ints(2))
    elif call.rank == 4:
        values = call.do("Unsqueeze", values, build.ints(3))
    return call.do("Add", call.x(), values)
