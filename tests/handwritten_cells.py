"""Arguments of the cells, directions, and several ports of one layer."""

from __future__ import annotations

import numpy as np
import reference as ref
from building import FIRST_STEPS, Arrays
from handwritten import SLOTS, Case, Tensors, unpadded
from keras import layers, ops

ARGUMENTS = """
inputs: {frames: {shape: [6, 3]}, mask: {shape: [6], dtype: bool}}
layers:
  reader:
    type: lstm
    input: frames
    units: 4
    activation: relu
    recurrent_activation: tanh
    use_bias: false
    unroll: true
    dropout: 0.5
    recurrent_dropout: 0.5
    mask: {input: mask, padding: any}
outputs: {y: reader.sequence, h: reader.state.h, c: reader.state.c}
"""


def arguments_of_the_cell(t: Tensors) -> Tensors:
    reader = layers.LSTM(
        4,
        activation="relu",
        recurrent_activation="tanh",
        use_bias=False,
        unroll=True,
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        name="reader",
    )
    y, h, c = reader(t["frames"], mask=t["mask"])
    return {"y": y, "h": h, "c": c}


def numpy_arguments(weights, data) -> Arrays:
    run = ref.lstm(
        data["frames"], weights["reader"], data["mask"], activation=ref.relu, gate=np.tanh
    )
    return {"y": run.sequence, "h": run.state[0], "c": run.state[1]}


ALL_PORTS = """
inputs: {frames: {shape: [time, 3]}, mask: {shape: [time], dtype: bool}}
layers:
  reader:
    {type: lstm, input: frames, units: 4, mask: {input: mask}, initial_state: {inputs: [h, c]}}
outputs: {y: reader.sequence, last: reader.last, state: reader.state}
"""


def sequence_last_and_state_of_one_layer(t: Tensors) -> Tensors:
    reader = layers.LSTM(
        4, return_sequences=True, return_state=True, zero_output_for_mask=True, name="reader"
    )
    y, h, c = reader(t["frames"], mask=t["mask"], initial_state=[t["h"], t["c"]])
    return {"y": y, "last": h, "state_h": h, "state_c": c}


def numpy_all_ports(weights, data) -> Arrays:
    run = ref.lstm(data["frames"], weights["reader"], data["mask"], (data["h"], data["c"]))
    h, c = run.state
    return {"y": run.sequence, "last": h, "state_h": h, "state_c": c}


BY_MERGE_MODE = {
    "concat": lambda a, b: ops.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


def merge_mode_case(merge_mode: str) -> Case:
    def in_numpy(weights, data) -> Arrays:
        run = ref.bidirectional(
            ref.lstm, data["frames"], weights["reader"], data["mask"], merge_mode=merge_mode
        )
        (fh, fc), (bh, bc) = run.forward, run.backward
        names = [f"state_{slot}" for slot in SLOTS]
        states = dict(zip(names, (fh, fc, bh, bc), strict=True))
        return {"y": run.sequence, "last": run.last, "only": run.last, **states}

    def by_hand(t: Tensors) -> Tensors:
        cell = layers.LSTM(4, return_sequences=True, return_state=True)
        reader = layers.Bidirectional(cell, merge_mode=merge_mode, name="reader")
        y, *states = reader(t["frames"], mask=t["mask"])
        last = BY_MERGE_MODE[merge_mode](states[0], states[2])
        names = [f"state_{slot}" for slot in SLOTS]
        return {"y": y, "last": last, "only": last, **dict(zip(names, states, strict=True))}

    recipe = f"""
    inputs: {{frames: {{shape: [time, 3]}}, mask: {{shape: [time], dtype: bool}}}}
    layers:
      reader:
        type: lstm
        input: frames
        units: 4
        bidirectional: true
        merge_mode: {merge_mode}
        mask: {{input: mask}}
    outputs: {{y: reader.sequence, last: reader.last, only: reader, state: reader.state}}
    """
    return Case(recipe, by_hand, in_numpy)


BIDIRECTIONAL_STACK = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: gru, input: x, units: [3, 2], bidirectional: true, mask: {value: 0}}
outputs: {y: reader, state: reader.state}
"""


def bidirectional_stack_read_at_its_end(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    cell = layers.GRU(3, return_sequences=True, return_state=True)
    y, *first = layers.Bidirectional(cell, name="reader_1")(t["x"], mask=mask)
    upper = layers.Bidirectional(layers.GRU(2, return_state=True), name="reader_2")
    last, *second = upper(y, mask=mask)
    names = [f"state_{n}_{way}_h" for n in (1, 2) for way in ("forward", "backward")]
    return {"y": last, **dict(zip(names, first + second, strict=True))}


BACKWARDS = """
inputs: {x: {shape: [time, 3]}}
layers:
  masked:
    type: lstm
    input: x
    units: 4
    go_backwards: true
    mask: {value: 0}
    initial_state: {inputs: [h, c]}
  plain: {type: lstm, input: x, units: 4, go_backwards: true}
outputs: {masked: masked, c: masked.state.c, plain: plain.sequence}
"""


def going_backwards(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    masked = layers.LSTM(4, go_backwards=True, return_state=True, name="masked")
    _, h, c = masked(t["x"], mask=mask, initial_state=[t["h"], t["c"]])
    plain = layers.LSTM(4, go_backwards=True, return_sequences=True, name="plain")
    return {"masked": h, "c": c, "plain": plain(t["x"])}


def numpy_backwards(weights, data) -> Arrays:
    masked = ref.lstm(
        data["x"], weights["masked"], FIRST_STEPS, (data["h"], data["c"]), go_backwards=True
    )
    plain = ref.lstm(data["x"], weights["plain"], go_backwards=True)
    return {"masked": masked.last, "c": masked.state[1], "plain": plain.sequence}


CELLS = {
    "arguments_of_the_cell": Case(ARGUMENTS, arguments_of_the_cell, numpy_arguments),
    "sequence_last_and_state_of_one_layer": Case(
        ALL_PORTS, sequence_last_and_state_of_one_layer, numpy_all_ports
    ),
    "bidirectional_concat": merge_mode_case("concat"),
    "bidirectional_sum": merge_mode_case("sum"),
    "bidirectional_mul": merge_mode_case("mul"),
    "bidirectional_ave": merge_mode_case("ave"),
    "bidirectional_stack_read_at_its_end": Case(
        BIDIRECTIONAL_STACK, bidirectional_stack_read_at_its_end
    ),
    "going_backwards": Case(BACKWARDS, going_backwards, numpy_backwards),
}
