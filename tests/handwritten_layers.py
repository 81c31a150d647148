"""Inputs that are joined, and layers that are not recurrent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import reference as ref
from handwritten import Case, Tensors, repeated, unpadded
from keras import layers, ops

if TYPE_CHECKING:
    from building import Arrays


JOINED = """
inputs:
  ids: {shape: [time], dtype: int32}
  static: {shape: [2]}
  frames: {shape: [time, 3]}
layers:
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 4, mask_zero: true}
  reader: {type: lstm, input: [embedding, static, frames], units: 4}
outputs: {y: reader.sequence}
"""


def joined_inputs_keep_the_sequence_mask(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 4, name="embedding")(t["ids"])
    joined = layers.Concatenate()([embedded, repeated(t["static"], 6), t["frames"]])
    reader = layers.LSTM(4, return_sequences=True, zero_output_for_mask=True, name="reader")
    return {"y": reader(joined, mask=ops.not_equal(t["ids"], 0))}


def numpy_joined(weights, data) -> Arrays:
    embedded = weights["embedding"][0][data["ids"]]
    repeated = np.repeat(data["static"][:, None], embedded.shape[1], axis=1)
    joined = np.concatenate([embedded, repeated, data["frames"]], axis=-1)
    return {"y": ref.lstm(joined, weights["reader"], data["ids"] != 0).sequence}


JOINED_BY_VALUE = """
inputs: {x: {shape: [time, 3]}, static: {shape: [2]}}
layers:
  reader:
    type: gru
    input: [static, x]
    units: [4, 2]
    mask: {value: 0, padding: right}
    padded_output: hold
outputs: {y: reader.sequence}
"""


def joined_inputs_masked_by_the_value_of_the_sequence(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    joined = layers.Concatenate()([repeated(t["static"], 6), t["x"]])
    lower = layers.GRU(4, return_sequences=True, name="reader_1")
    upper = layers.GRU(2, return_sequences=True, name="reader_2")
    return {"y": upper(lower(joined, mask=mask), mask=mask)}


TIME_DISTRIBUTED = """
inputs: {x: {shape: [time, 3]}}
layers:
  masking: {type: masking, input: x}
  reader: {type: lstm, input: masking, units: 4}
  head:
    type: time_distributed
    input: reader.sequence
    layer: {type: dense, units: 2, activation: tanh}
  reader_after: {type: lstm, input: head, units: 3}
outputs: {y: head, after: reader_after}
"""


def time_distributed_hands_the_mask_on(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    reader = layers.LSTM(4, return_sequences=True, zero_output_for_mask=True, name="reader")
    inner = layers.Dense(2, activation="tanh")
    y = layers.TimeDistributed(inner, name="head")(reader(t["x"], mask=mask), mask=mask)
    after = layers.LSTM(3, name="reader_after")(y, mask=mask)
    return {"y": ops.where(mask[:, :, None], y, 0), "after": after}


ATTENTION = """
inputs: {ids: {shape: [time], dtype: int32}, other: {shape: [other_time], dtype: int32}}
layers:
  queries: {type: embedding, input: ids, input_dim: 10, output_dim: 4, mask_zero: true}
  keys: {type: embedding, input: other, input_dim: 10, output_dim: 4, mask_zero: true}
  values: {type: lstm, input: keys, units: 4}
  attended:
    type: multi_head_attention
    input: {value: values.sequence, query: queries, key: keys}
    num_heads: 2
    key_dim: 3
  simple: {type: attention, input: [queries, values.sequence]}
  reader: {type: lstm, input: attended, units: 3}
outputs: {y: reader, simple: simple}
"""


def attention_uses_the_masks_of_all_its_inputs(t: Tensors) -> Tensors:
    query_mask, other_mask = ops.not_equal(t["ids"], 0), ops.not_equal(t["other"], 0)
    queries = layers.Embedding(10, 4, name="queries")(t["ids"])
    keys = layers.Embedding(10, 4, name="keys")(t["other"])
    options = {"return_sequences": True, "zero_output_for_mask": True}
    values = layers.LSTM(4, name="values", **options)(keys, mask=other_mask)
    attended = layers.MultiHeadAttention(2, 3, name="attended")(
        queries,
        values,
        key=keys,
        query_mask=query_mask,
        value_mask=other_mask,
        key_mask=other_mask,
    )
    simple = layers.Attention(name="simple")([queries, values], mask=[query_mask, other_mask])
    return {"y": layers.LSTM(3, name="reader")(attended, mask=query_mask), "simple": simple}


CONVOLUTION = """
inputs: {ids: {shape: [time], dtype: int32}}
layers:
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 4, mask_zero: true}
  wide: {type: conv1d, input: embedding, filters: 3, kernel_size: 3, padding: same, mask: none}
  reader: {type: lstm, input: wide, units: 3, initial_state: {inputs: [h, c]}}
  masked: {type: lstm, input: wide, units: 3, mask: {from: embedding}}
outputs: {y: reader, masked: masked}
"""


def convolution_drops_the_mask_where_told_to(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 4, name="embedding")(t["ids"])
    wide = layers.Conv1D(3, 3, padding="same", name="wide")(embedded)
    reader = layers.LSTM(3, name="reader")(wide, initial_state=[t["h"], t["c"]])
    masked = layers.LSTM(3, name="masked")(wide, mask=ops.not_equal(t["ids"], 0))
    return {"y": reader, "masked": masked}


LAYERS = {
    "joined_inputs_keep_the_sequence_mask": Case(
        JOINED, joined_inputs_keep_the_sequence_mask, numpy_joined
    ),
    "joined_inputs_masked_by_the_value_of_the_sequence": Case(
        JOINED_BY_VALUE, joined_inputs_masked_by_the_value_of_the_sequence
    ),
    "time_distributed_hands_the_mask_on": Case(
        TIME_DISTRIBUTED, time_distributed_hands_the_mask_on
    ),
    "attention_uses_the_masks_of_all_its_inputs": Case(
        ATTENTION, attention_uses_the_masks_of_all_its_inputs
    ),
    "convolution_drops_the_mask_where_told_to": Case(
        CONVOLUTION, convolution_drops_the_mask_where_told_to
    ),
}
