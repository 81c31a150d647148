"""Lowering of dense layers and embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.export.onnx.activations import activated
from lstmgraph.keras_facts.layers.dense import REVERSE

if TYPE_CHECKING:
    import numpy as np

    from lstmgraph.export.onnx.builder import Name
    from lstmgraph.export.onnx.call import Call


def dense(call: Call) -> Name:
    """Lower Dense: (batch, ..., features) -> (batch, ..., units)."""
    found = call.do("MatMul", call.x(), call.constant(_kernel(call)))
    return _with_bias(call, found, biased=call.arguments["use_bias"])


def einsum_dense(call: Call) -> Name:
    """Lower EinsumDense to ONNX's Einsum, which reads the same equations."""
    equation = call.arguments["equation"]
    found = call.do("Einsum", call.x(), call.constant(_kernel(call)), equation=equation)
    return _with_bias(call, found, biased=call.arguments["bias_axes"] is not None)


def embedding(call: Call) -> Name:
    """Lower Embedding to a lookup of rows in its table."""
    ids = call.builder.cast(call.raw(), call.spec.dtype, "int64")
    return call.do("Gather", call.constant(_kernel(call)), ids, axis=0)


def discretization(call: Call) -> Name:
    """Lower Discretization: the number of boundaries that a value is not below, or its encoding."""
    build, mode = call.builder, call.arguments["output_mode"]
    values = build.cast(call.raw(), call.spec.dtype, "float32")
    is_single = mode == "one_hot" and call.spec.rank > 1 and call.spec.shape[-1] == 1
    last = build.ints(-1)
    places = values if is_single else build.op("Unsqueeze", values, last)
    boundaries = build.constant(call.arguments["bin_boundaries"], "float32")
    reached = build.cast(build.op("GreaterOrEqual", places, boundaries), "bool", "int32")
    bins = build.op("ReduceSum", reached, last, keepdims=0)
    if mode == "int":
        return build.cast(bins, "int32", call.dtype)
    depth = len(call.arguments["bin_boundaries"]) + 1
    numbers = build.constant(range(depth), "int32")
    hot = build.op("Equal", build.op("Unsqueeze", bins, last), numbers)
    found = build.cast(hot, "bool", call.dtype)
    if mode == "one_hot":
        return found
    axis = build.ints(1)
    return build.op("ReduceMax" if mode == "multi_hot" else "ReduceSum", found, axis, keepdims=0)


def reversible_embedding(call: Call) -> Name:
    """Lower ReversibleEmbedding: a lookup, or in reverse the logits (batch, ..., input_dim)."""
    if not call.arguments.get(REVERSE):
        return embedding(call)
    if call.arguments["tie_weights"]:  # the table is in the file once
        kernel = call.do("Transpose", call.constant(_kernel(call)), perm=[1, 0])
    else:
        kernel = call.constant(call.weight(1))
    logits = call.do("MatMul", call.x(), kernel)
    cap = call.arguments["logit_soft_cap"]
    if cap is None:
        return logits
    bound = call.constant(cap)
    return call.do("Mul", call.do("Tanh", call.do("Div", logits, bound)), bound)


def _with_bias(call: Call, product: Name, *, biased: bool) -> Name:
    if biased:
        product = call.do("Add", product, call.constant(call.weight(1)))
    return activated(call.builder, product, call.arguments["activation"], call.dtype)


def _kernel(call: Call) -> np.ndarray:
    """Return the kernel or table; with ``lora_rank``, with the last two weights' product added."""
    kernel, rank = call.weight(0), call.arguments.get("lora_rank")
    if not rank:
        return kernel
    scale = (call.arguments.get("lora_alpha") or rank) / rank
    with_added: np.ndarray = kernel + scale * (call.weight(-2) @ call.weight(-1))
    return with_added
