"""Masks: inherited, none, by value, lengths, input, from."""

from __future__ import annotations

import reference as ref
from building import FIRST_STEPS, Arrays
from handwritten import Case, Tensors, average, first_steps, unpadded
from keras import layers, ops

MASKING_LAYER = """
inputs: {x: {shape: [time, 3]}}
layers:
  masking: {type: masking, input: x}
  reader: {type: lstm, input: masking, units: 4}
outputs: {y: reader.sequence}
"""


def mask_from_masking_layer(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    reader = layers.LSTM(4, return_sequences=True, zero_output_for_mask=True, name="reader")
    return {"y": reader(layers.Masking()(t["x"]), mask=mask)}


def numpy_masking_layer(weights, data) -> Arrays:
    run = ref.lstm(data["x"], weights["reader"], FIRST_STEPS)
    return {"y": run.sequence}


EMBEDDING = """
inputs: {ids: {shape: [time], dtype: int64}}
layers:
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
  reader: {type: lstm, input: embedding, units: 4, initial_state: input}
outputs: {y: reader.sequence, h: reader.state.h, c: reader.state.c}
"""


def mask_from_embedding_with_states_from_inputs(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])
    reader = layers.LSTM(
        4, return_sequences=True, return_state=True, zero_output_for_mask=True, name="reader"
    )
    states = [t["reader_h"], t["reader_c"]]
    y, h, c = reader(embedded, mask=ops.not_equal(t["ids"], 0), initial_state=states)
    return {"y": y, "h": h, "c": c}


def numpy_embedding(weights, data) -> Arrays:
    run = ref.lstm(
        weights["embedding"][0][data["ids"]],
        weights["reader"],
        data["ids"] != 0,
        (data["reader_h"], data["reader_c"]),
    )
    return {"y": run.sequence, "h": run.state[0], "c": run.state[1]}


DROPPED_MASK = """
inputs: {ids: {shape: [time], dtype: int32}}
layers:
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
  reader:
    {type: lstm, input: embedding, units: 4, mask: none, initial_state: {inputs: [h, c]}}
outputs: {y: reader.sequence}
"""


def mask_none_really_drops_it(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])  # without mask_zero
    reader = layers.LSTM(4, return_sequences=True, name="reader")
    return {"y": reader(embedded, initial_state=[t["h"], t["c"]])}


def numpy_dropped_mask(weights, data) -> Arrays:
    embedded = weights["embedding"][0][data["ids"]]
    return {"y": ref.lstm(embedded, weights["reader"], state=(data["h"], data["c"])).sequence}


MASK_NONE = """
inputs: {ids: {shape: [time], dtype: int32}}
layers:
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
  reader: {type: lstm, input: embedding, units: 4, mask: none}
outputs: {y: reader.sequence}
"""


def mask_none_without_a_state(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])
    return {"y": layers.LSTM(4, return_sequences=True, name="reader")(embedded)}


BY_VALUE = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: lstm, input: x, units: [4, 2], mask: {value: 0.0, padding: right}}
outputs: {y: reader.sequence}
"""


def mask_by_value_reaches_the_whole_stack(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    options = {"return_sequences": True, "zero_output_for_mask": True}
    first = layers.LSTM(4, name="reader_1", **options)(t["x"], mask=mask)
    return {"y": layers.LSTM(2, name="reader_2", **options)(first, mask=mask)}


def numpy_value_stack(weights, data) -> Arrays:
    runs = ref.stack(ref.lstm, data["x"], [weights["reader_1"], weights["reader_2"]], FIRST_STEPS)
    return {"y": runs[-1].sequence}


BY_LENGTHS = """
inputs: {frames: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  reader: {type: gru, input: frames, units: 4, mask: {lengths: lengths}, padded_output: hold}
outputs: {y: reader.sequence}
"""


def mask_by_lengths_holding_the_last_output(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    reader = layers.GRU(4, return_sequences=True, zero_output_for_mask=False, name="reader")
    return {"y": reader(t["frames"], mask=mask)}


def numpy_lengths(weights, data) -> Arrays:
    return {"y": ref.gru(data["frames"], weights["reader"], FIRST_STEPS, hold=True).sequence}


MASK_INPUT = """
inputs: {frames: {shape: [time, 3]}, mask: {shape: [time], dtype: bool}}
layers:
  reader:
    type: simple_rnn
    input: frames
    units: 4
    mask: {input: mask}
    initial_state: {inputs: [h]}
outputs: {y: reader.sequence, h: reader.state.h}
"""


def mask_from_an_input_with_gaps(t: Tensors) -> Tensors:
    reader = layers.SimpleRNN(
        4, return_sequences=True, return_state=True, zero_output_for_mask=True, name="reader"
    )
    y, h = reader(t["frames"], mask=t["mask"], initial_state=[t["h"]])
    return {"y": y, "h": h}


def numpy_mask_input(weights, data) -> Arrays:
    run = ref.simple_rnn(data["frames"], weights["reader"], data["mask"], (data["h"],))
    return {"y": run.sequence, "h": run.state[0]}


OTHER_LAYER = """
inputs: {ids: {shape: [time], dtype: int32}, frames: {shape: [time, 3]}}
layers:
  embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
  reader: {type: lstm, input: frames, units: 4, mask: {from: embedding}}
  words: {type: lstm, input: embedding, units: 2}
outputs: {y: reader, words: words}
"""


def mask_from_another_layer(t: Tensors) -> Tensors:
    mask = ops.not_equal(t["ids"], 0)
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])
    return {
        "y": layers.LSTM(4, name="reader")(t["frames"], mask=mask),
        "words": layers.LSTM(2, name="words")(embedded, mask=mask),
    }


INHERITED = """
inputs: {frames: {shape: [time, 4]}, lengths: {shape: [], dtype: int32}}
layers:
  first: {type: lstm, input: frames, units: 4, mask: {lengths: lengths}}
  dropped: {type: dropout, input: first.sequence, rate: 0.5}
  scaled: {type: layer_normalization, input: dropped}
  added: {type: add, input: [scaled, first.sequence]}
  second: {type: gru, input: added, units: 3, initial_state: {inputs: [h]}}
  mean: {type: global_average_pooling1d, input: added}
outputs: {y: second.sequence, mean: mean}
"""


def mask_inherited_through_other_layers(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    options = {"return_sequences": True, "zero_output_for_mask": True}
    first = layers.LSTM(4, name="first", **options)(t["frames"], mask=mask)
    added = layers.LayerNormalization(name="scaled")(first) + first
    second = layers.GRU(3, name="second", **options)(added, mask=mask, initial_state=[t["h"]])
    return {"y": second, "mean": average(added, mask)}


MASKS = {
    "mask_from_masking_layer": Case(MASKING_LAYER, mask_from_masking_layer, numpy_masking_layer),
    "mask_from_embedding_with_states_from_inputs": Case(
        EMBEDDING, mask_from_embedding_with_states_from_inputs, numpy_embedding
    ),
    "mask_none_really_drops_it": Case(DROPPED_MASK, mask_none_really_drops_it, numpy_dropped_mask),
    "mask_none_without_a_state": Case(MASK_NONE, mask_none_without_a_state),
    "mask_by_value_reaches_the_whole_stack": Case(
        BY_VALUE, mask_by_value_reaches_the_whole_stack, numpy_value_stack
    ),
    "mask_by_lengths_holding_the_last_output": Case(
        BY_LENGTHS, mask_by_lengths_holding_the_last_output, numpy_lengths
    ),
    "mask_from_an_input_with_gaps": Case(
        MASK_INPUT, mask_from_an_input_with_gaps, numpy_mask_input
    ),
    "mask_from_another_layer": Case(OTHER_LAYER, mask_from_another_layer),
    "mask_inherited_through_other_layers": Case(INHERITED, mask_inherited_through_other_layers),
}
