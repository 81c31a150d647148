"""Initial states from inputs and static features, and from several places at once."""

from __future__ import annotations

import numpy as np
import reference as ref
from building import FIRST_STEPS, Arrays
from handwritten import Case, Tensors, first_steps, unpadded
from keras import layers, ops

TWO_WAY_INPUTS = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader:
    type: lstm
    input: x
    units: 2
    bidirectional: true
    mask: {value: 0}
    initial_state: {inputs: [fh, fc, bh, bc]}
  split:
    type: lstm
    input: x
    units: 2
    bidirectional: true
    mask: {value: 0}
    initial_state: {h: {inputs: [fh, bh]}, c: zeros}
outputs: {y: reader.sequence, split: split}
"""


def states_of_two_directions_from_inputs(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    reader = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="reader")
    split = layers.Bidirectional(layers.LSTM(2, return_state=True), name="split")
    zeros = ops.zeros_like(t["fh"])
    states = [t[name] for name in ("fh", "fc", "bh", "bc")]
    halves = split(t["x"], mask=mask, initial_state=[t["fh"], zeros, t["bh"], zeros])
    return {
        "y": reader(t["x"], mask=mask, initial_state=states),
        "split": ops.concatenate([halves[1], halves[3]], axis=-1),
    }


def numpy_two_way_inputs(weights, data) -> Arrays:
    state = tuple(data[name] for name in ("fh", "fc", "bh", "bc"))
    run = ref.bidirectional(ref.lstm, data["x"], weights["reader"], FIRST_STEPS, state)
    split = (data["fh"], np.zeros_like(data["fh"]), data["bh"], np.zeros_like(data["bh"]))
    other = ref.bidirectional(ref.lstm, data["x"], weights["split"], FIRST_STEPS, split)
    return {"y": run.sequence, "split": other.last}


SPLITS = """
inputs:
  frames: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  known: {shape: [5, 2]}
  static: {shape: [7]}
layers:
  encoder: {type: lstm, input: frames, units: 4, mask: {lengths: lengths}}
  h_alone: {type: lstm, input: known, units: 4, initial_state: {h: encoder}}
  c_alone: {type: lstm, input: known, units: 4, initial_state: {h: zeros, c: encoder}}
  mixed:
    type: lstm
    input: known
    units: 4
    initial_state: {h: {inputs: [given]}, c: {static: [static]}}
  swapped:
    type: lstm
    input: known
    units: 4
    initial_state: {h: encoder.state.c, c: encoder.state.h}
outputs:
  h_alone: h_alone.sequence
  c_alone: c_alone.sequence
  mixed: mixed.sequence
  swapped: swapped.sequence
"""


def states_h_and_c_from_different_places(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(t["frames"], mask=mask)
    zeros = ops.zeros_like(h)
    states = {
        "h_alone": [h, zeros],
        "c_alone": [zeros, c],
        "mixed": [t["given"], layers.Dense(4, name="mixed_c")(t["static"])],
        "swapped": [c, h],
    }
    return {
        name: layers.LSTM(4, return_sequences=True, name=name)(t["known"], initial_state=state)
        for name, state in states.items()
    }


def numpy_splits(weights, data) -> Arrays:
    encoder = ref.lstm(data["frames"], weights["encoder"], FIRST_STEPS)
    h, c = encoder.state
    zeros = np.zeros_like(h)
    projected = ref.dense(data["static"], weights["mixed_c"])
    return {
        name: ref.lstm(data["known"], weights[name], state=state).sequence
        for name, state in {
            "h_alone": (h, zeros),
            "c_alone": (zeros, c),
            "mixed": (data["given"], projected),
            "swapped": (c, h),
        }.items()
    }


STATIC = """
inputs:
  frames: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  static: {shape: [5]}
  more: {shape: [2]}
layers:
  one:
    type: lstm
    input: frames
    units: 4
    mask: {lengths: lengths}
    initial_state: {static: [static]}
  two:
    type: lstm
    input: frames
    units: 3
    mask: {lengths: lengths}
    initial_state: {static: [static, more], activation: tanh}
outputs: {one: one.state, two: two.state}
"""


def states_from_static_features(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    joined = layers.Concatenate()([t["static"], t["more"]])
    one = [layers.Dense(4, name=f"one_{slot}")(t["static"]) for slot in "hc"]
    two = [layers.Dense(3, activation="tanh", name=f"two_{slot}")(joined) for slot in "hc"]
    call = {"sequences": t["frames"], "mask": mask}
    _, h1, c1 = layers.LSTM(4, return_state=True, name="one")(**call, initial_state=one)
    _, h2, c2 = layers.LSTM(3, return_state=True, name="two")(**call, initial_state=two)
    return {"one_h": h1, "one_c": c1, "two_h": h2, "two_c": c2}


def numpy_static(weights, data) -> Arrays:
    joined = np.concatenate([data["static"], data["more"]], axis=1)
    features = {"one": data["static"], "two": joined}
    outputs = {}
    for name, values in features.items():
        bend = np.tanh if name == "two" else (lambda x: x)
        state = tuple(bend(ref.dense(values, weights[f"{name}_{slot}"])) for slot in "hc")
        run = ref.lstm(data["frames"], weights[name], FIRST_STEPS, state)
        outputs |= {f"{name}_h": run.state[0], f"{name}_c": run.state[1]}
    return outputs


SPLIT_STATIC = """
inputs: {x: {shape: [time, 3]}, one: {shape: [5]}, two: {shape: [5]}}
layers:
  reader:
    type: lstm
    input: x
    units: 4
    mask: {value: 0}
    initial_state: {h: {static: [one, two]}, c: {static: [two, one]}}
outputs: {y: reader}
"""


def states_h_and_c_from_different_static_features(t: Tensors) -> Tensors:
    orders = {"h": [t["one"], t["two"]], "c": [t["two"], t["one"]]}
    state = [
        layers.Dense(4, name=f"reader_{slot}")(layers.Concatenate()(order))
        for slot, order in orders.items()
    ]
    reader = layers.LSTM(4, return_state=True, name="reader")
    return {"y": reader(t["x"], mask=unpadded(t["x"]), initial_state=state)[1]}


def numpy_split_static(weights, data) -> Arrays:
    orders = {"h": ("one", "two"), "c": ("two", "one")}
    state = tuple(
        ref.dense(np.concatenate([data[name] for name in order], axis=1), weights[f"reader_{slot}"])
        for slot, order in orders.items()
    )
    return {"y": ref.lstm(data["x"], weights["reader"], FIRST_STEPS, state).last}


STATE_LIST = """
inputs: {x: {shape: [time, 3]}, static: {shape: [5]}, known: {shape: [5, 2]}}
layers:
  encoder: {type: lstm, input: known, units: 3}
  reader:
    type: lstm
    input: x
    units: [4, 2, 3, 2]
    mask: {value: 0}
    initial_state:
      - zeros
      - {static: [static]}
      - {from: encoder, bridge: last}
      - {inputs: [h, c]}
outputs: {y: reader.sequence}
"""


def states_listed_for_each_layer_of_a_stack(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    _, *encoded = layers.LSTM(3, return_state=True, name="encoder")(t["known"])
    projected = [layers.Dense(2, name=f"reader_2_{slot}")(t["static"]) for slot in "hc"]
    y = t["x"]
    states = [None, projected, encoded, [t["h"], t["c"]]]
    for number, (units, state) in enumerate(zip((4, 2, 3, 2), states, strict=True), start=1):
        layer = layers.LSTM(
            units, return_sequences=True, zero_output_for_mask=True, name=f"reader_{number}"
        )
        y = layer(y, mask=mask, initial_state=state)
    return {"y": y}


def numpy_state_list(weights, data) -> Arrays:
    encoder = ref.lstm(data["known"], weights["encoder"])
    projected = tuple(ref.dense(data["static"], weights[f"reader_2_{slot}"]) for slot in "hc")
    states = [None, projected, encoder.state, (data["h"], data["c"])]
    names = [f"reader_{number}" for number in (1, 2, 3, 4)]
    runs = ref.stack(ref.lstm, data["x"], [weights[n] for n in names], FIRST_STEPS, states)
    return {"y": runs[-1].sequence}


STATE_SOURCES = {
    "states_of_two_directions_from_inputs": Case(
        TWO_WAY_INPUTS, states_of_two_directions_from_inputs, numpy_two_way_inputs
    ),
    "states_h_and_c_from_different_places": Case(
        SPLITS, states_h_and_c_from_different_places, numpy_splits
    ),
    "states_from_static_features": Case(STATIC, states_from_static_features, numpy_static),
    "states_h_and_c_from_different_static_features": Case(
        SPLIT_STATIC, states_h_and_c_from_different_static_features, numpy_split_static
    ),
    "states_listed_for_each_layer_of_a_stack": Case(
        STATE_LIST, states_listed_for_each_layer_of_a_stack, numpy_state_list
    ),
}
