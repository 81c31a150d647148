"""Lowering of attention with one head, with the masks of its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import SCORES
from lstmgraph.export.onnx.activations import formula
from lstmgraph.keras_facts.layers.attention import CAUSAL

if TYPE_CHECKING:
    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def attention(call: Call) -> Name:
    """Lower Attention: a sum of the values, weighted by the scores of query and key."""
    f, (query, value, key) = formula(call), query_value_key(call)
    scale = call.constant(call.weight(0)) if call.arguments["use_scale"] else None
    if call.arguments["score_mode"] == "concat":
        both = _every_pair(call, query, key)
        both = f("Tanh", f("Mul", both, scale) if scale else both)
        scores = call.do("ReduceSum", both, call.builder.ints(-1), keepdims=0)
        scores = f("Mul", scores, call.constant(call.weight(-1)))
    else:
        scores = f("Einsum", query, key, equation="...qa,...ka->...qk")
        scores = f("Mul", scores, scale) if scale else scores
    return _shares(call, scores, value)


def additive_attention(call: Call) -> Name:
    """Lower AdditiveAttention: its scores sum tanh(query + key), scaled for each feature."""
    f, (query, value, key) = formula(call), query_value_key(call)
    both = f("Tanh", _every_pair(call, query, key))
    if call.arguments["use_scale"]:
        both = f("Mul", both, call.constant(call.weight(0)))
    return _shares(call, call.do("ReduceSum", both, call.builder.ints(-1), keepdims=0), value)


def query_value_key(call: Call) -> tuple[Name, Name, Name]:
    """Return query, value and key; without a third input the values are the keys."""
    query, value = call.x(0), call.x(1)
    return query, value, call.x(2) if len(call.inputs) > 2 else value


def steps_of_pairs(call: Call, scores: Name) -> tuple[Name, Name]:
    """Return the numbers of the query's steps, (query steps, 1), and of the key's, (key steps,)."""
    b = call.builder
    zero, one = b.constant(0, "int64"), b.constant(1, "int64")
    size = b.op("Shape", scores, start=-2)
    query, key = (
        b.op("Range", zero, b.op("Gather", size, b.constant(place, "int64")), one)
        for place in (0, 1)
    )
    return b.op("Unsqueeze", query, b.ints(1)), key


def _every_pair(call: Call, query: Name, key: Name) -> Name:
    """Return query + key for every pair of steps, (batch, query steps, key steps, features)."""
    b = call.builder
    return b.op("Add", b.op("Unsqueeze", query, b.ints(-2)), b.op("Unsqueeze", key, b.ints(-3)))


def _shares(call: Call, scores: Name, value: Name) -> Name:
    """Return the weighted values as Keras does: masked scores minus 1e9, masked queries 0."""
    f, b = formula(call), call.builder
    query_mask, value_mask = (*call.input_masks, None, None)[:2]
    counts = [b.op("Unsqueeze", value_mask, b.ints(-2))] if value_mask else []
    if call.arguments.get(CAUSAL):
        counts.append(b.op("GreaterOrEqual", *steps_of_pairs(call, scores)))
    if counts:
        both = b.op("And", *counts) if len(counts) > 1 else counts[0]
        scores = f("Where", both, scores, f("Sub", scores, 1e9))
    shares = f("Softmax", scores, axis=-1)
    found = f("MatMul", shares, value)
    of_steps = b.op("Unsqueeze", query_mask, b.ints(-1)) if query_mask else None
    if of_steps:
        found = f("Where", of_steps, found, 0)
    if call.returns_scores:
        for mask in (*counts[: bool(value_mask)], *([of_steps] if of_steps else [])):
            shares = f("Where", mask, shares, 0)
        call.further[SCORES] = shares
    return found
