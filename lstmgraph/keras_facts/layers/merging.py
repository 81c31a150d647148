"""Rules of layers that merge several inputs."""

from collections.abc import Sequence
from functools import reduce

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    is_float,
    positive_axis,
    require_float,
    require_number,
)
from lstmgraph.keras_facts.tensors import BATCH, Dim, TensorSpec, add_dims

_BITS = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
_BITS |= {"int8": 8, "int16": 16, "int32": 32, "int64": 64}


def elementwise_merge(call: Call) -> LayerFacts:
    """Add, Multiply, Average, Maximum, Minimum: inputs that broadcast, except along the batch.

    (batch, time, 8) and (batch, 8) -> (batch, time, 8): a shorter shape is aligned at the end.
    """
    _require_inputs(call)
    if all(spec.dtype == "bool" for spec in call.inputs):
        require_number(call)
    shape = list(call.inputs[0].shape[1:])
    for index, spec in enumerate(call.inputs[1:], start=1):
        shape = _broadcast(call, index, shape, spec)
    dtype = _promoted(call)
    if call.layer == "Average" and not is_float(dtype):
        dtype = "float64"  # TensorFlow's quotient of integers
    return call.facts((_batch(call), *shape), dtype=dtype)


def subtract(call: Call) -> LayerFacts:
    """Subtract: exactly two inputs that broadcast."""
    _require_two(call)
    return elementwise_merge(call)


def concatenate(call: Call) -> LayerFacts:
    """Concatenate: shapes that differ only along ``axis``, where the sizes add up."""
    _require_inputs(call)
    first = call.inputs[0]
    for index, spec in enumerate(call.inputs):
        if spec.rank != first.rank:
            raise LayerMistake(
                f"Concatenate needs inputs of the same rank, but got {first} and {spec}",
                input=index,
                hint="give them the same rank first, for example with RepeatVector; for a "
                "recurrent layer, list them in its `input:`, which repeats static features",
            )
    axis = positive_axis(call, call.arguments["axis"], first.rank)
    if axis == 0:
        raise LayerMistake(
            "Concatenate along axis 0 would mix the rows of the batch",
            argument="axis",
            hint="write an axis of 1 or more, or -1 for the features",
        )
    shape: list[Dim] = [_batch(call), *first.shape[1:]]
    for index, spec in enumerate(call.inputs[1:], start=1):
        for place in range(1, first.rank):
            if place != axis:
                _require_equal(call, index, shape[place], spec.shape[place])
        shape[axis] = add_dims(shape[axis], spec.shape[axis])
    return call.facts(shape, dtype=_promoted(call))


def dot(call: Call) -> LayerFacts:
    """Dot: (batch, a, k) and (batch, k, b) with ``axes: [2, 1]`` -> (batch, a, b).

    Two vectors, (batch, k) and (batch, k), give (batch, 1).
    """
    _require_two(call)
    axes = call.arguments["axes"]
    pair = [axes, axes] if isinstance(axes, int) else list(axes)
    if len(pair) != 2:
        raise LayerMistake(
            f"Dot's `axes` must be one or two integers, not {pair}",
            argument="axes",
            hint="write one axis for each of the two inputs",
        )
    left, right = (_contracted(call, index, axis) for index, axis in enumerate(pair))
    first, second = call.inputs
    _require_equal(call, 1, first.shape[left], second.shape[right], exactly=True)
    if call.arguments["normalize"]:
        for index in range(2):
            require_float(call, index)
    rest = [dim for axis, dim in enumerate(first.shape) if axis not in (0, left)]
    rest += [dim for axis, dim in enumerate(second.shape) if axis not in (0, right)]
    return call.facts((_batch(call), *(rest or [1])), dtype=_promoted(call))


def _contracted(call: Call, index: int, axis: int) -> int:
    spec = call.inputs[index]
    if not -spec.rank <= axis < spec.rank or axis % spec.rank == 0:
        raise LayerMistake(
            f"Dot cannot contract axis {axis} of {spec}",
            argument="axes",
            input=index,
            hint=f"write an axis from 1 to {spec.rank - 1}: axis 0 is the batch",
        )
    return axis % spec.rank


def _require_inputs(call: Call) -> None:
    if not call.inputs:
        raise LayerMistake(
            f"{call.layer} needs inputs, but got none", hint="write a list of inputs"
        )
    for index, spec in enumerate(call.inputs):
        if spec.rank < 1:
            raise LayerMistake(
                f"{call.layer} needs inputs with a batch, but got {spec}",
                input=index,
                hint="add the batch dimension",
            )


def _require_two(call: Call) -> None:
    if len(call.inputs) != 2:
        raise LayerMistake(
            f"{call.layer} takes exactly two inputs, but got {len(call.inputs)}",
            hint="write a list of two inputs",
        )


def _batch(call: Call) -> Dim:
    """Return the batch size: a fixed one if any input has one; they must not differ."""
    fixed = {spec.shape[0] for spec in call.inputs} - {BATCH}
    if len(fixed) > 1:
        raise LayerMistake(
            f"{call.layer}'s inputs have different batch sizes: "
            f"{' and '.join(str(spec) for spec in call.inputs)}",
            hint="give all inputs the same batch size",
        )
    return fixed.pop() if fixed else BATCH


def _broadcast(call: Call, index: int, shape: Sequence[Dim], spec: TensorSpec) -> list[Dim]:
    """Return the broadcast shape without the batch, aligned at the end."""
    other = list(spec.shape[1:])
    rank = max(len(shape), len(other))
    left = [1] * (rank - len(shape)) + list(shape)
    right = [1] * (rank - len(other)) + other
    merged: list[Dim] = []
    for one, two in zip(left, right, strict=True):
        if one != 1 and two != 1:
            _require_equal(call, index, one, two)
        merged.append(two if one == 1 else one)
    return merged


def _require_equal(call: Call, index: int, one: Dim, two: Dim, *, exactly: bool = False) -> None:
    if one == two:
        return
    shapes = f"{call.inputs[0]} and {call.inputs[index]}"
    if isinstance(one, int) and isinstance(two, int):
        message = f"{call.layer} cannot merge {shapes}: {one} is not {two}"
        hint = "make the sizes equal, for example with a Dense or by cropping"
        if not exactly:
            hint += ", or merge along another axis"
        raise LayerMistake(message, input=index, hint=hint)
    names = [f"`{dim}`" if isinstance(dim, str) else str(dim) for dim in (one, two)]
    if isinstance(one, str) and isinstance(two, str):
        plain = one.isidentifier() and two.isidentifier()
        hint = "give both inputs the same dimension name" if plain else _derived_hint()
    else:
        hint = "give both inputs the same fixed size, or the same dimension name"
    raise LayerMistake(
        f"{call.layer} cannot merge {shapes}: {names[0]} and {names[1]} may differ",
        input=index,
        hint=hint,
    )


def _derived_hint() -> str:
    return "keep the lengths equal, for example with `padding: same`, or crop or pad one of them"


def _promoted(call: Call) -> str:
    """Return the dtype of merged inputs: Keras casts floats, and uses the widest integer."""
    dtypes = [spec.dtype for spec in call.inputs]
    if any(is_float(dtype) for dtype in dtypes):
        return call.compute_dtype
    return reduce(_wider, dtypes)


def _wider(one: str, two: str) -> str:
    if one in ("bool", two):
        return two
    if two == "bool":
        return one
    if one.startswith("u") == two.startswith("u"):
        return max(one, two, key=lambda dtype: _BITS[dtype])
    unsigned, signed = (one, two) if one.startswith("u") else (two, one)
    bits = max(_BITS[signed], 2 * _BITS[unsigned])
    return f"int{bits}" if bits <= 64 else "float32"
