"""Sums and normalization around layers, time-major data, and sequences joined in time."""

from __future__ import annotations

import numpy as np
import reference as ref
from building import FIRST_STEPS, Arrays
from handwritten import Case, Tensors, first_steps, unpadded
from keras import layers, ops

OPTIONS = {"return_sequences": True, "zero_output_for_mask": True}

RESIDUAL = """
inputs: {x: {shape: [time, 3]}, mask: {shape: [time], dtype: bool}}
layers:
  deep:
    type: lstm
    input: x
    units: 4
    depth: 3
    residual: true
    normalization: layer
    mask: {value: 0}
  summed:
    type: gru
    input: x
    units: 2
    depth: 2
    bidirectional: true
    residual: true
    mask: {input: mask}
  normed:
    type: simple_rnn
    input: x
    units: [4, 3]
    normalization: layer
    padded_output: hold
    mask: {input: mask}
  after: {type: lstm, input: deep.sequence, units: 2}
outputs:
  deep: deep.sequence
  h: deep.state.h
  summed: summed.sequence
  normed: normed.sequence
  after: after
"""


def stacks_summed_and_normalized(t: Tensors) -> Tensors:
    y, mask = t["x"], unpadded(t["x"])
    for number in (1, 2, 3):
        layer = layers.LSTM(4, name=f"deep_{number}", return_state=True, **OPTIONS)
        above, h, _ = layer(y, mask=mask)
        y = above if number == 1 else layers.Add()([y, above])
        y = layers.LayerNormalization(name=f"deep_{number}_norm")(y)
    lower = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="summed_1")
    upper = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="summed_2")
    first = lower(t["x"], mask=t["mask"])
    normed = t["x"]
    for number, units in ((1, 4), (2, 3)):
        layer = layers.SimpleRNN(units, return_sequences=True, name=f"normed_{number}")
        normed = layers.LayerNormalization(name=f"normed_{number}_norm")(
            layer(normed, mask=t["mask"])
        )
    return {
        "deep": y,
        "h": h,
        "summed": first + upper(first, mask=t["mask"]),
        "normed": normed,
        "after": layers.LSTM(2, name="after")(y, mask=mask),
    }


def numpy_residual(weights, data) -> Arrays:
    y = data["x"]
    for number in (1, 2, 3):
        run = ref.lstm(y, weights[f"deep_{number}"], FIRST_STEPS)
        y = run.sequence if number == 1 else y + run.sequence
        y = ref.layer_norm(y, weights[f"deep_{number}_norm"])
    first = ref.bidirectional(ref.gru, data["x"], weights["summed_1"], data["mask"]).sequence
    second = ref.bidirectional(ref.gru, first, weights["summed_2"], data["mask"]).sequence
    normed = data["x"]
    for number in (1, 2):
        cell = weights[f"normed_{number}"]
        above = ref.simple_rnn(normed, cell, data["mask"], hold=True).sequence
        normed = ref.layer_norm(above, weights[f"normed_{number}_norm"])
    return {
        "deep": y,
        "h": run.last,
        "summed": first + second,
        "normed": normed,
        "after": ref.lstm(y, weights["after"], FIRST_STEPS).last,
    }


TIME_MAJOR = """
inputs:
  by_time: {shape: [time, 3], time_major: true}
  lengths: {shape: [], dtype: int32}
  static: {shape: [2]}
layers:
  reader: {type: lstm, input: by_time, units: 4, mask: {lengths: lengths}, initial_state: learned}
  both:
    type: gru
    input: [by_time, static]
    units: 2
    bidirectional: true
    mask: {lengths: lengths}
  gaps: {type: lstm, input: by_time, units: 2, mask: {value: 0}, initial_state: {constant: 0.5}}
outputs: {y: reader.sequence, last: reader, both: both.sequence, gaps: gaps}
"""


def time_major_data(t: Tensors) -> Tensors:
    x, mask = ops.transpose(t["by_time"], (1, 0, 2)), first_steps(t["lengths"])
    ids = ops.cast(ops.zeros_like(x[:, 0, 0]), "int32")
    states = [layers.Embedding(1, 4, name=f"reader_{slot}")(ids) for slot in "hc"]
    reader = layers.LSTM(4, name="reader", return_state=True, **OPTIONS)
    y, h, _ = reader(x, mask=mask, initial_state=states)
    joined = ops.concatenate([x, ops.repeat(t["static"][:, None], 6, axis=1)], axis=-1)
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")
    halves = ops.zeros_like(x[:, 0, :2]) + 0.5
    gaps = layers.LSTM(2, return_state=True, name="gaps")
    return {
        "y": y,
        "last": h,
        "both": both(joined, mask=mask),
        "gaps": gaps(x, mask=unpadded(x), initial_state=[halves, halves])[1],
    }


def numpy_time_major(weights, data) -> Arrays:
    x = np.swapaxes(data["by_time"], 0, 1)
    states = tuple(np.repeat(weights[f"reader_{slot}"][0], len(x), axis=0) for slot in "hc")
    run = ref.lstm(x, weights["reader"], FIRST_STEPS, states)
    joined = np.concatenate([x, np.repeat(data["static"][:, None], x.shape[1], axis=1)], axis=-1)
    halves = np.full((len(x), 2), 0.5)
    return {
        "y": run.sequence,
        "last": run.last,
        "both": ref.bidirectional(ref.gru, joined, weights["both"], FIRST_STEPS).sequence,
        "gaps": ref.lstm(x, weights["gaps"], state=(halves, halves)).last,
    }


PREPENDED = """
inputs: {ids: {shape: [time], dtype: int32}, static: {shape: [4]}}
layers:
  words: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
  projected: {type: dense, input: static, units: 3}
  first: {type: reshape, input: projected, target_shape: [1, 3]}
  joined: {type: concatenate, input: [first, words], axis: 1}
  reader: {type: lstm, input: joined, units: 4, initial_state: learned}
  both: {type: gru, input: joined, units: 2, bidirectional: true}
outputs: {y: reader.sequence, last: reader, both: both.sequence}
"""


def static_step_before_a_sequence(t: Tensors) -> Tensors:
    words = layers.Embedding(10, 3, name="words")(t["ids"])
    first = layers.Dense(3, name="projected")(t["static"])[:, None]
    joined = ops.concatenate([first, words], axis=1)
    counts = ops.concatenate([ops.ones_like(t["ids"][:, :1]), t["ids"]], axis=1) > 0
    ids = ops.cast(ops.zeros_like(joined[:, 0, 0]), "int32")
    states = [layers.Embedding(1, 4, name=f"reader_{slot}")(ids) for slot in "hc"]
    reader = layers.LSTM(4, name="reader", return_state=True, **OPTIONS)
    y, h, _ = reader(joined, mask=counts, initial_state=states)
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")
    return {"y": y, "last": h, "both": both(joined, mask=counts)}


def numpy_prepended(weights, data) -> Arrays:
    words = weights["words"][0][data["ids"]]
    first = ref.dense(data["static"], weights["projected"])[:, None]
    joined = np.concatenate([first, words], axis=1)
    mask = np.concatenate([np.ones((len(first), 1), bool), FIRST_STEPS], axis=1)
    states = tuple(np.repeat(weights[f"reader_{slot}"][0], len(first), axis=0) for slot in "hc")
    run = ref.lstm(joined, weights["reader"], mask, states)
    both = ref.bidirectional(ref.gru, joined, weights["both"], mask)
    return {"y": run.sequence, "last": run.last, "both": both.sequence}


JOINED = """
inputs:
  x: {shape: [time, 3]}
  ids: {shape: [words], dtype: int32}
  known: {shape: [2, 3]}
layers:
  frames: {type: masking, input: x}
  words: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
  joined: {type: concatenate, input: [frames, words, known], axis: 1}
  reader: {type: lstm, input: joined, units: [4, 2]}
  after: {type: gru, input: joined, units: 2, go_backwards: true}
outputs: {y: reader.sequence, last: reader, after: after}
"""


def masked_sequences_joined_in_time(t: Tensors) -> Tensors:
    words = layers.Embedding(10, 3, name="words")(t["ids"])
    joined = ops.concatenate([t["x"], words, t["known"]], axis=1)
    every = ops.ones_like(t["known"][:, :, 0]) > 0
    mask = ops.concatenate([unpadded(t["x"]), ops.not_equal(t["ids"], 0), every], axis=1)
    lower = layers.LSTM(4, name="reader_1", **OPTIONS)
    upper = layers.LSTM(2, name="reader_2", return_state=True, **OPTIONS)
    y, h, _ = upper(lower(joined, mask=mask), mask=mask)
    after = layers.GRU(2, go_backwards=True, name="after")
    return {"y": y, "last": h, "after": after(joined, mask=mask)}


def numpy_joined(weights, data) -> Arrays:
    words = weights["words"][0][data["ids"]]
    joined = np.concatenate([data["x"], words, data["known"]], axis=1)
    mask = np.concatenate([FIRST_STEPS, FIRST_STEPS, np.ones((len(words), 2), bool)], axis=1)
    runs = ref.stack(ref.lstm, joined, [weights["reader_1"], weights["reader_2"]], mask)
    after = ref.gru(joined, weights["after"], mask, go_backwards=True)
    return {"y": runs[-1].sequence, "last": runs[-1].last, "after": after.last}


SEQUENCE_FORMS = {
    "stacks_summed_and_normalized": Case(RESIDUAL, stacks_summed_and_normalized, numpy_residual),
    "time_major_data": Case(TIME_MAJOR, time_major_data, numpy_time_major),
    "static_step_before_a_sequence": Case(
        PREPENDED, static_step_before_a_sequence, numpy_prepended
    ),
    "masked_sequences_joined_in_time": Case(JOINED, masked_sequences_joined_in_time, numpy_joined),
}
