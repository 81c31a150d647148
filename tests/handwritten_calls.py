"""Layers that are called several times: in Keras by hand, the same layer object on other inputs."""

from __future__ import annotations

import numpy as np
import reference as ref
from building import FIRST_STEPS, MASK, Arrays
from handwritten import SLOTS, Case, Tensors, first_steps, unpadded
from keras import layers, ops

SIAMESE = """
inputs:
  x: {shape: [time, 3]}
  answer: {shape: [time, 3]}
  mask: {shape: [time], dtype: bool}
layers:
  encoder:
    type: lstm
    input: x
    units: 4
    mask: {value: 0}
    initial_state: input
  encoded: {call: encoder, input: answer, mask: {input: mask}, initial_state: zeros}
  twice: {call: encoder, input: answer, mask: none, initial_state: {h: encoder.state.c, c: zeros}}
  likeness: {type: dot, input: [encoder, encoded], axes: 1, normalize: true}
outputs: {likeness: likeness, state: encoded.state, twice: twice.sequence}
"""


def siamese_with_masks_and_states(t: Tensors) -> Tensors:
    encoder = layers.LSTM(
        4, name="encoder", return_sequences=True, return_state=True, zero_output_for_mask=True
    )
    given = [t["encoder_h"], t["encoder_c"]]
    _, h, c = encoder(t["x"], mask=unpadded(t["x"]), initial_state=given)
    _, h2, c2 = encoder(t["answer"], mask=t["mask"])
    twice, *_ = encoder(t["answer"], initial_state=[c, layers.Rescaling(0.0)(c)])
    likeness = layers.Dot(axes=1, normalize=True)([h, h2])
    return {"likeness": likeness, "state_h": h2, "state_c": c2, "twice": twice}


def numpy_siamese(weights, data) -> Arrays:
    own = weights["encoder"]
    given = (data["encoder_h"], data["encoder_c"])
    first = ref.lstm(data["x"], own, FIRST_STEPS, given)
    second = ref.lstm(data["answer"], own, MASK)
    third = ref.lstm(data["answer"], own, state=(first.state[1], 0 * first.state[1]))
    norms = [np.linalg.norm(run.last, axis=1, keepdims=True) for run in (first, second)]
    a, b = first.last / norms[0], second.last / norms[1].clip(1e-6)  # a row without any step is 0
    return {
        "likeness": (a * b).sum(axis=1, keepdims=True),
        "state_h": second.state[0],
        "state_c": second.state[1],
        "twice": third.sequence,
    }


SHARED_STACK = """
inputs:
  source: {shape: [time], dtype: int32}
  target: {shape: [steps], dtype: int32}
layers:
  words: {type: embedding, input: source, input_dim: 10, output_dim: 4, mask_zero: true}
  reader: {type: gru, input: words, units: 4, depth: 2, residual: true, normalization: layer}
  written: {call: words, input: target}
  writer: {call: reader, input: written, initial_state: reader}
  attended:
    type: multi_head_attention
    input: {query: writer.sequence, value: reader.sequence}
    num_heads: 2
    key_dim: 3
  back: {call: attended, input: {query: reader.sequence, value: writer.sequence}}
  each: {type: time_distributed, input: attended, layer: {type: dense, units: 3}}
  each_back: {call: each, input: back}
  head: {type: dense, input: each, units: 2}
  head_back: {call: head, input: each_back}
  head_of_state: {type: dense, input: reader.state.h, units: 3}
  head_of_writer: {call: head_of_state, input: writer.state.h}
outputs: {y: head, back: head_back, state: head_of_state, other: head_of_writer}
"""


def stack_embedding_attention_and_heads_shared_by_encoder_and_decoder(t: Tensors) -> Tensors:
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    words = layers.Embedding(10, 4, mask_zero=True, name="words")
    grus = [layers.GRU(4, name=f"reader_{number}", **options) for number in (1, 2)]
    norms = [layers.LayerNormalization(name=f"reader_{number}_norm") for number in (1, 2)]
    add = layers.Add()

    def stack(ids, states):
        x = words(ids)
        mask = ids != 0
        below, h1 = grus[0](x, mask=mask, initial_state=states and states[0])
        below = norms[0](below)
        above, h2 = grus[1](below, mask=mask, initial_state=states and states[1])
        return norms[1](add([below, above])), [h1, h2]

    read, states = stack(t["source"], None)
    written, last = stack(t["target"], states)
    attended = layers.MultiHeadAttention(2, 3, name="attended")
    each = layers.TimeDistributed(layers.Dense(3), name="each")
    head = layers.Dense(2, name="head")
    of_state = layers.Dense(3, name="head_of_state")

    def attend(query, value, ids):
        # The layer takes the masks off the tensors that it is given, so each call gets its own.
        query, value = layers.Rescaling(1.0)(query), layers.Rescaling(1.0)(value)
        # What reads `time_distributed` finds zeros in the padded steps.
        return head(ops.where((ids != 0)[..., None], each(attended(query, value)), 0.0))

    return {
        "y": attend(written, read, t["target"]),
        "back": attend(read, written, t["source"]),
        "state": of_state(states[1]),
        "other": of_state(last[1]),
    }


TWO_WAYS = """
inputs:
  x: {shape: [time, 3]}
  frames: {shape: [5, 3]}
  lengths: {shape: [], dtype: int32}
  store: {shape: [2]}
layers:
  encoder:
    type: lstm
    input: [x, store]
    units: 4
    bidirectional: true
    merge_mode: sum
    mask: {lengths: lengths}
    initial_state: learned
  other: {call: encoder, input: [frames, store], mask: none}
  started: {call: encoder, input: [x, store], mask: inherited, initial_state: {static: [store]}}
  cells:
    type: rnn
    input: x
    cells: [{type: lstm_cell, units: 3}, {type: gru_cell, units: 2}]
    mask: {value: 0.0}
  of_frames: {call: cells, input: frames}
outputs:
  last: encoder.last
  sequence: other.sequence
  started: started.last
  cells: cells
  of_frames: of_frames
"""


def two_directions_learned_states_and_cells(t: Tensors) -> Tensors:
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    encoder = layers.Bidirectional(layers.LSTM(4, **options), merge_mode="sum", name="encoder")
    ids = ops.zeros_like(t["lengths"])
    learned = [layers.Embedding(1, 4, name=f"encoder_{slot}") for slot in SLOTS]

    def joined(x, steps):
        store = ops.repeat(t["store"][:, None], steps, axis=1)
        return ops.concatenate([x, store], axis=-1)

    x = joined(t["x"], 6)
    _, *first = encoder(x, mask=first_steps(t["lengths"]), initial_state=[s(ids) for s in learned])
    sequence, *_ = encoder(joined(t["frames"], 5), initial_state=[s(ids) for s in learned])
    static = [layers.Dense(4, name=f"started_{slot}")(t["store"]) for slot in SLOTS]
    _, *started = encoder(x, initial_state=static)
    cells = layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(2)])
    rnn = layers.RNN(cells, name="cells")
    return {
        "last": first[0] + first[2],
        "sequence": sequence,
        "started": started[0] + started[2],
        "cells": rnn(t["x"], mask=unpadded(t["x"])),
        "of_frames": rnn(t["frames"], mask=unpadded(t["frames"])),
    }


CALLS = {
    "siamese_with_masks_and_states": Case(SIAMESE, siamese_with_masks_and_states, numpy_siamese),
    "stack_embedding_attention_and_heads_shared_by_encoder_and_decoder": Case(
        SHARED_STACK, stack_embedding_attention_and_heads_shared_by_encoder_and_decoder
    ),
    "two_directions_learned_states_and_cells": Case(
        TWO_WAYS, two_directions_learned_states_and_cells
    ),
}
