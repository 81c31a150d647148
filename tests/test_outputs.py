"""What a recipe says is what its model computes.

Every recipe here is written a second time by hand, with Keras's own layers and every `mask=`,
`initial_state=` and `zero_output_for_mask=` spelled out. Given the same weights and data, the
outputs must be equal to the last bit. Those of recurrent layers are also computed in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
import reference as ref
from building import (
    FIRST_STEPS,
    LENGTHS,
    MASK,
    RECIPES,
    SHIPPED,
    Arrays,
    assert_equal_arrays,
    batch_for,
    build,
    copy_weights,
    outputs_of,
    randomise,
    weights_by_layer,
)
from keras import layers, ops

import lstmgraph

NUMPY_TOLERANCE = 1e-5
"""Float32 against float64, for outputs of about 1."""

Tensors = dict[str, keras.KerasTensor]
ByHand = Callable[[Tensors], Tensors]
InNumpy = Callable[[dict[str, list[np.ndarray]], Arrays], Arrays]


class Case(NamedTuple):
    """A recipe, the function that makes its outputs by hand, and one that computes them."""

    recipe: str
    by_hand: ByHand
    in_numpy: InNumpy | None


CASES: dict[str, Case] = {}


def same_as(recipe: str, *, in_numpy: InNumpy | None = None) -> Callable[[ByHand], ByHand]:
    """Register the decorated function as the handwritten form of `recipe`."""

    def register(by_hand: ByHand) -> ByHand:
        CASES[by_hand.__name__] = Case(recipe, by_hand, in_numpy)
        return by_hand

    return register


# The first and worst: an initial state makes Keras forget the mask.

MASKED_WITH_STATE = """
inputs: {x: {shape: [time, 3]}}
layers:
  masking: {type: masking, input: x}
  reader: {type: lstm, input: masking, units: 4, initial_state: {inputs: [h, c]}}
outputs: {y: reader}
"""


def masked_with_state(x, h, c, **call) -> keras.Model:
    """The same layers by hand; `call` is what else the LSTM is given."""
    output = layers.LSTM(4, name="reader")(
        layers.Masking(name="masking")(x), initial_state=[h, c], **call
    )
    return keras.Model({"x": x, "h": h, "c": c}, {"y": output})


def test_initial_state_does_not_drop_the_mask() -> None:
    shapes = {"x": (None, 3), "h": (4,), "c": (4,)}
    inputs = [keras.Input(shape, name=name) for name, shape in shapes.items()]
    naive = masked_with_state(*inputs)
    explicit = masked_with_state(*inputs, mask=unpadded(inputs[0]))
    compiled = build(MASKED_WITH_STATE)
    randomise(compiled)
    copy_weights(compiled, naive)
    copy_weights(compiled, explicit)
    data = {k: v[:4] for k, v in batch_for(compiled).items()}  # without the fully padded row
    found = outputs_of(compiled, data)

    weights = weights_by_layer(compiled)["reader"]
    state = (data["h"], data["c"])
    unmasked = ref.lstm(data["x"], weights, state=state).last
    masked = ref.lstm(data["x"], weights, FIRST_STEPS[:4], state).last
    np.testing.assert_allclose(outputs_of(naive, data)["y"], unmasked, atol=NUMPY_TOLERANCE)
    np.testing.assert_allclose(found["y"], masked, atol=NUMPY_TOLERANCE)
    assert_equal_arrays(found, outputs_of(explicit, data))
    assert np.abs(masked - unmasked)[1:].max() > 0.1


# Masks: inherited, none, by value, lengths, input, from.


def first_steps(lengths: keras.KerasTensor) -> keras.KerasTensor:
    return ops.less(ops.arange(6)[None], lengths[:, None])


def unpadded(x: keras.KerasTensor) -> keras.KerasTensor:
    return ops.any(ops.not_equal(x, 0.0), axis=-1)


def numpy_masking_layer(weights, data) -> Arrays:
    run = ref.lstm(data["x"], weights["reader"], FIRST_STEPS)
    return {"y": run.sequence}


@same_as(
    """
    inputs: {x: {shape: [time, 3]}}
    layers:
      masking: {type: masking, input: x}
      reader: {type: lstm, input: masking, units: 4}
    outputs: {y: reader.sequence}
    """,
    in_numpy=numpy_masking_layer,
)
def mask_from_masking_layer(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    reader = layers.LSTM(4, return_sequences=True, zero_output_for_mask=True, name="reader")
    return {"y": reader(layers.Masking()(t["x"]), mask=mask)}


def numpy_embedding(weights, data) -> Arrays:
    run = ref.lstm(
        weights["embedding"][0][data["ids"]],
        weights["reader"],
        data["ids"] != 0,
        (data["reader_h"], data["reader_c"]),
    )
    return {"y": run.sequence, "h": run.state[0], "c": run.state[1]}


@same_as(
    """
    inputs: {ids: {shape: [time], dtype: int64}}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
      reader: {type: lstm, input: embedding, units: 4, initial_state: input}
    outputs: {y: reader.sequence, h: reader.state.h, c: reader.state.c}
    """,
    in_numpy=numpy_embedding,
)
def mask_from_embedding_with_states_from_inputs(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])
    reader = layers.LSTM(
        4, return_sequences=True, return_state=True, zero_output_for_mask=True, name="reader"
    )
    states = [t["reader_h"], t["reader_c"]]
    y, h, c = reader(embedded, mask=ops.not_equal(t["ids"], 0), initial_state=states)
    return {"y": y, "h": h, "c": c}


def numpy_dropped_mask(weights, data) -> Arrays:
    embedded = weights["embedding"][0][data["ids"]]
    return {"y": ref.lstm(embedded, weights["reader"], state=(data["h"], data["c"])).sequence}


@same_as(
    """
    inputs: {ids: {shape: [time], dtype: int32}}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
      reader:
        {type: lstm, input: embedding, units: 4, mask: none, initial_state: {inputs: [h, c]}}
    outputs: {y: reader.sequence}
    """,
    in_numpy=numpy_dropped_mask,
)
def mask_none_really_drops_it(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])  # without mask_zero
    reader = layers.LSTM(4, return_sequences=True, name="reader")
    return {"y": reader(embedded, initial_state=[t["h"], t["c"]])}


@same_as(
    """
    inputs: {ids: {shape: [time], dtype: int32}}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
      reader: {type: lstm, input: embedding, units: 4, mask: none}
    outputs: {y: reader.sequence}
    """,
)
def mask_none_without_a_state(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])
    return {"y": layers.LSTM(4, return_sequences=True, name="reader")(embedded)}


def numpy_value_stack(weights, data) -> Arrays:
    runs = ref.stack(ref.lstm, data["x"], [weights["reader_1"], weights["reader_2"]], FIRST_STEPS)
    return {"y": runs[-1].sequence}


@same_as(
    """
    inputs: {x: {shape: [time, 3]}}
    layers:
      reader: {type: lstm, input: x, units: [4, 2], mask: {value: 0.0, padding: right}}
    outputs: {y: reader.sequence}
    """,
    in_numpy=numpy_value_stack,
)
def mask_by_value_reaches_the_whole_stack(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    options = {"return_sequences": True, "zero_output_for_mask": True}
    first = layers.LSTM(4, name="reader_1", **options)(t["x"], mask=mask)
    return {"y": layers.LSTM(2, name="reader_2", **options)(first, mask=mask)}


def numpy_lengths(weights, data) -> Arrays:
    return {"y": ref.gru(data["frames"], weights["reader"], FIRST_STEPS, hold=True).sequence}


@same_as(
    """
    inputs: {frames: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader: {type: gru, input: frames, units: 4, mask: {lengths: lengths}, padded_output: hold}
    outputs: {y: reader.sequence}
    """,
    in_numpy=numpy_lengths,
)
def mask_by_lengths_holding_the_last_output(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    reader = layers.GRU(4, return_sequences=True, zero_output_for_mask=False, name="reader")
    return {"y": reader(t["frames"], mask=mask)}


def numpy_mask_input(weights, data) -> Arrays:
    run = ref.simple_rnn(data["frames"], weights["reader"], data["mask"], (data["h"],))
    return {"y": run.sequence, "h": run.state[0]}


@same_as(
    """
    inputs: {frames: {shape: [time, 3]}, mask: {shape: [time], dtype: bool}}
    layers:
      reader:
        type: simple_rnn
        input: frames
        units: 4
        mask: {input: mask}
        initial_state: {inputs: [h]}
    outputs: {y: reader.sequence, h: reader.state.h}
    """,
    in_numpy=numpy_mask_input,
)
def mask_from_an_input_with_gaps(t: Tensors) -> Tensors:
    reader = layers.SimpleRNN(
        4, return_sequences=True, return_state=True, zero_output_for_mask=True, name="reader"
    )
    y, h = reader(t["frames"], mask=t["mask"], initial_state=[t["h"]])
    return {"y": y, "h": h}


@same_as(
    """
    inputs: {ids: {shape: [time], dtype: int32}, frames: {shape: [time, 3]}}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
      reader: {type: lstm, input: frames, units: 4, mask: {from: embedding}}
      words: {type: lstm, input: embedding, units: 2}
    outputs: {y: reader, words: words}
    """,
)
def mask_from_another_layer(t: Tensors) -> Tensors:
    mask = ops.not_equal(t["ids"], 0)
    embedded = layers.Embedding(10, 3, name="embedding")(t["ids"])
    return {
        "y": layers.LSTM(4, name="reader")(t["frames"], mask=mask),
        "words": layers.LSTM(2, name="words")(embedded, mask=mask),
    }


@same_as(
    """
    inputs: {frames: {shape: [time, 4]}, lengths: {shape: [], dtype: int32}}
    layers:
      first: {type: lstm, input: frames, units: 4, mask: {lengths: lengths}}
      dropped: {type: dropout, input: first.sequence, rate: 0.5}
      scaled: {type: layer_normalization, input: dropped}
      added: {type: add, input: [scaled, first.sequence]}
      second: {type: gru, input: added, units: 3, initial_state: {inputs: [h]}}
      mean: {type: global_average_pooling1d, input: added}
    outputs: {y: second.sequence, mean: mean}
    """,
)
def mask_inherited_through_other_layers(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    options = {"return_sequences": True, "zero_output_for_mask": True}
    first = layers.LSTM(4, name="first", **options)(t["frames"], mask=mask)
    added = layers.LayerNormalization(name="scaled")(first) + first
    second = layers.GRU(3, name="second", **options)(added, mask=mask, initial_state=[t["h"]])
    return {"y": second, "mean": layers.GlobalAveragePooling1D()(added, mask=mask)}


# Initial states from other layers.


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


@same_as(
    """
    inputs:
      frames: {shape: [time, 3]}
      lengths: {shape: [], dtype: int32}
      known: {shape: [5, 2]}
    layers:
      encoder: {type: lstm, input: frames, units: [4, 3], mask: {lengths: lengths}}
      decoder: {type: lstm, input: known, units: [4, 3], initial_state: encoder}
      single: {type: lstm, input: known, units: 3, initial_state: encoder}
    outputs: {y: decoder.sequence, single: single.sequence}
    """,
    in_numpy=numpy_stack_to_stack,
)
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


def numpy_bridge_last(weights, data) -> Arrays:
    encoder = ref.gru(data["frames"], weights["encoder"])
    decoder = ref.stack(
        ref.gru,
        data["known"],
        [weights["decoder_1"], weights["decoder_2"]],
        states=[encoder.state, encoder.state],
    )
    return {"y": decoder[-1].sequence}


@same_as(
    """
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
    """,
    in_numpy=numpy_bridge_last,
)
def state_of_one_layer_for_every_layer_of_a_stack(t: Tensors) -> Tensors:
    _, h = layers.GRU(4, return_state=True, name="encoder")(t["frames"])
    lower = layers.GRU(4, return_sequences=True, name="decoder_1")
    upper = layers.GRU(4, return_sequences=True, name="decoder_2")
    return {"y": upper(lower(t["known"], initial_state=[h]), initial_state=[h])}


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


@same_as(
    """
    inputs: {x: {shape: [time, 3]}, known: {shape: [5, 2]}}
    layers:
      encoder: {type: lstm, input: x, units: 3, bidirectional: true, mask: {value: 0}}
      wide: {type: lstm, input: known, units: 6, initial_state: {from: encoder, bridge: concat}}
      narrow: {type: lstm, input: known, units: 4, initial_state: {from: encoder, bridge: dense}}
    outputs: {wide: wide.sequence, narrow: narrow.sequence}
    """,
    in_numpy=numpy_bridges,
)
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


SLOTS = ("forward_h", "forward_c", "backward_h", "backward_c")


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


@same_as(
    """
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
    """,
    in_numpy=numpy_one_way_to_two,
)
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


def numpy_two_way_inputs(weights, data) -> Arrays:
    state = tuple(data[name] for name in ("fh", "fc", "bh", "bc"))
    run = ref.bidirectional(ref.lstm, data["x"], weights["reader"], FIRST_STEPS, state)
    split = (data["fh"], np.zeros_like(data["fh"]), data["bh"], np.zeros_like(data["bh"]))
    other = ref.bidirectional(ref.lstm, data["x"], weights["split"], FIRST_STEPS, split)
    return {"y": run.sequence, "split": other.last}


@same_as(
    """
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
    """,
    in_numpy=numpy_two_way_inputs,
)
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


@same_as(
    """
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
    """,
    in_numpy=numpy_splits,
)
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


@same_as(
    """
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
    """,
    in_numpy=numpy_static,
)
def states_from_static_features(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])
    joined = layers.Concatenate()([t["static"], t["more"]])
    one = [layers.Dense(4, name=f"one_{slot}")(t["static"]) for slot in "hc"]
    two = [layers.Dense(3, activation="tanh", name=f"two_{slot}")(joined) for slot in "hc"]
    call = {"sequences": t["frames"], "mask": mask}
    _, h1, c1 = layers.LSTM(4, return_state=True, name="one")(**call, initial_state=one)
    _, h2, c2 = layers.LSTM(3, return_state=True, name="two")(**call, initial_state=two)
    return {"one_h": h1, "one_c": c1, "two_h": h2, "two_c": c2}


def numpy_state_list(weights, data) -> Arrays:
    encoder = ref.lstm(data["known"], weights["encoder"])
    projected = tuple(ref.dense(data["static"], weights[f"reader_2_{slot}"]) for slot in "hc")
    states = [None, projected, encoder.state, (data["h"], data["c"])]
    names = [f"reader_{number}" for number in (1, 2, 3, 4)]
    runs = ref.stack(ref.lstm, data["x"], [weights[n] for n in names], FIRST_STEPS, states)
    return {"y": runs[-1].sequence}


@same_as(
    """
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
    """,
    in_numpy=numpy_state_list,
)
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


def numpy_cells(weights, data) -> Arrays:
    lstm = ref.lstm(data["x"], weights["lstm"], FIRST_STEPS)
    gru = ref.gru(data["x"], weights["gru"], FIRST_STEPS, (lstm.state[0],))
    rnn = ref.simple_rnn(data["x"], weights["rnn"], FIRST_STEPS, gru.state)
    last = ref.gru(data["x"], weights["final"], FIRST_STEPS, rnn.state, reset_after=False)
    return {"gru": gru.sequence, "rnn": rnn.sequence, "final": last.sequence}


@same_as(
    """
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
    """,
    in_numpy=numpy_cells,
)
def state_h_across_kinds_of_cell(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    call = {"sequences": t["x"], "mask": mask}
    _, h, _ = layers.LSTM(4, name="lstm", return_state=True)(**call)
    gru, gru_h = layers.GRU(4, name="gru", **options)(**call, initial_state=[h])
    rnn, rnn_h = layers.SimpleRNN(4, name="rnn", **options)(**call, initial_state=[gru_h])
    last = layers.GRU(4, name="final", reset_after=False, **options)
    return {"gru": gru, "rnn": rnn, "final": last(**call, initial_state=[rnn_h])[0]}


# Arguments of the cells, directions, and several ports of one layer.


def numpy_arguments(weights, data) -> Arrays:
    run = ref.lstm(
        data["frames"], weights["reader"], data["mask"], activation=ref.relu, gate=np.tanh
    )
    return {"y": run.sequence, "h": run.state[0], "c": run.state[1]}


@same_as(
    """
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
    """,
    in_numpy=numpy_arguments,
)
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


def numpy_all_ports(weights, data) -> Arrays:
    run = ref.lstm(data["frames"], weights["reader"], data["mask"], (data["h"], data["c"]))
    h, c = run.state
    return {"y": run.sequence, "last": h, "state_h": h, "state_c": c}


@same_as(
    """
    inputs: {frames: {shape: [time, 3]}, mask: {shape: [time], dtype: bool}}
    layers:
      reader:
        {type: lstm, input: frames, units: 4, mask: {input: mask}, initial_state: {inputs: [h, c]}}
    outputs: {y: reader.sequence, last: reader.last, state: reader.state}
    """,
    in_numpy=numpy_all_ports,
)
def sequence_last_and_state_of_one_layer(t: Tensors) -> Tensors:
    reader = layers.LSTM(
        4, return_sequences=True, return_state=True, zero_output_for_mask=True, name="reader"
    )
    y, h, c = reader(t["frames"], mask=t["mask"], initial_state=[t["h"], t["c"]])
    return {"y": y, "last": h, "state_h": h, "state_c": c}


BY_MERGE_MODE = {
    "concat": lambda a, b: ops.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


def add_merge_mode_case(merge_mode: str) -> None:
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
    CASES[f"bidirectional_{merge_mode}"] = Case(recipe, by_hand, in_numpy)


for mode in BY_MERGE_MODE:
    add_merge_mode_case(mode)


@same_as(
    """
    inputs: {x: {shape: [time, 3]}}
    layers:
      reader: {type: gru, input: x, units: [3, 2], bidirectional: true, mask: {value: 0}}
    outputs: {y: reader, state: reader.state}
    """,
)
def bidirectional_stack_read_at_its_end(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    cell = layers.GRU(3, return_sequences=True, return_state=True)
    y, *first = layers.Bidirectional(cell, name="reader_1")(t["x"], mask=mask)
    upper = layers.Bidirectional(layers.GRU(2, return_state=True), name="reader_2")
    last, *second = upper(y, mask=mask)
    names = [f"state_{n}_{way}_h" for n in (1, 2) for way in ("forward", "backward")]
    return {"y": last, **dict(zip(names, first + second, strict=True))}


def numpy_backwards(weights, data) -> Arrays:
    masked = ref.lstm(
        data["x"], weights["masked"], FIRST_STEPS, (data["h"], data["c"]), go_backwards=True
    )
    plain = ref.lstm(data["x"], weights["plain"], go_backwards=True)
    return {"masked": masked.last, "c": masked.state[1], "plain": plain.sequence}


@same_as(
    """
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
    """,
    in_numpy=numpy_backwards,
)
def going_backwards(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    masked = layers.LSTM(4, go_backwards=True, return_state=True, name="masked")
    _, h, c = masked(t["x"], mask=mask, initial_state=[t["h"], t["c"]])
    plain = layers.LSTM(4, go_backwards=True, return_sequences=True, name="plain")
    return {"masked": h, "c": c, "plain": plain(t["x"])}


# Inputs that are joined, and layers that are not recurrent.


def repeated(static: keras.KerasTensor, steps: int) -> keras.KerasTensor:
    return ops.repeat(static[:, None], steps, axis=1)


def numpy_joined(weights, data) -> Arrays:
    embedded = weights["embedding"][0][data["ids"]]
    repeated = np.repeat(data["static"][:, None], embedded.shape[1], axis=1)
    joined = np.concatenate([embedded, repeated, data["frames"]], axis=-1)
    return {"y": ref.lstm(joined, weights["reader"], data["ids"] != 0).sequence}


@same_as(
    """
    inputs:
      ids: {shape: [time], dtype: int32}
      static: {shape: [2]}
      frames: {shape: [time, 3]}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 4, mask_zero: true}
      reader: {type: lstm, input: [embedding, static, frames], units: 4}
    outputs: {y: reader.sequence}
    """,
    in_numpy=numpy_joined,
)
def joined_inputs_keep_the_sequence_mask(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 4, name="embedding")(t["ids"])
    joined = layers.Concatenate()([embedded, repeated(t["static"], 6), t["frames"]])
    reader = layers.LSTM(4, return_sequences=True, zero_output_for_mask=True, name="reader")
    return {"y": reader(joined, mask=ops.not_equal(t["ids"], 0))}


@same_as(
    """
    inputs: {x: {shape: [time, 3]}, static: {shape: [2]}}
    layers:
      reader:
        type: gru
        input: [static, x]
        units: [4, 2]
        mask: {value: 0, padding: right}
        padded_output: hold
    outputs: {y: reader.sequence}
    """,
)
def joined_inputs_masked_by_the_value_of_the_sequence(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    joined = layers.Concatenate()([repeated(t["static"], 6), t["x"]])
    lower = layers.GRU(4, return_sequences=True, name="reader_1")
    upper = layers.GRU(2, return_sequences=True, name="reader_2")
    return {"y": upper(lower(joined, mask=mask), mask=mask)}


@same_as(
    """
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
    """,
)
def time_distributed_hands_the_mask_on(t: Tensors) -> Tensors:
    mask = unpadded(t["x"])
    reader = layers.LSTM(4, return_sequences=True, zero_output_for_mask=True, name="reader")
    inner = layers.Dense(2, activation="tanh")
    y = layers.TimeDistributed(inner, name="head")(reader(t["x"], mask=mask), mask=mask)
    return {"y": y, "after": layers.LSTM(3, name="reader_after")(y, mask=mask)}


@same_as(
    """
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
    """,
)
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


@same_as(
    """
    inputs: {ids: {shape: [time], dtype: int32}}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 4, mask_zero: true}
      wide: {type: conv1d, input: embedding, filters: 3, kernel_size: 3, padding: same, mask: none}
      reader: {type: lstm, input: wide, units: 3, initial_state: {inputs: [h, c]}}
      masked: {type: lstm, input: wide, units: 3, mask: {from: embedding}}
    outputs: {y: reader, masked: masked}
    """,
)
def convolution_drops_the_mask_where_told_to(t: Tensors) -> Tensors:
    embedded = layers.Embedding(10, 4, name="embedding")(t["ids"])
    wide = layers.Conv1D(3, 3, padding="same", name="wide")(embedded)
    reader = layers.LSTM(3, name="reader")(wide, initial_state=[t["h"], t["c"]])
    masked = layers.LSTM(3, name="masked")(wide, mask=ops.not_equal(t["ids"], 0))
    return {"y": reader, "masked": masked}


# The recipes that come with the package.


def encoder_decoder(t: Tensors) -> Tensors:
    source_mask, target_mask = ops.not_equal(t["source"], 0), ops.not_equal(t["target"], 0)
    source = layers.Embedding(1000, 64, name="source_embedding")(t["source"])
    target = layers.Embedding(1000, 64, name="target_embedding")(t["target"])
    encoder = layers.Bidirectional(layers.LSTM(64, return_state=True), name="encoder")
    _, fh, fc, bh, bc = encoder(source, mask=source_mask)
    states = [ops.concatenate([fh, bh], axis=-1), ops.concatenate([fc, bc], axis=-1)]
    decoder = layers.LSTM(128, return_sequences=True, zero_output_for_mask=True, name="decoder")
    written = decoder(target, mask=target_mask, initial_state=states)
    return {"token": layers.Dense(1000, activation="softmax", name="token")(written)}


def placeholder_states(t: Tensors) -> Tensors:
    reader = layers.LSTM(32, return_sequences=True, return_state=True, name="reader")
    y, h, c = reader(t["chunk"], initial_state=[t["h"], t["c"]])
    return {"signal": layers.Dense(2, name="signal")(y), "state_h": h, "state_c": c}


def speaker_classifier(t: Tensors) -> Tensors:
    voice = layers.LSTM(100, name="voice")
    last = voice(t["frames"], mask=first_steps(t["lengths"]))
    return {"speaker": layers.Dense(9, activation="softmax", name="speaker")(last)}


def store_forecaster(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])

    def states_from_store(name: str, units: int) -> list[keras.KerasTensor]:
        dense = [layers.Dense(units, activation="tanh", name=f"{name}_{slot}") for slot in "hc"]
        return [layer(t["store"]) for layer in dense]

    lower = layers.LSTM(128, return_sequences=True, zero_output_for_mask=True, name="encoder_1")
    y = lower(t["history"], mask=mask, initial_state=states_from_store("encoder_1", 128))
    upper = layers.LSTM(64, return_state=True, name="encoder_2")
    _, h, c = upper(y, mask=mask, initial_state=states_from_store("encoder_2", 64))
    known = layers.Concatenate()([t["known"], repeated(t["store"], 24)])
    decoder = layers.LSTM(64, return_sequences=True, name="decoder")
    return {"forecast": layers.Dense(1, name="forecast")(decoder(known, initial_state=[h, c]))}


SHIPPED_BY_HAND = {
    "encoder-decoder": encoder_decoder,
    "placeholder-states": placeholder_states,
    "speaker-classifier": speaker_classifier,
    "store-forecaster": store_forecaster,
}


def test_every_shipped_recipe_is_written_by_hand() -> None:
    assert {path.stem for path in SHIPPED} == SHIPPED_BY_HAND.keys()


def handwritten_twin(model: keras.Model, by_hand: ByHand) -> keras.Model:
    """`by_hand` on inputs like those of `model`, with the weights of `model`."""
    inputs = {n: keras.Input(t.shape[1:], dtype=t.dtype, name=n) for n, t in model.input.items()}
    twin = keras.Model(inputs, by_hand(inputs))
    copy_weights(model, twin)
    return twin


def assert_same_as_by_hand(model: keras.Model, by_hand: ByHand) -> None:
    randomise(model)
    twin = handwritten_twin(model, by_hand)
    for seed in (0, 1):
        data = batch_for(model, seed)
        assert_equal_arrays(outputs_of(model, data), outputs_of(twin, data))


@pytest.mark.parametrize("name", CASES)
def test_equals_keras_written_by_hand(name: str) -> None:
    assert_same_as_by_hand(build(CASES[name].recipe), CASES[name].by_hand)


@pytest.mark.parametrize("name", SHIPPED_BY_HAND)
def test_shipped_recipe_equals_keras_written_by_hand(name: str) -> None:
    assert_same_as_by_hand(lstmgraph.load(RECIPES / f"{name}.yaml").build(), SHIPPED_BY_HAND[name])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.in_numpy])
def test_equals_numpy(name: str) -> None:
    model = build(CASES[name].recipe)
    randomise(model)
    data = batch_for(model)
    wanted = CASES[name].in_numpy(weights_by_layer(model), data)
    found = outputs_of(model, data)
    assert found.keys() == wanted.keys()
    for output, array in wanted.items():
        np.testing.assert_allclose(
            found[output], array, rtol=0, atol=NUMPY_TOLERANCE, err_msg=output
        )


# What `last` means does not depend on what else is read.


@pytest.mark.parametrize("bidirectional", ["false", "true"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_last_is_the_same_beside_the_sequence(cell: str, bidirectional: str) -> None:
    """Also in a row without a single step that counts: there it is the initial state."""
    recipe = """
    inputs: {{frames: {{shape: [time, 3]}}, mask: {{shape: [time], dtype: bool}}}}
    layers:
      reader:
        type: {cell}
        input: frames
        units: 4
        bidirectional: {bidirectional}
        mask: {{input: mask}}
        initial_state: input
    outputs: {{last: reader.last{beside}}}
    """
    values = {"cell": cell, "bidirectional": bidirectional}
    alone = build(recipe.format(**values, beside=""))
    beside = build(recipe.format(**values, beside=", y: reader.sequence"))
    randomise(alone)
    copy_weights(alone, beside)
    data = batch_for(alone)
    found, wanted = outputs_of(alone, data)["last"], outputs_of(beside, data)["last"]
    np.testing.assert_array_equal(found, wanted)
    assert not MASK[-1].any()
    states = [data[name][-1] for name in data if name.endswith("_h")]
    np.testing.assert_array_equal(found[-1], np.concatenate(states))


def test_last_of_two_directions_is_not_the_last_step() -> None:
    model = build(CASES["bidirectional_concat"].recipe)
    randomise(model)
    found = outputs_of(model, batch_for(model))
    assert not np.allclose(found["last"][0], found["y"][0, -1])


# The loss counts the steps that the mask counts.

LOSS_RECIPES = {
    "lengths": """
    inputs: {frames: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader: {type: lstm, input: frames, units: 4, mask: {lengths: lengths}}
      y: {type: dense, input: reader.sequence, units: 2}
    outputs: {y: y}
    training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
    "initial state": """
    inputs: {frames: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader:
        type: lstm
        input: frames
        units: [4, 4]
        mask: {lengths: lengths}
        padded_output: hold
        initial_state: input
      y: {type: dense, input: reader.sequence, units: 2}
    outputs: {y: y}
    training: {loss: {y: mse}, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
    "joined inputs": """
    inputs: {x: {shape: [time, 3]}, static: {shape: [2]}}
    layers:
      reader:
        {type: gru, input: [x, static], units: 3, bidirectional: true, mask: {value: 0}}
      y: {type: time_distributed, input: reader.sequence, layer: {type: dense, units: 2}}
    outputs: {y: y}
    training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
    "the sequence itself": """
    inputs: {ids: {shape: [time], dtype: int32}}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
      y: {type: lstm, input: embedding, units: 2, initial_state: input}
    outputs: {y: y.sequence}
    training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
}


def target_for(model: keras.Model) -> np.ndarray:
    features = model.output["y"].shape[-1]
    shape = (*FIRST_STEPS.shape, features)
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def masked_mse(found: np.ndarray, target: np.ndarray) -> float:
    """The mean over the steps that count."""
    error = ((found - target) ** 2).mean(axis=-1)
    return error[FIRST_STEPS].sum() / LENGTHS.sum()


@pytest.mark.parametrize("name", LOSS_RECIPES)
def test_training_loss_counts_unmasked_steps_only(name: str) -> None:
    model = build(LOSS_RECIPES[name])
    randomise(model)
    data, target = batch_for(model), target_for(model)
    wanted = masked_mse(outputs_of(model, data)["y"], target)
    assert model.train_on_batch(data, {"y": target}) == pytest.approx(wanted, rel=1e-5)


ATTENTION = "{type: multi_head_attention, input: {query: reader.sequence, value: reader.sequence}"
BETWEEN_MASK_AND_LOSS: dict[str, dict[str, str]] = {
    "dense": {"y": "{type: dense, input: reader.sequence, units: 2}"},
    "dropout": {"y": "{type: dropout, input: reader.sequence, rate: 0.5}"},
    "spatial_dropout1d": {"y": "{type: spatial_dropout1d, input: reader.sequence, rate: 0.5}"},
    "gaussian_noise": {"y": "{type: gaussian_noise, input: reader.sequence, stddev: 0.5}"},
    "layer_normalization": {"y": "{type: layer_normalization, input: reader.sequence}"},
    "batch_normalization": {"y": "{type: batch_normalization, input: reader.sequence}"},
    "activation": {"y": "{type: activation, input: reader.sequence, activation: softmax}"},
    "prelu": {"y": "{type: prelu, input: reader.sequence, shared_axes: [1]}"},
    "add": {"y": "{type: add, input: [reader.sequence, reader.sequence]}"},
    "average": {"y": "{type: average, input: [reader.sequence, reader.sequence]}"},
    "multiply": {"y": "{type: multiply, input: [reader.sequence, reader.sequence]}"},
    "maximum": {"y": "{type: maximum, input: [reader.sequence, reader.sequence]}"},
    "concatenate": {"y": "{type: concatenate, input: [reader.sequence, reader.sequence]}"},
    "attention": {"y": "{type: attention, input: [reader.sequence, reader.sequence]}"},
    "gru": {"y": "{type: gru, input: reader.sequence, units: 2, return_sequences: true}"},
    "lstm whose state is read too": {
        "both": "{type: lstm, input: reader.sequence, units: 1, bidirectional: true}",
        "state": "{type: dense, input: both.state.forward.h, units: 2}",
        "y": "{type: dense, input: both.sequence, units: 2}",
    },
    "multi_head_attention": {"y": f"{ATTENTION}, num_heads: 1, key_dim: 2}}"},
    "what attention reads too": {
        "state": f"{ATTENTION}, num_heads: 1, key_dim: 2}}",
        "y": "{type: dense, input: reader.sequence, units: 2}",
    },
    "attention with a residual": {
        "attended": f"{ATTENTION}, num_heads: 1, key_dim: 2}}",
        "y": "{type: add, input: [reader.sequence, attended]}",
    },
}


@pytest.mark.parametrize("name", BETWEEN_MASK_AND_LOSS)
def test_mask_reaches_the_loss_through(name: str) -> None:
    """Keras's MultiHeadAttention even takes the masks off the tensors that it reads."""
    between = BETWEEN_MASK_AND_LOSS[name]
    lines = [f"  {layer}: {text}" for layer, text in between.items()]
    model = build(
        "inputs: {x: {shape: [time, 3]}}\n"
        "layers:\n"
        "  reader: {type: lstm, input: x, units: 2, mask: {value: 0}, initial_state: input}\n"
        + "\n".join(lines)
        + f"\noutputs: {{{', '.join(f'{out}: {out}' for out in between if out in ('y', 'state'))}}}"
    )
    randomise(model)
    found, target = model(batch_for(model))["y"], target_for(model)
    wanted = masked_mse(ops.convert_to_numpy(found), target)
    loss = keras.losses.MeanSquaredError()(target, found)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)


def test_loss_after_mask_none_counts_every_step() -> None:
    model = build(
        """
        inputs: {x: {shape: [time, 3]}}
        layers:
          reader: {type: lstm, input: x, units: 4, mask: {value: 0}}
          y: {type: dense, input: reader.sequence, units: 2, mask: none}
        outputs: {y: y}
        training: {loss: mse}
        """
    )
    randomise(model)
    data, target = batch_for(model), target_for(model)
    wanted = ((outputs_of(model, data)["y"] - target) ** 2).mean()
    assert model.test_on_batch(data, {"y": target}) == pytest.approx(wanted, rel=1e-5)


def test_outputs_without_a_loss_need_no_targets() -> None:
    model = build(
        """
        inputs: {x: {shape: [time, 3]}}
        layers:
          reader: {type: lstm, input: x, units: 4, mask: {value: 0}}
          y: {type: dense, input: reader.sequence, units: 2}
        outputs: {y: y, state: reader.state}
        training: {loss: {y: mse}}
        """
    )
    randomise(model)
    data, target = batch_for(model), target_for(model)
    wanted = masked_mse(outputs_of(model, data)["y"], target)
    assert model.train_on_batch(data, {"y": target}) == pytest.approx(wanted, rel=1e-5)
