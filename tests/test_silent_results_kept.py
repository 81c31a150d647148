"""Numbers that Keras gets wrong without a word, 8 to 13: what a model keeps, and what it loses.

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
    hint,
    numbers,
    outputs,
    refusal,
    row_by_row,
    weights_of,
)

from lstmgraph.compiler.machine.machine import Machine

# 8: states that are carried from one batch to the next.


CARRIED = "initial_state: carried"


def chunks(x: np.ndarray) -> list[np.ndarray]:
    return [x[:, :2], x[:, 2:3], x[:, 3:]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_08_stateful_carries_what_it_should_not(tmp_path) -> None:
    """`carried` is one form of initial state, so nothing else can be given beside it.

    What it carries is a Keras layer's own: `evaluate` moves it on, and a file does not hold it. The
    next test has the form without either.
    """
    x, h = keras.Input((5, 3), batch_size=3), keras.Input((4,), batch_size=3)
    layer = layers.LSTM(4, stateful=True)
    restarted = keras.Model([x, h], layer(x, initial_state=[h, h]))
    np.testing.assert_array_equal(*(numbers(restarted([FRAMES, H])) for _ in range(2)))

    carrying = keras.Sequential([keras.Input((5, 3), batch_size=3), layers.LSTM(4, stateful=True)])
    carrying.compile(loss="mse", jit_compile=False)
    carrying(FRAMES)
    before = numbers(carrying.layers[0].states[0])
    carrying.evaluate(FRAMES, H, batch_size=3, verbose=0)
    assert_far(carrying.layers[0].states[0], before)
    carrying.save(tmp_path / "carrying.keras")
    loaded = keras.models.load_model(tmp_path / "carrying.keras", compile=False)
    assert not numbers(loaded.layers[0].states[0]).any()

    line = "y: {type: lstm, input: x, units: 4, stateful: true}"
    text = f"inputs: {{x: {{shape: [5, 3]}}}}\nlayers:\n  {line}\noutputs: {{y: y}}\n"
    assert refusal(text) == ("L203", line)
    assert "`initial_state: carried`" in hint(text)

    carried = build(f"""
    inputs: {{x: {{shape: [time, 3]}}}}
    layers: {{y: {{type: lstm, input: x, units: 4, return_sequences: true, {CARRIED}}}}}
    outputs: {{y: y}}
    runtime: {{batch_size: 3}}
    """)
    randomise(carried)
    whole = ref.lstm(FRAMES, weights_of(carried.get_layer("y"))).sequence
    found = [outputs(carried, x=part)["y"] for part in chunks(FRAMES)]
    assert_close(np.concatenate(found, axis=1), whole)


def test_08_states_fed_and_given_back_are_exact() -> None:
    model = build("""
    inputs: {x: {shape: [time, 3]}}
    layers: {y: {type: lstm, input: x, units: 4, initial_state: {inputs: [h, c]}}}
    outputs: {y: y.sequence, state: y.state}
    """)
    randomise(model)
    whole = ref.lstm(FRAMES, weights_of(model.get_layer("y"))).sequence
    found = {"state_h": np.zeros_like(H), "state_c": np.zeros_like(C)}
    sequences = []
    for part in chunks(FRAMES):
        found = outputs(model, x=part, h=found["state_h"], c=found["state_c"])
        sequences.append(found["y"])
    assert_close(np.concatenate(sequences, axis=1), whole)


# 9 to 11: files, inputs and what is not saved.

WIDE = np.stack([H, C, STATIC], axis=1)


def reader(name: str) -> keras.Layer:
    return layers.LSTM(4, return_sequences=True, name=name)


IN_TURN = """
inputs: {{x: {{shape: [time, 4]}}}}
layers:
  {first}: {{type: lstm, input: x, units: 4, return_sequences: true}}
  {second}: {{type: lstm, input: {first}, units: 4, return_sequences: true}}
outputs: {{y: {second}}}
"""


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_09_load_weights_goes_by_order(tmp_path) -> None:
    """`load_weights` on a built model is Keras's own, and still goes by order.

    Every layer has the recipe's name in each build, and the `.keras` file keeps it, so weights can
    be handed over by name.
    """
    x = keras.Input((None, 4))
    by_hand = keras.Sequential([x, reader("words"), reader("price")])
    reordered = keras.Sequential([x, reader("price"), reader("words")])
    by_hand.save_weights(tmp_path / "by_hand.weights.h5")
    reordered.load_weights(tmp_path / "by_hand.weights.h5")
    swapped = zip(
        reordered.get_layer("price").get_weights(),
        by_hand.get_layer("words").get_weights(),
        strict=True,
    )
    for found, wanted in swapped:
        np.testing.assert_array_equal(found, wanted)

    first = build(IN_TURN.format(first="words", second="price"))
    second = build(IN_TURN.format(first="price", second="words"))
    randomise(first)
    first.save(tmp_path / "first.keras")
    saved = keras.models.load_model(tmp_path / "first.keras")
    for layer in second.layers:
        layer.set_weights(saved.get_layer(layer.name).get_weights())
    below = ref.lstm(WIDE, weights_of(first.get_layer("price"))).sequence
    wanted = ref.lstm(below, weights_of(first.get_layer("words"))).sequence
    assert_close(outputs(second, x=WIDE)["y"], wanted)


def test_10_extra_key_shifts_the_inputs() -> None:
    """A built model is Keras's own: an extra key still shifts its inputs, with a warning.

    The names that it takes are in `explain` and in `model.input`; in which order they are given
    does not matter.
    """
    a, c = keras.Input((2,), name="a"), keras.Input((2,), name="c")
    by_hand = keras.Model({"a": a, "c": c}, 10 * a + c)
    one, two, five = (np.full((1, 2), value, "float32") for value in (1, 2, 5))
    with pytest.warns(UserWarning, match="structure of `inputs`"):
        found = by_hand({"a": one, "b": five, "c": two})
    np.testing.assert_array_equal(numbers(found), [[15, 15]])  # 10 a + b

    recipe = load("""
    inputs: {c: {shape: [2]}, a: {shape: [2]}}
    layers: {y: {type: subtract, input: [a, c]}}
    outputs: {y: y}
    """)
    model = recipe.build()
    given = {"a": one, "c": two}
    assert {tensor.name for tensor in recipe.explain().inputs} == model.input.keys() == {"a", "c"}
    for order in ("ac", "ca"):
        found = model.predict_on_batch({name: given[name] for name in order})
        np.testing.assert_array_equal(found["y"], one - two)
    with pytest.warns(UserWarning, match="structure of `inputs`"):
        model({**given, "b": five})


BOTH_WAYS = """
inputs: {x: {shape: [time, 3]}}
layers: {y: {type: lstm, input: x, units: 4, bidirectional: true, mask: {value: 0.0}}}
outputs: {y: y}
"""


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_11_use_cudnn_is_not_saved(tmp_path) -> None:
    """The choice holds for the model that is built; a loaded one chooses again by itself.

    What the recipe chose, and why, is always in `explain`. Rebuild from the recipe, and load the
    weights, where the choice matters.
    """
    layer = layers.LSTM(4, use_cudnn=False)
    assert layers.LSTM.from_config(layer.get_config()).use_cudnn == "auto"

    text = BOTH_WAYS
    for runtime, reason in (
        ("", "its mask is not known to be padded on the right (x != 0.0)"),
        ("runtime: {kernel: standard}", "`kernel: standard`"),
    ):
        recipe = load(text + runtime)
        model = recipe.build()
        (row,) = recipe.explain(Machine(gpus=1)).layers
        assert (row.kernel, row.kernel_reason) == ("standard", reason)
        assert uses_of_cudnn(model) == [False, False]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert uses_of_cudnn(loaded) == ["auto", "auto"]
    assert_close(outputs(loaded, x=X)["y"], outputs(model, x=X)["y"])


def uses_of_cudnn(model: keras.Model) -> list[bool | str]:
    both = model.get_layer("y")
    return [both.forward_layer.use_cudnn, both.backward_layer.use_cudnn]


# 12: precision.


def test_12_mixed_precision_needs_more_than_a_policy() -> None:
    by_hand = keras.Sequential([keras.Input((None, 3)), layers.LSTM(4, dtype="mixed_float16")])
    by_hand.compile("adam", "mse")
    assert type(by_hand.optimizer) is keras.optimizers.Adam  # the loss is not scaled
    both = layers.Bidirectional(layers.LSTM(4), dtype="mixed_float16")
    both(X)
    assert both.compute_dtype == "float16"
    assert both.forward_layer.compute_dtype == "float32"

    model = build("""
    inputs: {x: {shape: [time, 3]}}
    layers:
      both: {type: lstm, input: x, units: 4, bidirectional: true}
      y: {type: dense, input: both, units: 2}
    outputs: {y: y}
    runtime: {dtype_policy: mixed_float16}
    training: {loss: mse, optimizer: adam}
    """)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    both = model.get_layer("both")
    assert {both.compute_dtype, both.forward_layer.compute_dtype} == {"float16"}
    assert {both.backward_layer.compute_dtype, both.backward_layer.cell.compute_dtype} == {
        "float16"
    }


def test_12_global_policy_leaks_into_later_models() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert layers.Dense(2).compute_dtype == "float16"
    finally:
        keras.config.set_dtype_policy("float32")

    text = """
    inputs: {x: {shape: [4]}}
    layers: {hidden: {type: dense, input: x, units: 2}, y: {type: dense, input: hidden, units: 1}}
    outputs: {y: y}
    runtime: {dtype_policy: mixed_float16}
    """
    assert build(text).get_layer("hidden").compute_dtype == "float16"
    assert layers.Dense(2).compute_dtype == "float32"


def test_12_float16_head_gives_a_wrong_loss() -> None:
    logits, wrong_class = np.array([[25, 0]], "float32"), np.array([1])
    loss = keras.losses.SparseCategoricalCrossentropy()
    head = layers.Activation("softmax", dtype="mixed_float16")
    assert float(loss(wrong_class, head(logits))) == pytest.approx(16.118, abs=1e-3)

    model = build("""
    inputs: {x: {shape: [2]}}
    layers: {y: {type: activation, input: x, activation: softmax}}
    outputs: {y: y}
    runtime: {dtype_policy: mixed_float16}
    training: {loss: sparse_categorical_crossentropy}
    """)
    assert model.test_on_batch({"x": logits}, {"y": wrong_class}) == pytest.approx(25, abs=1e-3)


def test_12_float_ids_are_rounded() -> None:
    """By any layer of the policy that passes them on: float16 has no 2049."""
    ids = np.array([[2048, 2049]])
    table = (np.arange(3000) % 7)[:, None].astype("float32")
    x = keras.Input((2,))
    reshaped = layers.Reshape((2,), dtype="mixed_float16")(x)
    embedding = layers.Embedding(3000, 1, dtype="mixed_float16")
    by_hand = keras.Model(x, embedding(reshaped))
    embedding.set_weights([table])
    np.testing.assert_array_equal(numbers(by_hand(ids.astype("float32")))[0, :, 0], [4, 4])

    line = "y: {type: embedding, input: reshaped, input_dim: 3000, output_dim: 1}"
    text = f"""
    inputs: {{ids: {{shape: [2]}}}}
    layers:
      reshaped: {{type: reshape, input: ids, target_shape: [2]}}
      {line}
    outputs: {{y: y}}
    runtime: {{dtype_policy: mixed_float16}}
    """
    assert refusal(text) == ("L401", line)
    model = build(text.replace("ids: {shape: [2]}", "ids: {shape: [2], dtype: int32}"))
    model.get_layer("y").set_weights([table])
    np.testing.assert_array_equal(outputs(model, ids=ids.astype("int32"))["y"][0, :, 0], [4, 5])


# 13: steps that are padding by their value.


@pytest.mark.parametrize(
    "line",
    [
        "y: {type: lstm, input: x, units: 4, mask: {value: .nan}}",
        "y: {type: masking, input: x, mask_value: .nan}",
    ],
)
def test_13_nan_never_masks(line: str) -> None:
    padded = np.where(COUNTS[:, :, None], FRAMES, np.nan)
    assert numbers(layers.Masking(mask_value=np.nan)(padded)._keras_mask).all()
    text = f"inputs: {{x: {{shape: [time, 3]}}}}\nlayers:\n  {line}\noutputs: {{y: y}}\n"
    assert refusal(text) == ("L114", line)


def test_13_real_step_of_zeros_is_masked() -> None:
    """What a mask by value cannot tell apart, lengths can."""
    x = FRAMES.copy()
    x[0, 2] = 0
    assert not numbers(layers.Masking()(x)._keras_mask)[0, 2]
    layer = layers.LSTM(4)
    assert_far(layer(layers.Masking()(x))[:1], ref.lstm(x[:1], weights_of(layer)).last)

    model = build("""
    inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers: {y: {type: lstm, input: x, units: 4, mask: {lengths: lengths}}}
    outputs: {y: y}
    """)
    randomise(model)
    wanted = row_by_row(ref.lstm, x, weights_of(model.get_layer("y")))
    assert_close(outputs(model, x=x, lengths=LENGTHS)["y"], wanted)


@pytest.mark.parametrize(
    ("mask", "source"), [("{value: 0.0}", "x"), ("inherited", "masked")], ids=["value", "layer"]
)
def test_13_small_values_are_masked_under_float16(mask: str, source: str) -> None:
    """A recipe's mask is made from the input as it comes, before a layer rounds it."""
    x = np.full((1, 3, 3), 1e-8, "float32")
    assert not numbers(layers.Masking(dtype="mixed_float16")(x)._keras_mask).any()

    masking = "masked: {type: masking, input: x}\n      " if source == "masked" else ""
    model = build(f"""
    inputs: {{x: {{shape: [time, 3]}}}}
    layers:
      {masking}y: {{type: lstm, input: {source}, units: 4, mask: {mask}}}
    outputs: {{y: y}}
    runtime: {{dtype_policy: mixed_float16}}
    """)
    randomise(model)
    wanted = ref.lstm(x, weights_of(model.get_layer("y"))).last
    np.testing.assert_allclose(outputs(model, x=x)["y"], wanted, atol=5e-3)
    assert np.abs(wanted).max() > 0.1  # from the biases alone
