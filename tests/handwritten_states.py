"""Initial states that are the states of other layers."""

from __future__ import annotations

import numpy as np
import reference as ref
from building import FIRST_STEPS, Arrays
from handwritten import SLOTS, Case, Tensors, first_steps, unpadded
from keras import layers, ops

STACK_TO_STACK = """
inputs:
  frames: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  known: {shape: [5, 2]}
layers:
  encoder: {type: lstm, input: frames, units: [4, 3], mask: {lengths: lengths}}
  decoder: {type: lstm, input: known, units: [4, 3], initial_state: encoder}
  single: {type: lstm, input: known, units: 3, initial_state: encoder}
outputs: {y: decoder.sequence, single: single.sequence}
"""


def state_of_a_stack_for_a_stack_and_for_one_layer(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    first, h1, c1 = layers.LSTM(4, name="encoder_1", **options)(t["frames"], mask=mask)
    _, h2, c2 = layers.LSTM(3, name="encoder_2", return_state=True)(first, mask=mask)
    lower = layers.LSTM(4, return_sequences=True, name="decoder_1")
    upper = layers.LSTM(3, return_sequences=True, name="decoder_2")
    single = layers.LSTM(3, return_sequences=True, name="single")
    return {
        "y": upper(lower(t["known"], initial_state=[h1, c1]), initial_state=[h2, c2]),
        "single": single(t["known"], initial_state=[h2, c2]),
    }


def numpy_stack_to_stack(weights, data) -> Arrays:
    encoder = ref.stack(
        ref.lstm, data["frames"], [weights["encoder_1"], weights["encoder_2"]], FIRST_STEPS
    )
    decoder = ref.stack(
        ref.lstm,
        data["known"],
        [weights["decoder_1"], weights["decoder_2"]],
        states=[run.state for run in encoder],
    )
    single = ref.lstm(data["known"], weights["single"], state=encoder[-1].state)
    return {"y": decoder[-1].sequence, "single": single.sequence}


BRIDGE_LAST = """
inputs: {frames: {shape: [time, 3]}, known: {shape: [5, 2]}}
layers:
  encoder: {type: gru, input: frames, units: 4}
  decoder:
    type: gru
    input: known
    units: 4
    depth: 2
    initial_state: {from: encoder, bridge: last}
outputs: {y: decoder.sequence}
"""


def state_of_one_layer_for_every_layer_of_a_stack(t: Tensors) -> Tensors:
    _, h = layers.GRU(4, return_state=True, name="encoder")(t["frames"])
    lower = layers.GRU(4, return_sequences=True, name="decoder_1")
    upper = layers.GRU(4, return_sequences=True, name="decoder_2")
    return {"y": upper(lower(t["known"], initial_state=[h]), initial_state=[h])}


def numpy_bridge_last(weights, data) -> Arrays:
    encoder = ref.gru(data["frames"], weights["encoder"])
    decoder = ref.stack(
        ref.gru,
        data["known"],
        [weights["decoder_1"], weights["decoder_2"]],
        states=[encoder.state, encoder.state],
    )
    return {"y": decoder[-1].sequence}


BRIDGES = """
inputs: {x: {shape: [time, 3]}, known: {shape: [5, 2]}}
layers:
  encoder: {type: lstm, input: x, units: 3, bidirectional: true, mask: {value: 0}}
  wide: {type: lstm, input: known, units: 6, initial_state: {from: encoder, bridge: concat}}
  narrow: {type: lstm, input: known, units: 4, initial_state: {from: encoder, bridge: dense}}
outputs: {wide: wide.sequence, narrow: narrow.sequence}
"""


def state_of_two_directions_for_one(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    encoder = layers.Bidirectional(layers.LSTM(3, return_state=True), name="encoder")
    _, forward_h, forward_c, backward_h, backward_c = encoder(t["x"], mask=mask)
    h = ops.concatenate([forward_h, backward_h], axis=-1)
    c = ops.concatenate([forward_c, backward_c], axis=-1)
    states = [layers.Dense(4, name="narrow_h")(h), layers.Dense(4, name="narrow_c")(c)]
    wide = layers.LSTM(6, return_sequences=True, name="wide")
    narrow = layers.LSTM(4, return_sequences=True, name="narrow")
    return {
        "wide": wide(t["known"], initial_state=[h, c]),
        "narrow": narrow(t["known"], initial_state=states),
    }


def numpy_bridges(weights, data) -> Arrays:
    encoder = ref.bidirectional(ref.lstm, data["x"], weights["encoder"], FIRST_STEPS)
    joined = tuple(
        np.concatenate(pair, axis=1) for pair in zip(encoder.forward, encoder.backward, strict=True)
    )
    projected = tuple(
        ref.dense(state, weights[f"narrow_{slot}"])
        for slot, state in zip("hc", joined, strict=True)
    )
    wide = ref.lstm(data["known"], weights["wide"], state=joined)
    narrow = ref.lstm(data["known"], weights["narrow"], state=projected)
    return {"wide": wide.sequence, "narrow": narrow.sequence}


ONE_WAY_TO_TWO = """
inputs: {frames: {shape: [time, 3]}, known: {shape: [5, 2]}}
layers:
  encoder: {type: lstm, input: frames, units: 4}
  decoder:
    type: lstm
    input: known
    units: 3
    bidirectional: true
    initial_state: {from: encoder, bridge: dense}
  twin: {type: lstm, input: frames, units: 2, bidirectional: true}
  taker: {type: lstm, input: known, units: 2, bidirectional: true, initial_state: twin}
outputs: {y: decoder.sequence, twin: taker.sequence}
"""


def state_of_one_or_two_directions_for_two(t: Tensors) -> Tensors:
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(t["frames"])
    states = [layers.Dense(3, name=f"decoder_{s}")(h if s[-1] == "h" else c) for s in SLOTS]
    twin = layers.Bidirectional(layers.LSTM(2, return_state=True), name="twin")
    handed = twin(t["frames"])[1:]
    decoder = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="decoder")
    taker = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="taker")
    return {
        "y": decoder(t["known"], initial_state=states),
        "twin": taker(t["known"], initial_state=handed),
    }


def numpy_one_way_to_two(weights, data) -> Arrays:
    encoder = ref.lstm(data["frames"], weights["encoder"])
    states = tuple(
        ref.dense(encoder.state["hc".index(slot[-1])], weights[f"decoder_{slot}"]) for slot in SLOTS
    )
    same = ref.bidirectional(ref.lstm, data["frames"], weights["twin"])
    handed = (*same.forward, *same.backward)
    twin = ref.bidirectional(ref.lstm, data["known"], weights["taker"], state=handed)
    decoder = ref.bidirectional(ref.lstm, data["known"], weights["decoder"], state=states)
    return {"y": decoder.sequence, "twin": twin.sequence}


KINDS_OF_CELL = """
inputs: {x: {shape: [time, 3]}}
layers:
  lstm: {type: lstm, input: x, units: 4, mask: {value: 0}}
  gru: {type: gru, input: x, units: 4, mask: {value: 0}, initial_state: {h: lstm}}
  rnn: {type: simple_rnn, input: x, units: 4, mask: {value: 0}, initial_state: gru.state.h}
  final:
    type: gru
    input: x
    units: 4
    reset_after: false
    mask: {value: 0}
    initial_state: {h: rnn}
outputs: {gru: gru.sequence, rnn: rnn.sequence, final: final.sequence}
"""


def state_h_across_kinds_of_cell(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    call = {"sequences": t["x"], "mask": mask}
    _, h, _ = layers.LSTM(4, name="lstm", return_state=True)(**call)
    gru, gru_h = layers.GRU(4, name="gru", **options)(**call, initial_state=[h])
    rnn, rnn_h = layers.SimpleRNN(4, name="rnn", **options)(**call, initial_state=[gru_h])
    last = layers.GRU(4, name="final", reset_after=False, **options)
    return {"gru": gru, "rnn": rnn, "final": last(**call, initial_state=[rnn_h])[0]}


def numpy_cells(weights, data) -> Arrays:
    lstm = ref.lstm(data["x"], weights["lstm"], FIRST_STEPS)
    gru = ref.gru(data["x"], weights["gru"], FIRST_STEPS, (lstm.state[0],))
    rnn = ref.simple_rnn(data["x"], weights["rnn"], FIRST_STEPS, gru.state)
    last = ref.gru(data["x"], weights["final"], FIRST_STEPS, rnn.state, reset_after=False)
    return {"gru": gru.sequence, "rnn": rnn.sequence, "final": last.sequence}


STATES = {
    "state_of_a_stack_for_a_stack_and_for_one_layer": Case(
        STACK_TO_STACK, state_of_a_stack_for_a_stack_and_for_one_layer, numpy_stack_to_stack
    ),
    "state_of_one_layer_for_every_layer_of_a_stack": Case(
        BRIDGE_LAST, state_of_one_layer_for_every_layer_of_a_stack, numpy_bridge_last
    ),
    "state_of_two_directions_for_one": Case(
        BRIDGES, state_of_two_directions_for_one, numpy_bridges
    ),
    "state_of_one_or_two_directions_for_two": Case(
        ONE_WAY_TO_TWO, state_of_one_or_two_directions_for_two, numpy_one_way_to_two
    ),
    "state_h_across_kinds_of_cell": Case(KINDS_OF_CELL, state_h_across_kinds_of_cell, numpy_cells),
}
