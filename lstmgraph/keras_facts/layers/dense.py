"""Rules of dense layers and embeddings."""

import re
from dataclasses import dataclass, replace
from typing import NoReturn

from lstmgraph.keras_facts.dtypes import promoted
from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    Shape,
    Weight,
    adapted,
    bias,
    is_float,
    require_min_rank,
    require_positive,
    static_dim,
)
from lstmgraph.keras_facts.tensors import Dim

REVERSE = "reverse"
"""The argument of a call of ReversibleEmbedding that goes from vectors back to ids' logits."""
EMBEDDINGS = frozenset({"Embedding", "ReversibleEmbedding"})
"""Layers that look vectors up by ids, if they are not called in reverse."""


def dense(call: Call) -> LayerFacts:
    """Dense: (batch, ..., features) -> (batch, ..., units)."""
    shape = call.input.shape
    require_min_rank(call, 2, "(batch, ..., features)")
    require_positive(call, "units")
    units = call.arguments["units"]
    weights = adapted(call, (static_dim(call, -1), units), bias(call, units))
    return call.facts((*shape[:-1], units), weights=weights)


def embedding(call: Call) -> LayerFacts:
    """Embedding: (batch, ...) ids -> (batch, ..., output_dim)."""
    require_positive(call, "input_dim", "output_dim")
    require_ids(call)
    rows, columns = call.arguments["input_dim"], call.arguments["output_dim"]
    return call.facts((*call.input.shape, columns), weights=adapted(call, (rows, columns), []))


def reversible_embedding(call: Call) -> LayerFacts:
    """ReversibleEmbedding: as Embedding; in reverse (batch, ..., output_dim) -> (..., input_dim).

    Keras casts the vectors of a reverse call to ``reverse_dtype`` alone, whatever its symbolic
    output says.
    """
    facts = embedding(call) if not call.arguments.get(REVERSE) else _in_reverse(call)
    if call.arguments["tie_weights"]:
        return facts
    if call.arguments.get("lora_rank"):
        raise LayerMistake(
            f"Keras's {call.layer} cannot have LoRA and a second matrix",
            argument="lora_rank",
            hint="remove it, or write `tie_weights: true`",
        )
    rows, columns = call.arguments["input_dim"], call.arguments["output_dim"]
    return replace(facts, weights=(*facts.weights, Weight((columns, rows))))


def _in_reverse(call: Call) -> LayerFacts:
    require_positive(call, "input_dim", "output_dim")
    rows, columns = call.arguments["input_dim"], call.arguments["output_dim"]
    spec = call.input
    if not is_float(spec.dtype):
        raise LayerMistake(
            f"a reverse call of {call.layer} needs vectors, but got {spec.dtype}",
            input=0,
            hint="give it features, or leave `reverse:` out to embed ids",
        )
    if spec.rank < 2 or spec.shape[-1] != columns:
        raise LayerMistake(
            f"a reverse call of {call.layer} needs vectors (batch, ..., {columns}), but got {spec}",
            input=0,
            hint=f"put a `dense` layer with `units: {columns}` before it, or change `output_dim`",
        )
    weights = adapted(call, (rows, columns), [])
    dtype = call.arguments["reverse_dtype"] or promoted([spec.dtype, call.compute_dtype])
    return call.facts((*spec.shape[:-1], rows), dtype=dtype, weights=weights)


def require_ids(call: Call) -> None:
    """Check that ids are integers: float16 rounds ids above 2048 before Keras casts them."""
    if is_float(call.input.dtype):
        raise LayerMistake(
            f"{call.layer} needs integer ids, but got {call.input.dtype}",
            input=0,
            hint="declare the input with `dtype: int32`",
        )


def einsum_kernel(call: Call) -> list[int]:
    """Return the shape of an EinsumDense's kernel."""
    equation = _parse(call)
    return _kernel(call, equation, _sizes(call, equation, _output_shape(call, equation)))


@dataclass(frozen=True)
class _Equation:
    input: str
    weights: str
    output: str
    elided: str
    """The side of the ``...``: ``left``, ``right``, or "" for none."""


_EQUATIONS = {
    "": re.compile(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)"),
    "left": re.compile(r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)"),
    "right": re.compile(r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\."),
}


def einsum_dense(call: Call) -> LayerFacts:
    """EinsumDense: the equation names the output's dimensions, ``output_shape`` has their sizes.

    ``abc,cd->abd`` with ``output_shape: [null, 64]``: (batch, time, 8) -> (batch, time, 64).
    A null size in ``output_shape`` is taken from the input.
    """
    equation = _parse(call)
    output = _output_shape(call, equation)
    letters = _sizes(call, equation, output)
    kernel = tuple(_kernel(call, equation, letters))
    own_bias = _bias(call, equation, letters)
    _refuse_bias_on_another_axis(call, equation, output)
    weights = adapted(call, kernel, [] if own_bias is None else [Weight(own_bias)])
    return call.facts(output, weights=weights)


def _wrong(call: Call, message: str, hint: str, argument: str = "equation") -> NoReturn:
    raise LayerMistake(f"{call.layer}'s {message}", argument=argument, hint=hint)


def _parse(call: Call) -> _Equation:
    text = call.arguments["equation"]
    for elided, pattern in _EQUATIONS.items():
        if match := pattern.fullmatch(text):
            equation = _Equation(match[1], match[2], match[3], elided)
            break
    else:
        _wrong(
            call,
            f"equation `{text}` must have the form ab,bc->ac, ...b,bc->...c or ab...,bc->ac...",
            "write input letters, a comma, weight letters, an arrow and output letters",
        )
    surplus = call.input.rank - len(equation.input)
    if surplus < 0 or (surplus and not elided):
        _wrong(
            call,
            f"equation `{text}` names {len(equation.input)} input dimensions, but got {call.input}",
            "write one letter for every dimension of the input, including the batch, or use `...`",
        )
    return equation


def _output_shape(call: Call, equation: _Equation) -> list[Dim]:
    """Return the whole output shape, with null sizes taken from the input."""
    sizes = call.arguments["output_shape"]
    given: list[int | None] = [sizes] if isinstance(sizes, int) else list(sizes)
    shape = call.input.shape
    elided = len(shape) - len(equation.input)
    whole: list[Dim | None] = [shape[0]]
    if equation.elided == "left":
        _refuse_reversed(call, shape[1:elided])
        whole += [*shape[1:elided], *given]
    else:
        whole += [*given, *(shape[-elided:] if elided else [])]
    offset = elided if equation.elided == "left" else 0
    if len(whole) != elided + len(equation.output):
        _wrong(
            call,
            f"output_shape {list(given)} does not fit the equation's output `{equation.output}`",
            "write a size for every output letter except the batch's, or null to keep the input's",
            "output_shape",
        )
    from_input = _input_letters(call, equation)
    return [
        dim if dim is not None else _kept(call, equation, from_input, place - offset)
        for place, dim in enumerate(whole)
    ]


def _refuse_reversed(call: Call, elided: tuple[Dim, ...]) -> None:
    if elided != elided[::-1]:
        _wrong(
            call,
            f"`...` stands for {len(elided)} dimensions besides the batch in {call.input}, which "
            "Keras declares in reverse order",
            "write a letter for every dimension",
        )


def _input_letters(call: Call, equation: _Equation) -> dict[str, Dim]:
    shape = call.input.shape
    named = shape[len(shape) - len(equation.input) :] if equation.elided == "left" else shape
    return dict(zip(equation.input, named, strict=False))


def _kept(call: Call, equation: _Equation, from_input: dict[str, Dim], place: int) -> Dim:
    letter = equation.output[place]
    if letter not in from_input:
        _wrong(
            call,
            f"output_shape has null for `{letter}`, which the input does not have",
            f"write the size of `{letter}`",
            "output_shape",
        )
    return from_input[letter]


def _sizes(call: Call, equation: _Equation, output: list[Dim]) -> dict[str, Dim]:
    """Return the size of every letter, which input and ``output_shape`` must agree on."""
    elided = call.input.rank - len(equation.input)
    named = output[elided:] if equation.elided == "left" else output
    sizes = dict(zip(equation.output, named, strict=False))
    for letter, dim in _input_letters(call, equation).items():
        if sizes.setdefault(letter, dim) != dim:
            _wrong(
                call,
                f"output_shape has {sizes[letter]} for `{letter}`, but the input "
                f"{call.input} has {dim}",
                f"write null or {dim} there",
                "output_shape",
            )
    return sizes


def _kernel(call: Call, equation: _Equation, sizes: dict[str, Dim]) -> list[int]:
    for letter in equation.output:
        if letter not in equation.input + equation.weights:
            _wrong(
                call,
                f"output dimension `{letter}` is neither in the input `{equation.input}` nor in "
                f"the weights `{equation.weights}`",
                "use only letters of the input and the weights",
            )
    return [_weight_size(call, equation, sizes, letter) for letter in equation.weights]


def _weight_size(call: Call, equation: _Equation, sizes: dict[str, Dim], letter: str) -> int:
    size = sizes.get(letter)
    if size is None:
        _wrong(
            call,
            f"weight dimension `{letter}` is neither in the input `{equation.input}` nor in the "
            f"output `{equation.output}`",
            "use only letters of the input and the output",
        )
    if isinstance(size, str):
        raise LayerMistake(
            f"{call.layer} has weights along `{letter}` of {call.input}, but `{size}` is known "
            "only from the data",
            argument="equation",
            input=0,
            hint=f"give `{size}` a fixed size in the input's shape",
        )
    return size


def _bias(call: Call, equation: _Equation, sizes: dict[str, Dim]) -> Shape | None:
    """Return the bias's shape, from its first axis on, with 1 for axes that it does not have."""
    axes = call.arguments["bias_axes"]
    if axes is None:
        return None
    for letter in axes:
        if letter not in equation.output:
            _wrong(
                call,
                f"bias axis `{letter}` is not in the output `{equation.output}`",
                "use letters of the output",
                "bias_axes",
            )
    first = min((equation.output.index(letter) for letter in axes), default=0)
    shape = [
        _weight_size(call, equation, sizes, letter) if letter in axes else 1
        for letter in equation.output[first:]
    ]
    elided = call.input.rank - len(equation.input) if equation.elided != "left" else 0
    return (*shape, *[1] * elided)


def _refuse_bias_on_another_axis(call: Call, equation: _Equation, output: list[Dim]) -> None:
    """Refuse a bias that Keras 3.15 adds along another axis of the same size."""
    offset = len(output) - len(equation.output) if equation.elided == "left" else 0
    places = {letter: offset + at for at, letter in enumerate(equation.output)}
    letters = [a for a in call.arguments["bias_axes"] or () if output[places[a]] != 1]
    if len(letters) != 1:
        return
    own = places[letters[0]]
    size, last = output[own], len(output) - 1
    for place in (last, 1):
        if place == own:
            return
        if output[place] == size or isinstance(output[place], str):
            _wrong(
                call,
                f"bias along `{letters[0]}`, of {size}, would be added along axis {place} of its "
                f"output, which is {output[place]}: Keras confuses the two axes",
                "leave `bias_axes` out, or add the last axis to it",
                "bias_axes",
            )
