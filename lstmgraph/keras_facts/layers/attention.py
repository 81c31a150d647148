"""Rules of attention layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstmgraph.keras_facts.layers.core import (
    FLOAT_OF_INTEGERS,
    Call,
    LayerFacts,
    LayerMistake,
    Shape,
    Weight,
    bias,
    is_float,
    require_float,
    require_fraction,
    require_min_rank,
    require_number,
    require_positive,
    require_rank,
    static_dim,
)
from lstmgraph.keras_facts.tensors import TensorSpec
from lstmgraph.messages.wording import counted

ATTENTION = frozenset(
    {"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"}
)
"""Layers that attend: their output has the steps of their first input, and they have scores."""
CAUSAL = "use_causal_mask"
"""An argument that Keras takes when it calls the layer, and not when it makes it."""
_SEQUENCE = "(batch, time, features)"


def attention(call: Call) -> LayerFacts:
    """Attention: query (batch, q, d), value (batch, v, e), key (batch, v, d) -> (batch, q, e)."""
    query, value, key = _query_value_key(call)
    for index in range(len(call.inputs)):
        require_float(call, index)
    _check_scores(call, query, value, key)
    weights = int(call.arguments["use_scale"]) + (call.arguments["score_mode"] == "concat")
    shape = (*query.shape[:-1], value.shape[-1])
    return call.facts(shape, weights=[Weight(())] * weights)


def additive_attention(call: Call) -> LayerFacts:
    """AdditiveAttention: shapes as Attention; the scale is a vector of one number per feature."""
    query, value, key = _query_value_key(call)
    for index in range(len(call.inputs)):
        require_number(call, index)
    _check_scores(call, query, value, key)
    weights = static_dim(call, -1)
    scaled = call.arguments["use_scale"]
    floats = any(is_float(spec.dtype) for spec in call.inputs)
    floats |= scaled and call.compute_dtype == "float64"  # the dtype of the scale
    return call.facts(
        (*query.shape[:-1], value.shape[-1]),
        dtype=None if floats else FLOAT_OF_INTEGERS,
        weights=[Weight((weights,))] if scaled else [],
    )


def multi_head_attention(call: Call) -> LayerFacts:
    """MultiHeadAttention: query (batch, q, d), value and key (batch, v, e) -> (batch, q, d).

    ``output_shape`` replaces the query's features. Parameters: a projection of each input to
    ``num_heads`` heads (and a gate's), and one of the heads to the output.
    """
    query, value, key = _query_value_key(call)
    require_positive(call, "num_heads", "key_dim", "value_dim")
    _check_dropout(call)
    if query.rank != value.rank:
        raise LayerMistake(
            f"{call.layer} needs query and value of the same rank, but got {query} and {value}",
            input=1,
            hint="reshape one of them",
        )
    _check_shared_axes(call, query, value)
    _require_same_steps(call, value, key)
    outputs = call.arguments["output_shape"] or static_dim(call, -1)
    sizes = [outputs] if isinstance(outputs, int) else list(outputs)
    heads, key_dim = call.arguments["num_heads"], call.arguments["key_dim"]
    value_dim = call.arguments["value_dim"] or key_dim
    shapes = ((heads, key_dim), (heads, value_dim), (heads, key_dim))
    weights = _projections(call, shapes, (heads, value_dim))
    weights += _projection(call, "output_dense", (heads, value_dim), tuple(sizes))
    return call.facts((*query.shape[:-1], *sizes), weights=weights)


def grouped_query_attention(call: Call) -> LayerFacts:
    """GroupQueryAttention: query (batch, q, d), value and key (batch, v, d) -> (batch, q, d)."""
    for index in range(len(call.inputs)):
        require_rank(call, 3, _SEQUENCE, index=index)
    query, value, key = _query_value_key(call)
    require_positive(call, "head_dim", "num_query_heads", "num_key_value_heads")
    _check_dropout(call)
    heads, shared = call.arguments["num_query_heads"], call.arguments["num_key_value_heads"]
    if heads % shared:
        raise LayerMistake(
            f"{call.layer}'s {heads} query heads cannot be divided by {shared} key and value heads",
            argument="num_key_value_heads",
            hint=f"choose `num_key_value_heads` that divides {heads}",
        )
    features = static_dim(call, -1)
    if value.shape[-1] != features:
        raise LayerMistake(
            f"{call.layer} needs query and value with equal features, but got {query} and {value}",
            input=1,
            hint="project one of them with a Dense",
        )
    _require_same_steps(call, value, key)
    wide, narrow = ((count, call.arguments["head_dim"]) for count in (heads, shared))
    weights = _projections(call, (wide, narrow, narrow), wide)
    weights += _projection(call, "output_dense", wide, (features,))
    return call.facts(query.shape, weights=weights)


def scores_spec(
    layer: str, arguments: Mapping[str, Any], inputs: Sequence[TensorSpec], dtype: str
) -> TensorSpec:
    """Return the scores: (batch, query steps, value steps), with heads (batch, heads, ...).

    Raises:
        LayerMistake: if Keras does not return any, or declares another shape than it returns.
    """
    if arguments.get("flash_attention"):
        raise LayerMistake(
            f"{layer} returns no scores with flash attention",
            argument="flash_attention",
            hint="leave `flash_attention` out, or do not read the scores",
        )
    if arguments.get("activity_regularizer"):
        raise LayerMistake(
            f"Keras's activity regularizer would count the scores of {layer} too",
            argument="activity_regularizer",
            hint="put an `activity_regularization` layer behind this one instead",
        )
    query, value = inputs[:2]
    if query.rank != 3 or value.rank != 3:
        raise LayerMistake(
            f"the scores are those of sequences {_SEQUENCE}, but {layer} reads {query} and {value}",
            hint="reshape the inputs to sequences, or do not read the scores",
        )
    heads = arguments.get("num_heads") or arguments.get("num_query_heads")
    of_heads = () if heads is None else (heads,)
    return TensorSpec((query.shape[0], *of_heads, query.shape[1], value.shape[1]), dtype)


def _query_value_key(call: Call) -> tuple[TensorSpec, TensorSpec, TensorSpec]:
    if call.arguments.get(CAUSAL) and call.inputs[0].rank != 3:
        raise LayerMistake(
            f"{call.layer}'s causal mask is for {_SEQUENCE}, but got {call.inputs[0]}",
            argument=CAUSAL,
            hint="leave it out, or give inputs of that rank",
        )
    if len(call.inputs) not in (2, 3):
        raise LayerMistake(
            f"{call.layer} takes query, value and optionally key, but got "
            f"{counted(len(call.inputs), 'input', 'inputs')}",
            hint="write `input: [QUERY, VALUE]` or `input: [QUERY, VALUE, KEY]`",
        )
    for index in range(len(call.inputs)):
        require_min_rank(call, 3, _SEQUENCE, index=index)
    query, value, *rest = call.inputs
    return query, value, rest[0] if rest else value


def _check_scores(call: Call, query: TensorSpec, value: TensorSpec, key: TensorSpec) -> None:
    """Check that the features of query and key are equal, and the dimensions before time."""
    require_fraction(call, "dropout")
    last = len(call.inputs) - 1
    if query.shape[-1] != key.shape[-1]:
        raise LayerMistake(
            f"{call.layer} needs query and key with equal features, but got {query} and {key}",
            input=last,
            hint="project one of them with a Dense, or add a third input as the key",
        )
    if query.shape[1:-2] != value.shape[1:-2]:
        raise LayerMistake(
            f"{call.layer} needs equal dimensions before time, but got {query} and {value}",
            input=1,
            hint="reshape one of them",
        )
    _require_same_steps(call, value, key)


def _require_same_steps(call: Call, value: TensorSpec, key: TensorSpec) -> None:
    if value.shape[1:-1] != key.shape[1:-1]:
        raise LayerMistake(
            f"{call.layer} needs a value for every key, but got {value} and {key}",
            input=2,
            hint="give value and key the same time dimension",
        )


def _check_shared_axes(call: Call, query: TensorSpec, value: TensorSpec) -> None:
    """Check that query and value are equal along axes that are not attended over."""
    axes = call.arguments["attention_axes"]
    if axes is None:
        return
    attended = {axis % value.rank for axis in ([axes] if isinstance(axes, int) else axes)}
    for axis in range(1, query.rank - 1):
        one, two = query.shape[axis], value.shape[axis]
        if axis not in attended and one != two:
            raise LayerMistake(
                f"{call.layer} does not attend over axis {axis}, where {query} and {value} differ",
                argument="attention_axes",
                input=1,
                hint=f"add {axis} to `attention_axes`, or make the sizes equal",
            )


def _check_dropout(call: Call) -> None:
    require_fraction(call, "dropout")
    if call.arguments.get("flash_attention") and call.arguments["dropout"] > 0:
        raise LayerMistake(
            f"{call.layer} has no dropout with flash attention",
            argument="dropout",
            hint="set `dropout` to 0, or leave `flash_attention` out",
        )


def _projections(call: Call, shapes: Sequence[Shape], gate: Shape) -> list[Weight]:
    """Return the weights of the projections of query, value and key, and of the gate."""
    query, value, key = (
        static_dim(call, -1, index=index) for index in (0, 1, len(call.inputs) - 1)
    )
    weights = _projection(call, "query_dense", (query,), shapes[0])
    weights += _projection(call, "value_dense", (value,), shapes[1])
    weights += _projection(call, "key_dense", (key,), shapes[2])
    if call.arguments["use_gate"]:
        weights += _projection(call, "_gate_dense", (query,), gate)
    return weights


def _projection(call: Call, part: str, inputs: Shape, outputs: Shape) -> list[Weight]:
    """Return the weights of the EinsumDense in the attribute ``part``.

    Weights files use the first attribute that leads to a layer; MultiHeadAttention also has
    attributes without an underscore.
    """
    if call.layer != "MultiHeadAttention" and not part.startswith("_"):
        part = f"_{part}"
    weights = [Weight((*inputs, *outputs)), *bias(call, *outputs)]
    return [weight.within(part) for weight in weights]
