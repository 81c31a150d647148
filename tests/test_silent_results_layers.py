"""Numbers that Keras gets wrong without a word, 14 to 21: masks between layers, and other joins.

Each test shows first what Keras does, then that a recipe is right or refused.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import reference as ref
from building import build, load, randomise
from keras import layers, ops
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
    weights_of,
)

from lstmgraph.compiler.machine.machine import Machine

# 14: where masks are lost.

WITHOUT_A_WORD = {
    "arithmetic": lambda masked: masked * 2,
    "slicing": lambda masked: masked[:, :2],
    "keras.ops": ops.tanh,
    "add": lambda masked: layers.Add()([masked, keras.Input((6, 3))]),
    "dot": lambda masked: layers.Dot(2)([masked, keras.Input((6, 3))]),
    "nested model": lambda _: masks_inside()(keras.Input((6, 3))),
}
WITH_A_WARNING = {
    "reshape": (layers.Reshape((6, 3)), "target_shape: [6, 3]"),
    "flatten": (layers.Flatten(), ""),
    "permute": (layers.Permute((2, 1)), "dims: [2, 1]"),
    "conv1d": (layers.Conv1D(2, 3), "filters: 2, kernel_size: 3"),
    "max_pooling1d": (layers.MaxPooling1D(), ""),
    "cropping1d": (layers.Cropping1D(), ""),
    "zero_padding1d": (layers.ZeroPadding1D(), ""),
    "up_sampling1d": (layers.UpSampling1D(), ""),
    "einsum_dense": (
        layers.EinsumDense("abc,cd->abd", output_shape=(None, 2)),
        'equation: "abc,cd->abd", output_shape: [null, 2]',
    ),
}


def masks_inside() -> keras.Model:
    x = keras.Input((6, 3))
    reader = layers.LSTM(3, return_sequences=True)
    return keras.Model(x, reader(layers.Masking()(x)))


def mask_of(tensor):
    return getattr(tensor, "_keras_mask", None)


def after_masking(line: str) -> str:
    return f"""
    inputs: {{x: {{shape: [6, 3]}}, other: {{shape: [6, 3]}}}}
    layers:
      masked: {{type: masking, input: x}}
      {line}
    outputs: {{y: y, other: other}}
    """


@pytest.mark.parametrize("name", WITHOUT_A_WORD)
def test_14_masks_are_lost_without_a_word(name: str) -> None:
    """Arithmetic, slices and `keras.ops` have no words in a recipe, nor have nested models."""
    masked = layers.Masking()(keras.Input((6, 3)))
    assert mask_of(masked) is not None
    assert mask_of(WITHOUT_A_WORD[name](masked)) is None
    if name in ("add", "dot"):
        axes = ", axes: 2" if name == "dot" else ""
        line = f"y: {{type: {name}, input: [masked, other]{axes}}}"
        assert refusal(after_masking(line)) == ("L501", line)
    elif name == "nested model":
        line = "y: {type: model, input: masked}"
        assert refusal(after_masking(line)) == ("L205", line)


@pytest.mark.parametrize("name", WITH_A_WARNING)
def test_14_masks_are_lost_with_a_warning(name: str) -> None:
    layer, arguments = WITH_A_WARNING[name]
    with pytest.warns(UserWarning, match="does not support mask"):
        lost = layer(layers.Masking()(keras.Input((6, 3))))
    assert mask_of(lost) is None
    line = f"y: {{type: {name}, input: masked{arguments and f', {arguments}'}}}"
    assert refusal(after_masking(line)) == ("L501", line)


def test_14_loss_without_the_mask_is_another() -> None:
    target = np.repeat(np.where(COUNTS, 1, 9)[:, :, None], 4, axis=-1)
    mse = keras.losses.MeanSquaredError()
    layer = layers.LSTM(4, return_sequences=True)
    y = layer(FRAMES, mask=COUNTS)
    found = mse(target, y * 2 / 2)
    y._keras_mask = COUNTS
    assert float(found) > 10 * float(mse(target, y))  # padded steps counted

    model = build("""
    inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader: {type: lstm, input: x, units: 4, mask: {lengths: lengths}}
      y: {type: activation, input: reader.sequence, activation: linear}
    outputs: {y: y}
    training: {loss: mse}
    """)
    randomise(model)
    sequence = ref.lstm(FRAMES, weights_of(model.get_layer("reader"))).sequence
    wanted = ((sequence - 1) ** 2)[COUNTS].mean()
    found = model.test_on_batch({"x": FRAMES, "lengths": LENGTHS}, {"y": target})
    assert found == pytest.approx(wanted, rel=1e-5)


def test_14_backward_outputs_carry_a_forward_mask() -> None:
    y = layers.LSTM(4, return_sequences=True, go_backwards=True)(layers.Masking()(X))
    computed = numbers(y).any(axis=-1)
    np.testing.assert_array_equal(computed, COUNTS[:, ::-1])
    np.testing.assert_array_equal(numbers(mask_of(y)), COUNTS)

    line = "reader: {type: lstm, input: masked, units: 4, go_backwards: true}"
    text = f"""
    inputs: {{x: {{shape: [time, 3]}}}}
    layers:
      masked: {{type: masking, input: x}}
      {line}
    outputs: {{y: reader.sequence}}
    """
    assert refusal(text) == ("L505", line)


# 15 and 16: rows without steps, and dropout of everything.


def test_15_fully_padded_row_gives_zero_and_not_its_state() -> None:
    """On CPU. With a recipe, `last` is the state, which is where the row began.

    cuDNN refuses such a row when the model runs, whoever wrote it. Lengths mean right-padded steps,
    so `auto` plans cuDNN: where a length may be 0, write `kernel: standard`.
    """
    lengths = np.array([5, 3, 0], "int32")
    mask = np.arange(5) < lengths[:, None]
    layer = layers.LSTM(4, return_state=True)
    last, h, c = (numbers(y) for y in layer(FRAMES, mask=mask, initial_state=[H, C]))
    assert not last[2].any()
    np.testing.assert_array_equal([h[2], c[2]], [H[2], C[2]])

    text = """
    inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader:
        type: lstm
        input: x
        units: 4
        mask: {lengths: lengths}
        initial_state: {inputs: [h, c]}
    outputs: {last: reader.last, state: reader.state}
    """
    model = build(text)
    randomise(model)
    wanted = ref.lstm(FRAMES, weights_of(model.get_layer("reader")), mask, (H, C)).state
    found = outputs(model, x=FRAMES, lengths=lengths, h=H, c=C)
    assert_close(found["last"], wanted[0])
    assert_close(found["state_h"], wanted[0])
    assert_close(found["state_c"], wanted[1])
    np.testing.assert_array_equal(found["last"][2], H[2])
    on_gpu = Machine(gpus=1)
    kernels = [load(text + rest).explain(on_gpu).layers[0].kernel for rest in ("", STANDARD)]
    assert kernels == ["cudnn", "standard"]


STANDARD = "runtime: {kernel: standard}"


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU])
@pytest.mark.parametrize("rate", [1.0, 1.5])
def test_16_dropout_of_one_or_more_drops_nothing(kind: type[keras.Layer], rate: float) -> None:
    layer = kind(4, dropout=rate)
    np.testing.assert_array_equal(numbers(layer(X, training=True)), numbers(layer(X)))
    line = f"y: {{type: {kind.__name__.lower()}, input: x, units: 4, dropout: {rate}}}"
    text = f"inputs: {{x: {{shape: [time, 3]}}}}\nlayers:\n  {line}\noutputs: {{y: y}}\n"
    assert refusal(text) == ("L206", line)


# 17: initializers.


def test_17_one_initializer_twice_gives_equal_kernels() -> None:
    """In a recipe an anchor shares the words, not the object."""
    shared = keras.initializers.GlorotUniform()
    one, two = (layers.LSTM(4, kernel_initializer=shared) for _ in range(2))
    one(X), two(X)
    np.testing.assert_array_equal(one.get_weights()[0], two.get_weights()[0])
    seeded = layers.LSTM(4, kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    both = layers.Bidirectional(seeded)
    both(X)
    np.testing.assert_array_equal(both.get_weights()[0], both.get_weights()[3])

    model = build("""
    inputs: {x: {shape: [time, 3]}}
    layers:
      one: {type: lstm, input: x, units: 4, kernel_initializer: &shared {type: glorot_uniform}}
      two: {type: lstm, input: x, units: 4, kernel_initializer: *shared}
      both:
        type: lstm
        input: x
        units: 4
        bidirectional: true
        kernel_initializer: {type: glorot_uniform, seed: 1}
    outputs: {one: one, two: two, both: both}
    """)
    kernel_of = {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}
    assert not np.array_equal(kernel_of["one"], kernel_of["two"])
    assert not np.array_equal(kernel_of["both"], model.get_layer("both").get_weights()[3])


# 18 and 19: which axis, and which end.


def test_18_last_step_of_two_directions_is_not_the_backward_state() -> None:
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    run = ref.bidirectional(ref.lstm, X, weights_of_called(layer))
    found = numbers(layer(X))[:, -1]
    assert_close(found[:, :4], run.forward[0])
    assert_far(found[:, 4:], run.backward[0])

    model = build("""
    inputs: {x: {shape: [time, 3]}}
    layers: {reader: {type: lstm, input: x, units: 4, bidirectional: true}}
    outputs: {y: reader.sequence, last: reader.last}
    """)
    randomise(model)
    run = ref.bidirectional(ref.lstm, X, weights_of(model.get_layer("reader")))
    wanted = np.concatenate([run.forward[0], run.backward[0]], axis=-1)
    assert_close(outputs(model, x=X)["last"], wanted)


def weights_of_called(layer: keras.Layer) -> list[np.ndarray]:
    layer(X)
    return weights_of(layer)


def test_19_static_vector_joins_on_time() -> None:
    """A vector and a sequence do not join in a recipe, except on features, in an `input:`."""
    x, static = keras.Input((None, 4)), keras.Input((4,))
    joined = layers.Concatenate(axis=1)([x, ops.expand_dims(static, 1)])
    by_hand = keras.Model([x, static], joined)
    sequence = np.stack([H, C], axis=1)
    assert numbers(by_hand([sequence, STATIC])).shape == (3, 2 + 1, 4)  # one step more

    inputs = "inputs: {x: {shape: [time, 4]}, static: {shape: [4]}}"
    line = "y: {type: concatenate, input: [x, static], axis: 1}"
    assert refusal(f"{inputs}\nlayers:\n  {line}\noutputs: {{y: y}}\n") == ("L401", line)

    line = "y: {type: lstm, input: [x, static], units: 4}"
    model = build(f"{inputs}\nlayers:\n  {line}\noutputs: {{y: y}}\n")
    randomise(model)
    repeated = np.concatenate([sequence, np.repeat(STATIC[:, None], 2, axis=1)], axis=-1)
    wanted = ref.lstm(repeated, weights_of(model.get_layer("y"))).last
    assert_close(outputs(model, x=sequence, static=STATIC)["y"], wanted)


# 20 and 21: found since.


def test_20_multi_head_attention_takes_masks_off_its_inputs() -> None:
    masked = layers.Masking()(X)
    layers.MultiHeadAttention(1, 2)(masked, masked)
    assert mask_of(masked) is None  # whoever reads it next

    model = build("""
    inputs: {x: {shape: [time, 3]}}
    layers:
      masked: {type: masking, input: x}
      attended:
        type: multi_head_attention
        input: {query: masked, value: masked}
        num_heads: 1
        key_dim: 2
      y: {type: lstm, input: masked, units: 4, initial_state: input}
      sequence: {type: dense, input: masked, units: 2}
    outputs: {y: y, sequence: sequence, attended: attended}
    training: {loss: {sequence: mse}}
    """)
    randomise(model)
    given = {"x": X, "y_h": H, "y_c": C}
    wanted = ref.lstm(X, weights_of(model.get_layer("y")), COUNTS, (H, C)).last
    assert_close(outputs(model, **given)["y"], wanted)
    error = ref.dense(X, weights_of(model.get_layer("sequence"))) - 1
    loss = model.test_on_batch(given, {"sequence": np.ones((3, 5, 2))})
    assert loss == pytest.approx((error**2)[COUNTS].mean(), rel=1e-5)


def test_21_static_features_are_taken_for_a_bias() -> None:
    """Repeated along time by adding zeros, where the batch is 1."""
    row, column = np.zeros((1, 1, 3), "float32"), np.zeros((1, 3, 1), "float32")
    assert (row + column).shape == (1, 3, 3)
    assert ops.add(row, column).shape == (1, 1, 3)

    model = build("""
    inputs: {x: {shape: [time, 2]}, static: {shape: [3]}}
    layers: {y: {type: lstm, input: [x, static], units: 4}}
    outputs: {y: y}
    """)
    randomise(model)
    x, static = FRAMES[:1, :3, :2], STATIC[:1, :3]  # one row of as many steps as static features
    joined = np.concatenate([x, np.repeat(static[:, None], 3, axis=1)], axis=-1)
    wanted = ref.lstm(joined, weights_of(model.get_layer("y"))).last
    assert_close(outputs(model, x=x, static=static)["y"], wanted)


SUM = """
inputs: {{wide: {{shape: {wide}}}, one: {{shape: {one}}}}}
layers:
  y: {{type: {type}, input: [{order}]}}
outputs: {{y: y}}
"""


@pytest.mark.parametrize("order", ["wide, one", "one, wide"])
@pytest.mark.parametrize(("kind", "layer"), [("add", layers.Add), ("average", layers.Average)])
def test_21_summand_is_taken_for_a_bias(kind: str, layer: type[keras.Layer], order: str) -> None:
    """A number for each row, added to as many features as there are rows."""
    wide, one = np.zeros((3, 3), "float32"), np.array([[1], [2], [3]], "float32")
    repeated = one + wide
    np.testing.assert_array_equal(numbers(layers.Add()([wide, one])), repeated.T)
    by_hand = keras.Model([x := keras.Input((3,)), y := keras.Input((1,))], layer()([x, y]))
    assert_far(by_hand.predict([wide, one], verbose=0), repeated / (2 if kind == "average" else 1))

    model = build(SUM.format(wide=[3], one=[1], type=kind, order=order))
    found = model.predict({"wide": wide, "one": one}, verbose=0)["y"]
    np.testing.assert_array_equal(found * (2 if kind == "average" else 1), repeated)


def test_21_sum_along_two_axes_is_refused() -> None:
    """It would be right but for a batch of one."""
    row, column = keras.Input((1, 3)), keras.Input((3, 1))
    by_hand = keras.Model([row, column], layers.Add()([row, column]))
    shapes = [
        numbers(by_hand([np.zeros((rows, 1, 3)), np.zeros((rows, 3, 1))])).shape for rows in (1, 2)
    ]
    assert shapes == [(1, 1, 3), (2, 3, 3)]
    text = SUM.format(wide=[1, 3], one=[3, 1], type="add", order="wide, one")
    assert refusal(text) == ("L401", "y: {type: add, input: [wide, one]}")
