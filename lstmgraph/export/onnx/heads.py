"""Lowering of MultiHeadAttention and GroupQueryAttention."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from string import ascii_lowercase
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import SCORES
from lstmgraph.export.onnx.activations import formula, softmax_over
from lstmgraph.export.onnx.attention import query_value_key, steps_of_pairs
from lstmgraph.keras_facts.layers.attention import CAUSAL

if TYPE_CHECKING:
    import numpy as np

    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call

HEADS = "yz"
"""The letters of the heads and of their features in equations."""
LEAST = -0.7 * 3.38953e38
"""The value that Keras's ``ops.dot_product_attention`` puts at masked places."""


@dataclass(frozen=True)
class Projection:
    """A projection from features to the features of each head; the output's goes back."""

    kernel: np.ndarray
    bias: np.ndarray | None

    def repeated(self, times: int) -> Projection:
        """Return the projection with every head repeated `times` times in a row."""
        bias = None if self.bias is None else self.bias.repeat(times, axis=0)
        return Projection(self.kernel.repeat(times, axis=1), bias)


class Equations:
    """The equations for the axes of query and key; attended axes get separate letters."""

    def __init__(self, rank: int, attended: list[int]) -> None:
        query = ascii_lowercase[: rank - 1]
        key = "".join(
            ascii_lowercase[rank - 1 + axis] if axis in attended else letter
            for axis, letter in enumerate(query)
        )
        apart = "".join(letter for axis, letter in enumerate(query) if axis not in attended)
        pairs = "".join(letters[axis] for letters in (query, key) for axis in attended)
        scores = f"{apart}y{pairs}"
        self.score = f"{query}{HEADS},{key}{HEADS}->{scores}"
        self.combine = f"{scores},{key}{HEADS}->{query}{HEADS}"


def multi_head_attention(call: Call) -> Name:
    """Lower MultiHeadAttention over one axis or several."""
    axes = call.arguments["attention_axes"]
    attended = list(range(1, call.rank - 1)) if axes is None else call.axes(axes)
    return _attention(call, _projections(call), attended, call.arguments["key_dim"])


def group_query_attention(call: Call) -> Name:
    """Lower GroupQueryAttention, where several query heads share a head of key and value."""
    projections = _projections(call)
    times = call.arguments["num_query_heads"] // call.arguments["num_key_value_heads"]
    for name in ("key", "value"):
        projections[name] = projections[name].repeated(times)
    return _attention(call, projections, [1], call.arguments["head_dim"])


def _projections(call: Call) -> dict[str, Projection]:
    """Return the projections by name, in Keras's order."""
    gate = ["gate"] if call.arguments["use_gate"] else []
    weights = iter([call.weight(index) for index in range(len(call.weights))])
    return {
        name: Projection(next(weights), next(weights) if call.arguments["use_bias"] else None)
        for name in ("query", "key", *gate, "value", "output")
    }


def _attention(
    call: Call, projections: dict[str, Projection], attended: list[int], size: int
) -> Name:
    f, equations = formula(call), Equations(call.rank, attended)
    query, value, key = query_value_key(call)
    found = {
        name: _projected(call, x, projections[name])
        for name, x in (("query", query), ("key", key), ("value", value))
    }
    scores = f("Einsum", found["query"], found["key"], equation=equations.score)
    shares = _shares(call, f("Mul", scores, 1 / sqrt(size)), len(attended))
    if call.returns_scores:
        call.further[SCORES] = shares
    heads = f("Einsum", shares, found["value"], equation=equations.combine)
    if "gate" in projections:
        heads = f("Mul", heads, f("Sigmoid", _projected(call, query, projections["gate"])))
    return _output(call, heads, projections["output"])


def _projected(call: Call, x: Name, projection: Projection) -> Name:
    """Project (batch, ..., features) -> (batch, ..., heads, features of each)."""
    return _contracted(call, x, projection, f"...a,a{HEADS}->...{HEADS}")


def _output(call: Call, heads: Name, projection: Projection) -> Name:
    """Project (batch, ..., heads, features of each) -> (batch, ..., *output_shape)."""
    letters = ascii_lowercase[: projection.kernel.ndim - 2]
    return _contracted(call, heads, projection, f"...{HEADS},{HEADS}{letters}->...{letters}")


def _contracted(call: Call, x: Name, projection: Projection, equation: str) -> Name:
    found = call.do("Einsum", x, call.constant(projection.kernel), equation=equation)
    if projection.bias is None:
        return found
    return call.do("Add", found, call.constant(projection.bias))


def _shares(call: Call, scores: Name, attended: int) -> Name:
    """Return the softmax of `scores` over the key's axes.

    Keras has two implementations, which differ where all keys of a query are masked: with dropout,
    over several axes, or where the scores are read, the weights are 0; otherwise they are equal.
    """
    f, mask = formula(call), _pairs_that_count(call, scores)
    rank = call.rank + attended  # batch, heads, and the axes of query and key
    axes = list(range(rank - attended, rank))
    if mask is None:
        return softmax_over(f, scores, axes)
    if call.arguments["dropout"] > 0 or call.returns_scores:
        return f("Where", mask, softmax_over(f, f("Where", mask, scores, -1e9), axes), 0)
    return softmax_over(f, f("Where", mask, scores, LEAST), axes)


def _pairs_that_count(call: Call, scores: Name) -> Name | None:
    """Return the mask of pairs: bool, broadcasts to (batch, heads, query steps, key steps)."""
    b = call.builder
    masks = [*call.input_masks, None, None][: max(2, len(call.inputs))]
    found = [
        b.op("Unsqueeze", mask, b.ints(1, 3) if index == 0 else b.ints(1, 2))
        for index, mask in enumerate(masks)
        if mask is not None
    ]
    if call.arguments["sliding_window"] is not None or call.arguments.get(CAUSAL):
        query, key = steps_of_pairs(call, scores)
        if call.arguments["sliding_window"] is not None:
            apart = b.op("Abs", b.op("Sub", query, key))
            found.append(b.op("Less", apart, b.constant(call.arguments["sliding_window"], "int64")))
        if call.arguments.get(CAUSAL):
            found.append(b.op("GreaterOrEqual", query, key))
    if not found:
        return None
    mask, *others = found
    for other in others:
        mask = b.op("And", mask, other)
    return mask
