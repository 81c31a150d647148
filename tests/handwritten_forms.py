"""Initial states that are learned, constant or carried, alone and beside each other."""

from __future__ import annotations

import numpy as np
import reference as ref
from building import FIRST_STEPS, LENGTHS, Arrays
from handwritten import SLOTS, Case, Tensors, first_steps, unpadded
from keras import layers, ops

ROWS = len(LENGTHS)
OPTIONS = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}


def learned(sequence, units: int, name: str):
    """By hand: the only row of an embedding, for every row of the batch."""
    ids = ops.cast(ops.zeros_like(sequence[:, 0, 0]), "int32")
    return layers.Embedding(1, units, name=name)(ids)


def constant(sequence, numbers):
    """By hand: `numbers`, one for each unit, in every row of the batch."""
    return ops.zeros_like(sequence[:, 0, :1]) + np.array([numbers], "float32")


def learned_rows(weights, name: str) -> np.ndarray:
    return np.repeat(weights[name][0], ROWS, axis=0)


def constant_rows(*numbers: float) -> np.ndarray:
    return np.repeat([np.array(numbers, "float32").astype("float64")], ROWS, axis=0)


LEARNED = """
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  lstm: {type: lstm, input: x, units: [4, 2], mask: {value: 0}, initial_state: learned}
  gru: {type: gru, input: x, units: 3, mask: {lengths: lengths}, initial_state: learned}
outputs: {y: lstm.sequence, last: lstm.last, gru: gru.sequence, state: gru.state}
"""


def states_learned(t: Tensors) -> Tensors:
    y, mask = t["x"], unpadded(t["x"])
    for number, units in ((1, 4), (2, 2)):
        states = [learned(y, units, f"lstm_{number}_{slot}") for slot in "hc"]
        layer = layers.LSTM(units, name=f"lstm_{number}", **OPTIONS)
        y, h, _ = layer(y, mask=mask, initial_state=states)
    gru = layers.GRU(3, name="gru", **OPTIONS)
    state = [learned(t["x"], 3, "gru_h")]
    steps, gru_h = gru(t["x"], mask=first_steps(t["lengths"]), initial_state=state)
    return {"y": y, "last": h, "gru": steps, "state_h": gru_h}


def numpy_learned(weights, data) -> Arrays:
    states = [tuple(learned_rows(weights, f"lstm_{n}_{slot}") for slot in "hc") for n in (1, 2)]
    kernels = [weights["lstm_1"], weights["lstm_2"]]
    runs = ref.stack(ref.lstm, data["x"], kernels, FIRST_STEPS, states)
    state = (learned_rows(weights, "gru_h"),)
    gru = ref.gru(data["x"], weights["gru"], FIRST_STEPS, state)
    return {
        "y": runs[-1].sequence,
        "last": runs[-1].last,
        "gru": gru.sequence,
        "state_h": gru.state[0],
    }


LEARNED_BOTH_WAYS = """
inputs: {frames: {shape: [time, 3]}, mask: {shape: [time], dtype: bool}}
layers:
  both:
    type: lstm
    input: frames
    units: 2
    bidirectional: true
    mask: {input: mask}
    initial_state: learned
  split:
    type: lstm
    input: frames
    units: 2
    bidirectional: true
    mask: {input: mask}
    initial_state: {h: {constant: [0.5, -0.25]}, c: learned}
outputs: {y: both.sequence, last: both.last, split: split.sequence}
"""


def states_learned_in_both_directions(t: Tensors) -> Tensors:
    call = {"sequences": t["frames"], "mask": t["mask"]}
    states = [learned(t["frames"], 2, f"both_{slot}") for slot in SLOTS]
    cell = layers.LSTM(2, return_sequences=True, return_state=True)
    y, forward_h, _, backward_h, _ = layers.Bidirectional(cell, name="both")(
        **call, initial_state=states
    )
    halves = [
        constant(t["frames"], [0.5, -0.25])
        if slot.endswith("h")
        else learned(t["frames"], 2, f"split_{slot}")
        for slot in SLOTS
    ]
    split = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="split")
    return {
        "y": y,
        "last": ops.concatenate([forward_h, backward_h], axis=-1),
        "split": split(**call, initial_state=halves),
    }


def numpy_learned_both_ways(weights, data) -> Arrays:
    states = tuple(learned_rows(weights, f"both_{slot}") for slot in SLOTS)
    run = ref.bidirectional(ref.lstm, data["frames"], weights["both"], data["mask"], states)
    halves = tuple(
        constant_rows(0.5, -0.25) if slot.endswith("h") else learned_rows(weights, f"split_{slot}")
        for slot in SLOTS
    )
    split = ref.bidirectional(ref.lstm, data["frames"], weights["split"], data["mask"], halves)
    return {"y": run.sequence, "last": run.last, "split": split.sequence}


CONSTANTS = """
inputs: {frames: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  same:
    type: lstm
    input: frames
    units: 3
    mask: {lengths: lengths}
    initial_state: {constant: 0.1}
  each: {type: gru, input: frames, units: 2, initial_state: {constant: [1, -0.5]}}
  mixed:
    type: lstm
    input: frames
    units: 2
    mask: {lengths: lengths}
    initial_state: {h: learned, c: {constant: -2}}
outputs: {same: same.state, each: each.sequence, mixed: mixed.sequence, last: mixed}
"""


def states_constant_or_half_learned(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    frames = t["frames"]
    tenths = constant(frames, [0.1] * 3)
    same = layers.LSTM(3, return_state=True, name="same")
    _, h, c = same(frames, mask=mask, initial_state=[tenths, tenths])
    each = layers.GRU(2, return_sequences=True, name="each")
    states = [learned(frames, 2, "mixed_h"), constant(frames, [-2, -2])]
    mixed, last, _ = layers.LSTM(2, name="mixed", **OPTIONS)(
        frames, mask=mask, initial_state=states
    )
    return {
        "same_h": h,
        "same_c": c,
        "each": each(frames, initial_state=[constant(frames, [1, -0.5])]),
        "mixed": mixed,
        "last": last,
    }


def numpy_constants(weights, data) -> Arrays:
    tenths = constant_rows(0.1, 0.1, 0.1)
    same = ref.lstm(data["frames"], weights["same"], FIRST_STEPS, (tenths, tenths))
    each = ref.gru(data["frames"], weights["each"], state=(constant_rows(1, -0.5),))
    states = (learned_rows(weights, "mixed_h"), constant_rows(-2, -2))
    mixed = ref.lstm(data["frames"], weights["mixed"], FIRST_STEPS, states)
    return {
        "same_h": same.state[0],
        "same_c": same.state[1],
        "each": each.sequence,
        "mixed": mixed.sequence,
        "last": mixed.last,
    }


CARRIED = """
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  reader: {type: lstm, input: x, units: [4, 2], mask: {value: 0}, initial_state: carried}
  gru: {type: gru, input: x, units: 3, mask: {lengths: lengths}, initial_state: carried}
outputs: {y: reader.sequence, state: reader.state, last: gru}
runtime: {batch_size: 5}
"""


def states_carried(t: Tensors) -> Tensors:
    """The tests call the model twice: the second call begins where the first has ended."""
    y, mask, outputs = t["x"], unpadded(t["x"]), {}
    for number, units in ((1, 4), (2, 2)):
        layer = layers.LSTM(units, name=f"reader_{number}", stateful=True, **OPTIONS)
        y, h, c = layer(y, mask=mask)
        outputs |= {f"state_{number}_h": h, f"state_{number}_c": c}
    gru = layers.GRU(3, name="gru", stateful=True, return_state=True)
    return {"y": y, **outputs, "last": gru(t["x"], mask=first_steps(t["lengths"]))[1]}


def numpy_carried(weights, data) -> Arrays:
    kernels = [weights["reader_1"], weights["reader_2"]]
    runs = ref.stack(ref.lstm, data["x"], kernels, FIRST_STEPS)
    states = {
        f"state_{number}_{slot}": state
        for number, run in enumerate(runs, start=1)
        for slot, state in zip("hc", run.state, strict=True)
    }
    gru = ref.gru(data["x"], weights["gru"], FIRST_STEPS)
    return {"y": runs[-1].sequence, **states, "last": gru.last}


PER_LAYER = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader:
    type: lstm
    input: x
    units: [4, 2, 3, 2]
    mask: {value: 0}
    initial_state: [carried, learned, {constant: 0.5}, {h: zeros, c: learned}]
outputs: {y: reader.sequence}
runtime: {batch_size: 5}
"""


def states_carried_and_others_in_one_stack(t: Tensors) -> Tensors:
    y, mask = t["x"], unpadded(t["x"])
    halves = constant(y, [0.5] * 3)
    learned_c = learned(y, 2, "reader_4_c")
    states = [
        None,
        [learned(y, 2, f"reader_2_{slot}") for slot in "hc"],
        [halves, halves],
        [ops.zeros_like(learned_c), learned_c],
    ]
    for number, (units, state) in enumerate(zip((4, 2, 3, 2), states, strict=True), start=1):
        layer = layers.LSTM(
            units,
            return_sequences=True,
            zero_output_for_mask=True,
            stateful=state is None,
            name=f"reader_{number}",
        )
        y = layer(y, mask=mask, initial_state=state)
    return {"y": y}


def numpy_per_layer(weights, data) -> Arrays:
    halves = constant_rows(0.5, 0.5, 0.5)
    learned_c = learned_rows(weights, "reader_4_c")
    states = [
        None,
        tuple(learned_rows(weights, f"reader_2_{slot}") for slot in "hc"),
        (halves, halves),
        (np.zeros_like(learned_c), learned_c),
    ]
    kernels = [weights[f"reader_{number}"] for number in (1, 2, 3, 4)]
    runs = ref.stack(ref.lstm, data["x"], kernels, FIRST_STEPS, states)
    return {"y": runs[-1].sequence}


FORMS = {
    "states_learned": Case(LEARNED, states_learned, numpy_learned),
    "states_learned_in_both_directions": Case(
        LEARNED_BOTH_WAYS, states_learned_in_both_directions, numpy_learned_both_ways
    ),
    "states_constant_or_half_learned": Case(
        CONSTANTS, states_constant_or_half_learned, numpy_constants
    ),
    "states_carried": Case(CARRIED, states_carried, numpy_carried),
    "states_carried_and_others_in_one_stack": Case(
        PER_LAYER, states_carried_and_others_in_one_stack, numpy_per_layer
    ),
}
