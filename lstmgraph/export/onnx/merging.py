"""Layers that merge several inputs, and the graph's own operations."""

from __future__ import annotations

from string import ascii_letters
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.export.onnx.activations import formula

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call

FOLDED = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Maximum": "Max", "Minimum": "Min"}
"""The operator that merges two inputs at a time."""


def elementwise(call: Call) -> Name:
    """Add, Subtract, Multiply, Maximum, Minimum."""
    first, *others = aligned(call)
    for other in others:
        first = call.do(FOLDED[call.op], first, other)
    return first


def average(call: Call) -> Name:
    """Average."""
    first, *others = aligned(call)
    for other in others:
        first = call.do("Add", first, other)
    return formula(call)("Div", first, len(call.inputs))


def aligned(call: Call) -> list[Name]:
    """The inputs; where one has fewer axes, ones after its batch make up for them."""
    ranks = [value.spec.rank for value in call.inputs]
    found = []
    for index, rank in enumerate(ranks):
        missing = list(range(1, 1 + max(ranks) - rank))
        x = call.x(index)
        found.append(call.do("Unsqueeze", x, call.builder.ints(*missing)) if missing else x)
    return found


def concatenate(call: Call) -> Name:
    """Concatenate along an axis."""
    inputs = [call.x(index) for index in range(len(call.inputs))]
    return call.do("Concat", *inputs, axis=call.arguments["axis"] % call.rank)


def dot(call: Call) -> Name:
    """Dot: the sum of products over one axis of each, row by row; normalized where asked for."""
    given = call.arguments["axes"]
    ranks = [value.spec.rank for value in call.inputs]
    pair = [given, given] if isinstance(given, int) else given
    axes = [axis % rank for axis, rank in zip(pair, ranks, strict=True)]
    inputs = [call.x(index) for index in range(2)]
    if call.arguments["normalize"]:
        inputs = [unit_length(call, x, [axis]) for x, axis in zip(inputs, axes, strict=True)]
    equation, is_vector = _dot_equation(ranks, axes)
    found = call.do("Einsum", *inputs, equation=equation)
    return call.do("Unsqueeze", found, call.builder.ints(1)) if is_vector else found


def _dot_equation(ranks: Sequence[int], axes: Sequence[int]) -> tuple[str, bool]:
    """``abc,adc->abd``, and whether only the batch is left."""
    first = list(ascii_letters[: ranks[0]])
    second = ["a", *ascii_letters[ranks[0] : ranks[0] + ranks[1] - 1]]
    summed = first[axes[0]]
    second[axes[1]] = summed
    rest = [one for one in first if one != summed] + [
        one for one in second if one not in ("a", summed)
    ]
    return f"{''.join(first)},{''.join(second)}->{''.join(rest)}", len(rest) == 1


def unit_length(call: Call, x: Name, axes: Sequence[int]) -> Name:
    """Divided by the root of the sum of squares over `axes`, which is at least 1e-12."""
    f = formula(call)
    length = f("Sqrt", f("ReduceSum", f("Mul", x, x), call.builder.ints(*axes)))
    return f("Div", x, f("Max", length, 1e-12))


def join(call: Call) -> Name:
    """Sequences and static features side by side: (time, batch, features).

    Time comes first, as the recurrent layer reads it.
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


def constant_state(call: Call) -> Name:
    """(batch, units) of the same numbers in every row."""
    value, units = call.arguments["value"], call.arguments["units"]
    row = np.broadcast_to(np.asarray(value, "float64"), (1, units))
    shape = call.do("Concat", call.batch, call.builder.ints(1), axis=0)
    return call.do("Expand", call.constant(row), shape)


def row_ids(call: Call) -> Name:
    """The id 0 for every row."""
    return call.do("Expand", call.constant(0), call.batch)
