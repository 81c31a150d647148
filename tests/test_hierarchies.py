"""Layers inside ``time_distributed`` on folded steps: words of characters, documents of sentences.

They are compared with the same layers on steps that NumPy folded, and with float64 by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import reference as ref
from building import (
    assert_equal_arrays,
    copy_weights,
    load,
    outputs_of,
    randomise,
    weights_by_layer,
)
from hierarchies import (
    DOCUMENTS,
    KINDS,
    PADDED,
    ROWS,
    SEGMENTS,
    STEPS,
    drawn,
    example,
    flat,
    folded,
    padded_example,
)
from onnx_running import assert_runs_as_keras

import lstmgraph

if TYPE_CHECKING:
    from building import Arrays

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Models = tuple[lstmgraph.Recipe, keras.Model, keras.Model]


@pytest.fixture(scope="module")
def models() -> Models:
    """The model of every kind of layer, and the one of the same layers without wrappers."""
    recipe = load(KINDS)
    model = recipe.build()
    randomise(model)
    by_hand = lstmgraph.load(flat(KINDS)).build()
    copy_weights(model, by_hand)
    return recipe, model, by_hand


def unfolded(data: Arrays) -> Arrays:
    return {name: x.reshape(ROWS, SEGMENTS, *x.shape[1:]) for name, x in data.items()}


@pytest.mark.slow
def test_equal_to_folding_by_hand(models: Models) -> None:
    _, model, by_hand = models
    data = example()
    wanted = unfolded(outputs_of(by_hand, folded(data)))
    assert_equal_arrays(outputs_of(model, data), wanted)


@pytest.mark.slow
def test_equal_to_float64(models: Models) -> None:
    _, model, _ = models
    data = example()
    own = folded({name: x.astype("float64") for name, x in data.items()})
    mask, weights = folded(data)["mask"], weights_by_layer(model)
    runs = {
        "lstm": ref.lstm(own["x"], weights["lstm"], mask),
        "given": ref.gru(own["x"], weights["given"], own["x"].any(-1), (own["start"],)),
    }
    ways = ref.bidirectional(
        ref.lstm,
        own["x"],
        weights["ways"],
        mask,
        (np.full((len(mask), 2), 0.5),) * 4,
        merge_mode="sum",
    )
    wanted = {
        "lstm": runs["lstm"].last,
        "lstm_sequence": runs["lstm"].sequence,
        "lstm_state_c": runs["lstm"].state[1],
        "given": runs["given"].sequence,
        "given_last": runs["given"].state[0],
        "ways": ways.forward[0] + ways.backward[0],
        "ways_sequence": ways.sequence,
        "ways_state_backward_c": ways.backward[1],
    }
    found = outputs_of(model, data)
    for name, array in unfolded(wanted).items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_saved_file_loads_without_lstmgraph(models: Models, tmp_path) -> None:
    recipe, model, _ = models
    recipe.save(model, tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert_equal_arrays(outputs_of(loaded, example()), outputs_of(model, example()))


@pytest.mark.slow
def test_onnx_gives_the_same_numbers(models: Models) -> None:
    recipe, model, _ = models
    assert_runs_as_keras(recipe, model, example())


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="gradients by tf.GradientTape")
def test_gradients_are_those_of_folding_by_hand(models: Models) -> None:
    import tensorflow as tf  # noqa: PLC0415

    _, model, by_hand = models
    found: list[dict[str, np.ndarray]] = []
    for each, data in ((model, example()), (by_hand, folded(example()))):
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(tf.square(y)) for y in each(dict(data)).values())
        gradients = tape.gradient(loss, {w.path: w.value for w in each.trainable_weights})
        arrays = {path: np.asarray(tf.convert_to_tensor(g)) for path, g in gradients.items()}
        found.append(arrays)
    assert found[0].keys() == found[1].keys()
    for path, wanted in found[1].items():
        scale = max(1, np.abs(wanted).max())
        np.testing.assert_allclose(found[0][path], wanted, rtol=0, atol=1e-6 * scale, err_msg=path)


# --- masks ---


@pytest.fixture(scope="module")
def padded() -> tuple[lstmgraph.Recipe, keras.Model]:
    recipe = load(PADDED + "training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.01}}\n")
    model = recipe.build()
    randomise(model)
    return recipe, model


def wanted_of_padded(weights: dict[str, list[np.ndarray]], data: Arrays) -> Arrays:
    """Each part of `PADDED` in float64, with zeros in the place of padding."""
    x, y = (np.nan_to_num(data[name]).reshape(-1, STEPS, 3) for name in ("x", "y"))
    mask, used = data["mask"].reshape(-1, STEPS), data["used"]

    def by_segment(array: np.ndarray) -> np.ndarray:
        return array.reshape(ROWS, SEGMENTS, -1)

    inner = by_segment(ref.gru(ref.dense(x, weights["projected"]), weights["inner"], mask).state[0])
    hidden = by_segment(ref.lstm(y, weights["hidden"]).last) * used[..., None]
    below = ref.bidirectional(ref.gru, y, weights["first_1"]).sequence
    first = by_segment(ref.bidirectional(ref.gru, below, weights["first_2"]).last)
    ids = data["ids"].reshape(-1, STEPS)
    sentence = ref.gru(weights["embedded"][0][ids], weights["sentence"], ids != 0).state[0]
    sentences = sentence.reshape(ROWS * DOCUMENTS, SEGMENTS, -1)
    written = (data["ids"] != 0).any(-1).reshape(ROWS * DOCUMENTS, SEGMENTS)
    document = ref.lstm(sentences, weights["document"], written).state[0]
    documents = document.reshape(ROWS, DOCUMENTS, -1)
    return {
        "outer": ref.lstm(inner, weights["outer"], data["mask"].any(-1)).state[0],
        "seen": ref.gru(hidden, weights["seen"], used).state[0],
        "firsts": ref.lstm(first, weights["firsts"], used).state[0],
        "scores": ref.dense(inner, weights["scores"]),
        "shelf": ref.gru(documents, weights["shelf"], (data["ids"] != 0).any((2, 3))).state[0],
        "hidden": hidden,
    }


@pytest.mark.slow
def test_masks_of_steps_and_of_segments(padded) -> None:
    recipe, model = padded
    data = padded_example()
    wanted = wanted_of_padded(weights_by_layer(model), data)
    found = outputs_of(model, data)
    assert_runs_as_keras(recipe, model, data)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_padding_that_holds_nan_leaves_training_finite(padded) -> None:
    _, model = padded
    before = [weight.copy() for weight in model.get_weights()]
    targets = {name: np.zeros_like(y) for name, y in outputs_of(model, padded_example()).items()}
    model.run_eagerly = True  # the graph takes ten seconds to trace
    model.train_on_batch(padded_example(), targets)
    model.run_eagerly = False
    after = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert all((old != new).any() for old, new in zip(before, after, strict=True))
    model.set_weights(before)


# --- other files and models, and what is refused ---

FIXED = """
inputs:
  x: {shape: [3, steps, 2]}
  lengths: {shape: [3], dtype: int32}
layers:
  word:
    type: time_distributed
    input: x
    mask: {lengths: lengths}
    layer: {type: gru, units: 3, initial_state: learned}
  text: {type: gru, input: word, units: 3}
outputs: {text: text, word: word}
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="LiteRT needs TensorFlow")
def test_litert_gives_the_same_numbers(tmp_path) -> None:
    recipe = load(FIXED)
    model = recipe.build()
    randomise(model)
    report = recipe.export(model, tmp_path, format="litert")
    assert max(output.greatest_difference for output in report.outputs) < 1e-6


def mistakes(text: str) -> list[tuple[str, str]]:
    with pytest.raises(lstmgraph.RecipeError) as refused:
        load(text)
    return [(each.code, ".".join(map(str, each.path))) for each in refused.value.diagnostics]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="LiteRT needs TensorFlow")
def test_litert_needs_a_fixed_number_of_segments(tmp_path) -> None:
    recipe = load(FIXED.replace("[3", "[segments"))
    model = recipe.build()
    randomise(model)
    report = recipe.export(model, tmp_path, format="saved_model")
    assert max(output.greatest_difference for output in report.outputs) < 1e-6
    with pytest.raises(lstmgraph.RecipeError, match="only for a fixed number of segments") as found:
        recipe.export(model, tmp_path, format="litert")
    assert found.value.diagnostics[0].path == ("layers", "word", "input")


def test_mistakes_stand_at_the_key_of_the_layer_inside() -> None:
    wrong = FIXED.replace("initial_state: learned", "initial_state: {constant: [1, 2]}")
    assert mistakes(wrong) == [("L610", "layers.word.layer.initial_state.constant")]
    wrong = FIXED.replace("units: 3, initial", "units: 3, unroll: true, initial")
    assert mistakes(wrong) == [("L702", "layers.word.layer.unroll")]
    calling = FIXED.replace("outputs:", "  more: {call: word, input: text, mask: none}\noutputs:")
    assert mistakes(calling) == [("L411", "layers.more.input")]


@pytest.mark.parametrize("key", ["trainable: false", "dtype_policy: float64"])
def test_what_the_called_layer_decides_is_refused_on_the_wrapper(key: str) -> None:
    calls = f"  more: {{type: time_distributed, input: word, {key}, layer: {{call: dense}}}}\n"
    dense = "  dense: {type: dense, input: text, units: 2}\n"
    text = FIXED.replace("outputs:", f"{dense}{calls}outputs:")
    assert mistakes(text) == [("L212", f"layers.more.{key.partition(':')[0]}")]


def test_calls_of_wrappers_and_of_calls() -> None:
    calls = "  more: {type: time_distributed, input: x, layer: {call: word}}\n"
    assert mistakes(FIXED.replace("outputs:", f"{calls}outputs:")) == [
        ("L411", "layers.more.input")  # two wrappers in all
    ]
    inner = "  again: {type: time_distributed, input: word.sequence, layer: {call: text}}\n"
    outer = "  more: {call: again, input: word.sequence}\n"
    with pytest.raises(lstmgraph.RecipeError, match="itself a call") as refused:
        load(FIXED.replace("outputs:", f"{inner}{outer}outputs:"))
    hint = refused.value.diagnostics[0].hint
    assert hint == "write `type: time_distributed` with `layer: {call: text}`"


def test_a_state_of_each_row_is_not_one_of_each_segment() -> None:
    state = "models: {begun: {inputs: [x], initial_state: {word: input}, outputs: {y: word}}}"
    assert mistakes(FIXED + state)[0] == ("L412", "models.begun.initial_state.word")
    assert mistakes(FIXED + "models: {live: {derive: step}}")[0][0] == "L834"


def test_a_further_model_reads_the_segments() -> None:
    recipe = load(FIXED + "models: {text: {inputs: [word], outputs: {text: text}}}")
    models = recipe.models()
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype("float32")
    whole = outputs_of(models["inline"], {"x": x, "lengths": np.full((2, 3), 4, "int32")})
    counted = np.ones((2, 3), bool)
    part = outputs_of(models["text"], {"word": whole["word"], "word_mask": counted})
    np.testing.assert_allclose(part["text"], whole["text"], atol=1e-6)


def test_lengths_of_segments_are_checked_in_data() -> None:
    recipe = load(FIXED + "training: {loss: mse}")
    data = {
        "x": np.zeros((4, 3, 5, 2), "float32"),
        "lengths": np.full((4, 3), 5),
        "text": np.zeros((4, 3)),
        "word": np.zeros((4, 3, 3)),
    }
    assert recipe.load_data(data).train
    data["lengths"] = np.full((4, 3), -1)
    with pytest.raises(lstmgraph.LstmgraphError, match="out of range"):
        recipe.load_data(data)


def test_memory_counts_the_rows_of_all_segments() -> None:
    one, four = (
        load(FIXED.replace("[3", "[segments")).explain(batch=2, sizes={"segments": n, "steps": 5})
        for n in (1, 4)
    )
    assert one.memory
    assert four.memory
    assert four.memory.kept["word"] == 4 * one.memory.kept["word"]


def test_the_resolved_recipe_says_the_same() -> None:
    recipe = load(KINDS)
    again = lstmgraph.load(recipe.resolved())
    assert again.compiled.graph == recipe.compiled.graph
    assert again.resolved() == recipe.resolved()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 12])
def test_random_layers_are_equal_to_folding_by_hand(seed: int) -> None:
    text = drawn(seed)
    recipe = load(text)
    model = recipe.build()
    randomise(model)
    by_hand = lstmgraph.load(flat(text)).build()
    copy_weights(model, by_hand)
    data = {name: array for name, array in example(seed).items() if name in model.input}
    assert_equal_arrays(outputs_of(model, data), unfolded(outputs_of(by_hand, folded(data))))
    assert_runs_as_keras(recipe, model, data)


@pytest.mark.slow
def test_a_decoder_runs_step_by_step_behind_a_hierarchy() -> None:
    recipe = load(
        FIXED.replace("outputs: {text: text, word: word}", "")
        .replace("layers:", "  y: {shape: [time, 2]}\nlayers:")
        .rstrip()
        + """
  decoder: {type: gru, input: y, units: 3, initial_state: text, return_sequences: true}
outputs: {y: decoder}
models: {live: {derive: step}}
"""
    )
    model = recipe.build()
    randomise(model)
    random = np.random.default_rng(0)
    given = {
        "x": random.normal(size=(2, 3, 4, 2)).astype("float32"),
        "lengths": np.array([[4, 0, 2], [0, 0, 0]], "int32"),
    }
    y = random.normal(size=(2, 3, 2)).astype("float32")
    stepper = lstmgraph.Stepper(recipe.derive("step", model), rows=2)
    stepper.start(given)
    found = [stepper.step({"y": y[:, t]})["y"] for t in range(3)]
    wanted = outputs_of(model, {**given, "y": y})["y"]
    np.testing.assert_allclose(np.stack(found, axis=1), wanted, rtol=0, atol=1e-6)
