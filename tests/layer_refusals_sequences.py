"""Mistakes with layers that merge, attend, recur or wrap another layer."""

from typing import Any

from layer_case import Refusal, b, f, i, refusal

from lstmgraph.keras_facts.tensors import TensorSpec


def mha(*inputs: TensorSpec, **arguments: Any) -> Refusal:
    return refusal("MultiHeadAttention", *inputs, **{"num_heads": 2, "key_dim": 3, **arguments})


def gqa(*inputs: TensorSpec, **arguments: Any) -> Refusal:
    heads = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    return refusal("GroupQueryAttention", *inputs, **{**heads, **arguments})


MERGING_REFUSALS = [
    refusal("Add", f("time", 8), f("frames", 8), says="may differ", input=1, stricter=True),
    refusal("Add", f("time", 8), f("time-2", 8), says="`time` and `time-2`", input=1),
    refusal("Add", f("time", 8), f(6, 8), says="`time` and 6 may differ", input=1, stricter=True),
    refusal("Add", f(4, 8), f(4, 5), says="8 is not 5", input=1),
    refusal("Multiply", f(4, 8), f(4), says="8 is not 4", input=1),
    refusal("Add", b(4), b(4), says="numbers, but got bool", input=0),
    refusal("Subtract", f(4), f(4), f(4), says="exactly two inputs, but got 3"),
    refusal(
        "Add", TensorSpec((2, 4), "float32"), TensorSpec((3, 4), "float32"), says="batch sizes"
    ),
    refusal("Concatenate", f("time", 8), f(8), says="the same rank", input=1),
    refusal("Concatenate", f("time", 8), f(8), says="the same rank", input=1, axis=1),
    refusal("Concatenate", f(4, 8), f(5, 8), says="4 is not 5", input=1),
    refusal("Concatenate", f("time", 8), f("frames", 8), says="differ", input=1, stricter=True),
    refusal("Concatenate", f(8), f(8), says="out of range", argument="axis", axis=2),
    refusal("Concatenate", f(8), f(8), says="batch", argument="axis", stricter=True, axis=0),
    refusal("Dot", f(4, 8), f(4, 5), says="8 is not 5", input=1, axes=2),
    refusal("Dot", f("time"), f(6), says="may differ", input=1, axes=1),
    refusal("Dot", f(8), f(8), says="axis 0 of", argument="axes", input=0, axes=0),
    refusal("Dot", f(8), f(8), says="axis 2 of", argument="axes", input=0, axes=2),
    refusal("Dot", i(8), i(8), says="floats", input=0, axes=1, normalize=True),
]

ATTENTION_REFUSALS = [
    refusal("Attention", f(4, 8), f(6, 5), says="equal features", input=1),
    refusal("Attention", f(4, 8), f(6, 8), f(5, 8), says="value for every key", input=2),
    refusal("Attention", f(8), f(8), says="(batch, time, features)", input=0, stricter=True),
    refusal("Attention", i(4, 8), i(6, 8), says="floats", input=0),
    refusal("Attention", f(4, 8), says="takes query, value"),
    refusal("AdditiveAttention", f(4, "width"), f(6, "width"), says="only from the data", input=0),
    mha(f(8), f(8), says="(batch, time, features)", input=0),
    mha(f(4, 8), f(6, 8), f(5, 8), says="value for every key", input=2),
    mha(f(4, 8), f(4, 6, 8), says="the same rank", input=1),
    mha(f(4, "width"), f(4, 8), says="`width` is known only from", input=0),
    mha(
        f(5, 4, 8), f(6, 4, 8), says="axis 1", argument="attention_axes", input=1, attention_axes=2
    ),
    mha(f(4, 8), f(4, 8), says="positive", argument="num_heads", num_heads=0),
    mha(f(4, 8), f(4, 8), says="flash", argument="dropout", dropout=0.1, flash_attention=True),
    gqa(f(4, 8), f(6, 5), says="equal features", input=1),
    gqa(f(4, 8), f(6, 8), says="divide", argument="num_key_value_heads", num_key_value_heads=3),
    gqa(f(3, 4, 8), f(3, 4, 8), says="(batch, time, features)", input=0),
]

RECURRENT_REFUSALS = [
    refusal("LSTM", f(8), says="(batch, time, features)", input=0, units=4),
    refusal("GRU", f(4, 4, 8), says="(batch, time, features)", input=0, units=4),
    refusal("SimpleRNN", f("time", "width"), says="`width` is known", input=0, units=4),
    refusal("LSTM", i(4, 8), says="floats", input=0, units=4, dropout=0.5, training=True),
    refusal("LSTM", f("time", 8), says="positive", argument="units", units=0),
]

WRAPPERS_REFUSALS = [
    refusal("TimeDistributed", f(8), says="(batch, time, ...)", input=0, layer={"type": "Flatten"}),
    refusal(
        "TimeDistributed",
        f(4, 8),
        says="inside TimeDistributed: Conv1D needs",
        input=0,
        layer={"type": "Conv1D", "filters": 3, "kernel_size": 2},
    ),
    refusal(
        "TimeDistributed",
        f(4, 8),
        says="positive",
        argument="layer.units",
        layer={"type": "Dense", "units": 0},
    ),
    refusal(
        "SpectralNormalization",
        f("time", 8),
        says="LSTM has none",
        argument="layer",
        layer={"type": "LSTM", "units": 3},
    ),
    refusal(
        "SpectralNormalization",
        i(4),
        says="round its output to the input's int32",
        input=0,
        stricter=True,
        layer={"type": "Embedding", "input_dim": 9, "output_dim": 2},
    ),
]
