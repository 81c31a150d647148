"""Layers of cells: Keras's RNN over one cell, and over several that run one after the other."""

from __future__ import annotations

import numpy as np
import reference as ref
from building import FIRST_STEPS, Arrays
from handwritten import Case, Tensors, first_steps, unpadded
from keras import layers, ops

OPTIONS = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}

ONE_CELL = """
inputs: {x: {shape: [time, 3]}, mask: {shape: [time], dtype: bool}}
layers:
  lstm:
    type: rnn
    input: x
    cells: [{type: lstm_cell, units: 4, activation: relu, recurrent_activation: tanh}]
    mask: {value: 0}
    initial_state: input
  gru:
    type: rnn
    input: x
    cells: [{type: gru_cell, units: 3, reset_after: false}]
    mask: {input: mask}
    initial_state: learned
  both:
    type: rnn
    input: x
    cells: [{type: lstm_cell, units: 2, use_bias: false}]
    bidirectional: true
    mask: {input: mask}
    initial_state: {constant: [0.5, -1]}
  rnn:
    type: rnn
    input: x
    cells: [{type: simple_rnn_cell, units: 4, activation: sigmoid}]
    mask: {value: 0}
    initial_state: {h: lstm}
outputs:
  lstm: lstm.sequence
  state: lstm.state
  gru: gru
  both: both.sequence
  last: both.last
  rnn: rnn.sequence
"""


def one_cell_in_a_layer(t: Tensors) -> Tensors:
    x, mask = t["x"], unpadded(t["x"])
    cell = layers.LSTMCell(4, activation="relu", recurrent_activation="tanh")
    states = [t["lstm_h"], t["lstm_c"]]
    lstm, h, c = layers.RNN(cell, name="lstm", **OPTIONS)(x, mask=mask, initial_state=states)
    gru = layers.RNN(layers.GRUCell(3, reset_after=False), return_state=True, name="gru")
    ids = ops.cast(ops.zeros_like(x[:, 0, 0]), "int32")
    learned = layers.Embedding(1, 3, name="gru_h")(ids)
    inner = layers.RNN(layers.LSTMCell(2, use_bias=False), return_sequences=True, return_state=True)
    given = ops.zeros_like(x[:, 0, :1]) + np.array([[0.5, -1]], "float32")
    both = layers.Bidirectional(inner, name="both")
    y, forward_h, _, backward_h, _ = both(x, mask=t["mask"], initial_state=[given] * 4)
    rnn = layers.RNN(layers.SimpleRNNCell(4, activation="sigmoid"), name="rnn", **OPTIONS)
    return {
        "lstm": lstm,
        "state_h": h,
        "state_c": c,
        "gru": gru(x, mask=t["mask"], initial_state=[learned])[1],
        "both": y,
        "last": ops.concatenate([forward_h, backward_h], axis=-1),
        "rnn": rnn(x, mask=mask, initial_state=[h])[0],
    }


def numpy_one_cell(weights, data) -> Arrays:
    x = data["x"]
    lstm = ref.lstm(
        x,
        weights["lstm"],
        FIRST_STEPS,
        (data["lstm_h"], data["lstm_c"]),
        activation=ref.relu,
        gate=np.tanh,
    )
    learned = np.repeat(weights["gru_h"][0], len(x), axis=0)
    gru = ref.gru(x, weights["gru"], data["mask"], (learned,), reset_after=False)
    given = np.repeat([[0.5, -1]], len(x), axis=0)
    both = ref.bidirectional(ref.lstm, x, weights["both"], data["mask"], (given,) * 4)
    state = (lstm.state[0],)
    rnn = ref.simple_rnn(x, weights["rnn"], FIRST_STEPS, state, activation=ref.sigmoid)
    return {
        "lstm": lstm.sequence,
        "state_h": lstm.state[0],
        "state_c": lstm.state[1],
        "gru": gru.last,
        "both": both.sequence,
        "last": both.last,
        "rnn": rnn.sequence,
    }


def cells() -> list[layers.Layer]:
    return [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]


def numpy_cells(x, weights, mask, state=None) -> tuple[np.ndarray, list[np.ndarray]]:
    """The sequence, and the states of all cells: h and c of the first, h of the others."""
    state = state or [np.zeros((len(x), units)) for units in (4, 4, 3, 2)]
    first = ref.lstm(x, weights[:3], mask, tuple(state[:2]))
    second = ref.gru(first.sequence, weights[3:6], mask, (state[2],))
    third = ref.simple_rnn(second.sequence, weights[6:], mask, (state[3],))
    return third.sequence, [*first.state, *second.state, *third.state]


SEVERAL_CELLS = """
inputs: {x: {shape: [time, 3]}, known: {shape: [4, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  encoder:
    type: rnn
    input: x
    cells: &cells
      - {type: lstm_cell, units: 4}
      - {type: gru_cell, units: 3}
      - {type: simple_rnn_cell, units: 2}
    mask: {lengths: lengths}
    initial_state: input
  decoder: {type: rnn, input: known, cells: *cells, initial_state: encoder}
  plain: {type: rnn, input: x, cells: *cells, mask: {value: 0}}
  filled: {type: rnn, input: x, cells: *cells, mask: {value: 0}, initial_state: {constant: 0.25}}
  upper: {type: gru, input: known, units: 3, initial_state: encoder.state.2.h}
outputs:
  encoder: encoder.sequence
  state: encoder.state
  decoder: decoder.sequence
  zeros: plain.sequence
  last: plain.last
  constant: filled.last
  upper: upper
"""
STATE_NAMES = ("1_h", "1_c", "2_h", "3_h")


def nested(h, c, second, third) -> list:
    return [[h, c], [second], [third]]


def flat(states) -> list:
    (h, c), second, third = states
    second = second[0] if isinstance(second, list | tuple) else second
    third = third[0] if isinstance(third, list | tuple) else third
    return [h, c, second, third]


def several_cells_in_a_layer(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    given = nested(*(t[f"encoder_{name}"] for name in STATE_NAMES))
    y, *found = layers.RNN(cells(), name="encoder", **OPTIONS)(
        t["x"], mask=mask, initial_state=given
    )
    states = flat(found)
    decoder = layers.RNN(cells(), return_sequences=True, name="decoder")
    plain, *plain_states = layers.RNN(cells(), name="plain", **OPTIONS)(
        t["x"], mask=unpadded(t["x"])
    )
    row = t["x"][:, 0, :1]
    filled = nested(*(ops.zeros_like(ops.repeat(row, n, axis=1)) + 0.25 for n in (4, 4, 3, 2)))
    constant = layers.RNN(cells(), return_state=True, name="filled")
    ends = constant(t["x"], mask=unpadded(t["x"]), initial_state=filled)
    upper = layers.GRU(3, name="upper")
    return {
        "encoder": y,
        **{f"state_{name}": state for name, state in zip(STATE_NAMES, states, strict=True)},
        "decoder": decoder(t["known"], initial_state=nested(*states)),
        "zeros": plain,
        "last": flat(plain_states)[-1],
        "constant": flat(ends[1:])[-1],
        "upper": upper(t["known"], initial_state=[states[2]]),
    }


def numpy_several_cells(weights, data) -> Arrays:
    given = [data[f"encoder_{name}"] for name in STATE_NAMES]
    y, states = numpy_cells(data["x"], weights["encoder"], FIRST_STEPS, given)
    plain, ends = numpy_cells(data["x"], weights["plain"], FIRST_STEPS)
    filled = [np.full((len(y), units), 0.25) for units in (4, 4, 3, 2)]
    return {
        "encoder": y,
        **{f"state_{name}": state for name, state in zip(STATE_NAMES, states, strict=True)},
        "decoder": numpy_cells(data["known"], weights["decoder"], None, states)[0],
        "zeros": plain,
        "last": ends[-1],
        "constant": numpy_cells(data["x"], weights["filled"], FIRST_STEPS, filled)[1][-1],
        "upper": ref.gru(data["known"], weights["upper"], state=(states[2],)).last,
    }


SPLIT_CELLS = """
inputs: {x: {shape: [time, 3]}}
layers:
  h_alone:
    type: rnn
    input: x
    cells: &cells
      - {type: lstm_cell, units: 4}
      - {type: gru_cell, units: 3}
      - {type: simple_rnn_cell, units: 2}
    mask: {value: 0}
    initial_state: {h: learned}
  c_alone:
    type: rnn
    input: x
    cells: *cells
    mask: {value: 0}
    initial_state: {h: zeros, c: {constant: 0.5}}
outputs: {h_alone: h_alone.sequence, c_alone: c_alone.sequence}
"""


def some_states_of_several_cells(t: Tensors) -> Tensors:
    """Cells of different sizes: the zeros beside the given states have the size of each."""
    x, mask = t["x"], unpadded(t["x"])
    ids = ops.cast(ops.zeros_like(x[:, 0, 0]), "int32")
    learned = {
        name: layers.Embedding(1, units, name=f"h_alone_{name}")(ids)
        for name, units in (("1_h", 4), ("2_h", 3), ("3_h", 2))
    }
    zeros = {n: ops.zeros_like(ops.repeat(x[:, 0, :1], n, axis=1)) for n in (2, 3, 4)}
    states = {
        "h_alone": nested(learned["1_h"], zeros[4], learned["2_h"], learned["3_h"]),
        "c_alone": nested(zeros[4], zeros[4] + 0.5, zeros[3], zeros[2]),
    }
    return {
        name: layers.RNN(cells(), return_sequences=True, zero_output_for_mask=True, name=name)(
            x, mask=mask, initial_state=state
        )
        for name, state in states.items()
    }


def numpy_some_states(weights, data) -> Arrays:
    rows = len(data["x"])
    learned = [np.repeat(weights[f"h_alone_{n}_h"][0], rows, axis=0) for n in (1, 2, 3)]
    zeros = {n: np.zeros((rows, n)) for n in (2, 3, 4)}
    states = {
        "h_alone": [learned[0], zeros[4], learned[1], learned[2]],
        "c_alone": [zeros[4], zeros[4] + 0.5, zeros[3], zeros[2]],
    }
    return {
        name: numpy_cells(data["x"], weights[name], FIRST_STEPS, state)[0]
        for name, state in states.items()
    }


CELL_FORMS = {
    "one_cell_in_a_layer": Case(ONE_CELL, one_cell_in_a_layer, numpy_one_cell),
    "several_cells_in_a_layer": Case(SEVERAL_CELLS, several_cells_in_a_layer, numpy_several_cells),
    "some_states_of_several_cells": Case(
        SPLIT_CELLS, some_states_of_several_cells, numpy_some_states
    ),
}
