"""Numbers that Keras gets wrong without a word, 1 to 7: what a recurrent call reads.

Each test shows first what Keras does, then that a recipe is right or refused.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import reference as ref
from building import build, load, randomise
from keras import layers
from silent import (
    COUNTS,
    FRAMES,
    LENGTHS,
    STATIC,
    C,
    H,
    X,
    assert_close,
    assert_far,
    numbers,
    outputs,
    refusal,
    row_by_row,
    weights_of,
)

from lstmgraph.compiler.machine.machine import Machine

READS_ZEROS_AS_PADDING = """
inputs: {{x: {{shape: [time, 3]}}}}
layers:
  y: {{type: lstm, input: x, units: 4, mask: {{value: 0.0}}{more}}}
outputs: {{y: y}}
"""

# 1 and 2: which steps count.

KINDS = {
    "lstm": (lambda: layers.LSTM(4), ref.lstm, (H, C)),
    "gru": (lambda: layers.GRU(4), ref.gru, (H,)),
    "simple_rnn": (lambda: layers.SimpleRNN(4), ref.simple_rnn, (H,)),
    "cell": (lambda: layers.RNN(layers.LSTMCell(4)), ref.lstm, (H, C)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_01_initial_state_drops_the_implicit_mask(kind: str) -> None:
    make, formula, states = KINDS[kind]
    layer = make()
    masked = layers.Masking()(X)
    found = layer(masked, initial_state=list(states))
    assert_close(found, formula(X, weights_of(layer), state=states).last)  # padding counted
    assert_far(found, row_by_row(formula, X, weights_of(layer), states))

    words = "rnn, cells: [{type: lstm_cell, units: 4}]" if kind == "cell" else f"{kind}, units: 4"
    model = build(f"""
    inputs: {{x: {{shape: [time, 3]}}}}
    layers:
      y: {{type: {words}, input: x, mask: {{value: 0.0}}, initial_state: input}}
    outputs: {{y: y}}
    """)
    randomise(model)
    names = [name for name in model.input if name != "x"]
    given = dict(zip(names, states, strict=True))
    wanted = row_by_row(formula, X, weights_of(model.get_layer("y")), states)
    assert_close(outputs(model, x=X, **given)["y"], wanted)


def test_01_initial_state_drops_the_implicit_mask_of_two_directions() -> None:
    layer = layers.Bidirectional(layers.LSTM(4))
    masked = layers.Masking()(X)
    states = (H, C, C, H)
    found = layer(masked, initial_state=list(states))
    unmasked = ref.bidirectional(ref.lstm, X, weights_of(layer), state=states)
    assert_close(found, unmasked.last)

    more = ", bidirectional: true, initial_state: {inputs: [a, b, c, d]}"
    model = build(READS_ZEROS_AS_PADDING.format(more=more))
    randomise(model)
    wanted = ref.bidirectional(
        ref.lstm, X, weights_of(model.get_layer("y")), COUNTS, state=states
    ).last
    assert_close(outputs(model, x=X, a=H, b=C, c=C, d=H)["y"], wanted)
    assert_far(found, ref.bidirectional(ref.lstm, X, weights_of(layer), COUNTS, states).last)


def test_02_concatenate_joins_masks_with_or() -> None:
    masked = layers.Masking()(X)
    joined = layers.Concatenate()([masked, layers.RepeatVector(5)(STATIC)])
    assert numbers(joined._keras_mask).all()
    layer = layers.LSTM(4)
    repeated = np.concatenate([X, np.repeat(STATIC[:, None], 5, axis=1)], axis=-1)
    found = layer(joined)
    assert_close(found, ref.lstm(repeated, weights_of(layer)).last)  # padding counted
    assert_far(found, row_by_row(ref.lstm, repeated, weights_of(layer)))

    inputs = "inputs: {x: {shape: [time, 3]}, static: {shape: [4]}}"
    model = build(f"""
{inputs}
layers:
  y: {{type: lstm, input: [x, static], units: 4, mask: {{value: 0.0}}}}
outputs: {{y: y}}
""")
    randomise(model)
    wanted = row_by_row(ref.lstm, repeated, weights_of(model.get_layer("y")))
    assert_close(outputs(model, x=X, static=STATIC)["y"], wanted)

    by_hand = """
    inputs: {x: {shape: [5, 3]}, static: {shape: [4]}}
    layers:
      masked: {type: masking, input: x}
      repeated: {type: repeat_vector, input: static, n: 5}
      joined: {type: concatenate, input: [masked, repeated]}
      y: {type: lstm, input: joined, units: 4}
    outputs: {y: y}
    """
    line = "joined: {type: concatenate, input: [masked, repeated]}"
    assert refusal(by_hand) == ("L501", line)


# 3 and 4: what padded steps hold.


def test_03_kernels_differ_in_padded_steps() -> None:
    """Keras's loop is run; for cuDNN, which gives zeros, the decision is tested.

    Zeros are what every kernel gives; repeating the last output keeps a layer off cuDNN.
    """
    layer = layers.LSTM(4, return_sequences=True)
    found = numbers(layer(layers.Masking()(X)))
    assert not layer.zero_output_for_mask
    for row, steps in enumerate(LENGTHS):
        assert (found[row, steps:] == found[row, steps - 1]).all()
    two_ways = numbers(layers.Bidirectional(layer)(layers.Masking()(X)))
    assert not two_ways[~COUNTS].any()

    text = """
    inputs: {{x: {{shape: [time, 3]}}}}
    layers:
      y:
        type: lstm
        input: x
        units: 4
        mask: {{value: 0.0, padding: right}}
        padded_output: {padded_output}
    outputs: {{y: y.sequence}}
    """
    zero, hold = (load(text.format(padded_output=value)) for value in ("zero", "hold"))
    model = zero.build()
    randomise(model)
    reader = model.get_layer("y")
    wanted = ref.lstm(X, weights_of(reader), COUNTS).sequence
    assert_close(outputs(model, x=X)["y"], wanted)
    assert not wanted[~COUNTS].any()
    assert (reader.zero_output_for_mask, reader.use_cudnn) == (True, "auto")
    assert zero.explain(Machine(gpus=1)).layers[0].kernel == "cudnn"

    held = hold.build().get_layer("y")
    assert (held.zero_output_for_mask, held.use_cudnn) == (False, False)
    (row,) = hold.explain(Machine(gpus=1)).layers
    assert (row.kernel, row.kernel_reason) == ("standard", "cuDNN gives zeros at padded steps")


def test_04_zero_output_for_mask_zeroes_the_last_output() -> None:
    """On CPU; cuDNN would give the last output that counts, so the flag must be off."""
    layer = layers.LSTM(4, zero_output_for_mask=True)
    found = numbers(layer(FRAMES, mask=COUNTS))
    assert not found[1:].any()  # the rows with padding
    assert_far(found, row_by_row(ref.lstm, FRAMES, weights_of(layer)))

    text = """
    inputs: {{x: {{shape: [time, 3]}}, lengths: {{shape: [], dtype: int32}}}}
    layers:
      reader: {{type: lstm, input: x, units: 4, mask: {{lengths: lengths}}}}
    outputs: {{last: reader.last{beside}}}
    """
    for beside, zeroed in (("", False), (", y: reader.sequence", True)):
        model = build(text.format(beside=beside))
        randomise(model)
        reader = model.get_layer("reader")
        assert reader.zero_output_for_mask == reader.return_sequences == zeroed
        wanted = row_by_row(ref.lstm, FRAMES, weights_of(reader))
        assert_close(outputs(model, x=FRAMES, lengths=LENGTHS)["last"], wanted)


# 5 to 7: states that do not fit.

WRONG_STATES = {
    "units": ([(5,), (5,)], "L604", "{h: s, c: zeros}", "s: {shape: [5]}"),
    "one state": ([(4,)], "L602", "{inputs: [h]}", ""),
    "rank": ([(2, 4), (2, 4)], "L604", "{h: s, c: zeros}", "s: {shape: [2, 4]}"),
}


@pytest.mark.parametrize("name", WRONG_STATES)
def test_05_symbolic_build_runs_no_call(name: str) -> None:
    shapes, code, form, declared = WRONG_STATES[name]
    x, states = keras.Input((None, 3)), [keras.Input(shape) for shape in shapes]
    model = keras.Model([x, *states], layers.LSTM(4)(x, initial_state=states))
    assert model.output_shape == (None, 4)
    arrays = [np.ones((3, *shape), "float32") for shape in shapes]
    with pytest.raises(Exception, match="LSTM"):  # IndexError, InvalidArgumentError
        model([X, *arrays])

    line = f"y: {{type: lstm, input: x, units: 4, initial_state: {form}}}"
    text = f"""
    inputs: {{x: {{shape: [time, 3]}}{declared and f", {declared}"}}}
    layers:
      {line}
    outputs: {{y: y}}
    """
    assert refusal(text) == (code, line)


FROM_ENCODER = """
inputs: {{x: {{shape: [time, 3]}}}}
layers:
  encoder: {{type: lstm, input: x, units: 4{way}}}
  y: {{type: {type}, input: x, units: {units}, initial_state: {form}}}
outputs: {{y: y}}
"""


def test_06_extra_states_are_ignored() -> None:
    """Which of h and c is which no shape can tell: recipes name them instead of listing them."""
    four = [H, C, STATIC, H]
    lstm, gru = layers.LSTM(4, unroll=True), layers.GRU(4)
    assert_close(lstm(X, initial_state=four), numbers(lstm(X, initial_state=four[:2])))
    assert_close(gru(X, initial_state=[H, C]), numbers(gru(X, initial_state=[H])))
    assert_far(lstm(X, initial_state=[C, H]), numbers(lstm(X, initial_state=[H, C])))

    two_ways = {"way": ", bidirectional: true", "type": "lstm"}
    line = "y: {type: lstm, input: x, units: 4, initial_state: encoder}"
    text = FROM_ENCODER.format(**two_ways, units=4, form="encoder")
    assert refusal(text) == ("L608", line)
    text = FROM_ENCODER.format(way="", type="gru", units=4, form="encoder")
    assert refusal(text) == ("L603", line.replace("lstm", "gru"))

    model = build(FROM_ENCODER.format(**two_ways, units=8, form="{from: encoder, bridge: concat}"))
    randomise(model)
    source = ref.bidirectional(ref.lstm, X, weights_of(model.get_layer("encoder")))
    state = tuple(
        np.concatenate(pair, axis=1) for pair in zip(source.forward, source.backward, strict=True)
    )
    wanted = ref.lstm(X, weights_of(model.get_layer("y")), state=state).last
    assert_close(outputs(model, x=X)["y"], wanted)


def test_07_state_of_one_row_broadcasts() -> None:
    """States made by a recipe have a row for each of the batch.

    A state that is fed is checked by `predict` and `fit`, though Keras stumbles over the names when
    it words the error. A direct call of the model checks nothing: it broadcasts as any layer does.
    """
    layer = layers.LSTM(4)
    repeated = [np.repeat(state[:1], 3, axis=0) for state in (H, C)]
    found = layer(X, initial_state=[H[:1], C[:1]])
    assert_close(found, ref.lstm(X, weights_of(layer), state=tuple(repeated)).last)

    recipe = load(READS_ZEROS_AS_PADDING.format(more=", initial_state: input"))
    shapes = {tensor.name: tensor.shape for tensor in recipe.explain().inputs}
    assert shapes["y_h"] == shapes["y_c"] == ["batch", 4]
    with pytest.raises((ValueError, AttributeError), match=r"number of samples|'shape'"):
        recipe.build().predict({"x": X, "y_h": H[:1], "y_c": C[:1]}, verbose=0)
