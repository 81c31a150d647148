"""What warnings say that Keras computes, shown on Keras; and models without what is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import SHIPPED, build, load, outputs_of, with_header

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def number(tensor: object) -> float:
    return float(keras.ops.convert_to_numpy(tensor))


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
IDS = np.array([1, 1])


def test_w751_a_loss_of_logits_squashes_probabilities_again() -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    once, twice = softmax(LOGITS), softmax(softmax(LOGITS))
    assert number(loss(IDS, once.astype("float32"))) == pytest.approx(
        -np.log(twice[[0, 1], IDS]).mean(), rel=1e-5
    )
    assert twice[0, 1] > 4 * once[0, 1]


def test_w752_a_loss_of_probabilities_cuts_logits_off() -> None:
    loss = keras.losses.BinaryCrossentropy()
    of_logits = [number(loss(np.ones((1, 1)), np.array([[x]], "float32"))) for x in (-1, -50, 3, 9)]
    assert of_logits[0] == of_logits[1] == pytest.approx(-np.log(1e-7), rel=1e-2)
    assert of_logits[2] == of_logits[3] == pytest.approx(0, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*expected y_pred.shape:SyntaxWarning")
def test_w753_a_choice_of_one_class_costs_nothing() -> None:
    scores = np.array([[0.3], [0.9]], "float32")
    sparse = keras.losses.SparseCategoricalCrossentropy()(np.zeros(2), scores)
    one_hot = keras.losses.CategoricalCrossentropy()(np.ones((2, 1)), scores)
    assert [number(sparse), number(one_hot)] == pytest.approx([0, 0], abs=1e-6)


def test_w754_sigmoids_are_scaled_to_add_up_to_one() -> None:
    scores = np.array([[0.9, 0.9]], "float32")
    loss = keras.losses.CategoricalCrossentropy()(np.array([[1.0, 0.0]]), scores)
    assert number(loss) == pytest.approx(-np.log(0.5), rel=1e-5)


def test_w755_a_metric_takes_logits_for_probabilities() -> None:
    logits, hits = np.array([[0.3], [-0.3]], "float32"), np.array([[1.0], [0.0]])
    usual, on_logits = keras.metrics.BinaryAccuracy(), keras.metrics.BinaryAccuracy(threshold=0.0)
    assert [number(usual(hits, logits)), number(on_logits(hits, logits))] == [0.5, 1.0]


def test_w756_metrics_of_other_targets_are_wrong_of_a_model_that_is_right() -> None:
    right = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]], "float32")
    ids = np.array([1, 2, 0])
    assert number(keras.metrics.SparseCategoricalAccuracy()(ids, right)) == 1
    assert number(keras.metrics.CategoricalAccuracy()(ids, right)) < 0.5
    of_one_hot = keras.metrics.SparseCategoricalAccuracy()(np.eye(3)[ids], right)
    assert number(of_one_hot) < 0.5
    knows_nothing = np.full((3, 9), 1 / 9, "float32")
    binary = keras.metrics.BinaryAccuracy()(np.eye(9)[ids], knows_nothing)
    assert number(binary) == pytest.approx(8 / 9, rel=1e-5)


def test_w758_early_stopping_waits_to_the_end() -> None:
    def stops(patience: int) -> bool:
        callback = keras.callbacks.EarlyStopping(monitor="loss", patience=patience)
        model = keras.Sequential()
        model.stop_training = False  # as `fit` begins
        callback.set_model(model)
        callback.on_train_begin()
        for epoch in range(20):
            callback.on_epoch_end(epoch, {"loss": 1.0 + epoch})
        return bool(model.stop_training)

    assert [stops(20), stops(19)] == [False, True]


def test_w401_half_precision_loses_what_the_loss_needs() -> None:
    logits = np.array([[0.0, 25.0]])
    target = np.zeros(1)
    loss = keras.losses.SparseCategoricalCrossentropy()

    def of(policy: str) -> float:
        head = keras.layers.Activation("softmax", dtype=policy)
        probabilities = keras.ops.convert_to_numpy(head(logits.astype("float32")))
        return number(loss(target, probabilities.astype("float32")))

    assert of("mixed_float16") == pytest.approx(16.1, abs=0.1)
    float64 = -np.log(softmax(logits)[0, 0])
    assert float64 == pytest.approx(25, abs=1e-6)


def test_w403_dropout_of_an_output_gives_zeros() -> None:
    layer = keras.layers.Dropout(0.5, seed=1)
    dropped = keras.ops.convert_to_numpy(layer(np.ones((1, 100), "float32"), training=True))
    assert set(dropped.ravel()) == {0.0, 2.0}


@pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning")
def test_w404_a_softmax_of_one_number_is_one() -> None:
    found = keras.activations.softmax(np.array([[-3.0], [5.0]], "float32"))
    assert keras.ops.convert_to_numpy(found).tolist() == [[1.0], [1.0]]


def test_w405_states_grow_without_bound() -> None:
    def largest(activation: str) -> float:
        ones = {"kernel_initializer": "ones", "recurrent_initializer": "ones"}
        layer = keras.layers.LSTM(4, activation=activation, **ones)
        steps = np.ones((1, 60, 4), "float32")
        return float(np.max(keras.ops.convert_to_numpy(layer(steps))))

    assert largest("tanh") <= 1
    assert largest("relu") > 1e6


def test_w408_nothing_is_left_of_a_batch_of_one() -> None:
    layer = keras.layers.BatchNormalization()
    row = np.array([[3.0, -7.0]], "float32")
    assert keras.ops.convert_to_numpy(layer(row, training=True)).tolist() == [[0.0, 0.0]]


def test_w504_outputs_of_going_backwards_are_in_reverse() -> None:
    steps = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    layer = keras.layers.LSTM(4, go_backwards=True, return_sequences=True)
    forwards = keras.layers.LSTM(4, return_sequences=True)
    forwards.build(steps.shape)
    backwards = keras.ops.convert_to_numpy(layer(steps))
    forwards.set_weights(layer.get_weights())
    turned = keras.ops.convert_to_numpy(forwards(steps[:, ::-1].copy()))
    np.testing.assert_allclose(backwards, turned, rtol=1e-5, atol=1e-6)
    assert not np.allclose(backwards, turned[:, ::-1])


# Models of recipes with a layer, or an input, that no output needs.

USED = """
inputs:
  frames: {shape: [time, 3]}
layers:
  voice: {type: lstm, input: frames, units: 4, bidirectional: true}
  speaker: {type: dense, input: voice, units: 2}
outputs: {speaker: speaker}
runtime: {seed: 7}
training: {loss: mse}
"""
UNUSED_LAYERS = """
  # lstmgraph: ignore[W301] comes with the next version
  gender: {type: dense, input: mood, units: 2}
  mood: {type: gru, input: steps, units: 5, initial_state: input}
  steps: {type: dense, input: voice.sequence, units: 6}
outputs:"""


def features(seed: int = 0) -> dict[str, np.ndarray]:
    return {"frames": np.random.default_rng(seed).normal(size=(5, 6, 3)).astype("float32")}


def with_unused_layers() -> str:
    return USED.replace("\noutputs:", UNUSED_LAYERS)


def described(recipe: lstmgraph.Recipe) -> Mapping[str, object]:
    return {**recipe.explain().as_dict(), "recipe": ""}


def test_a_model_has_nothing_of_layers_that_are_not_used() -> None:
    """Not their weights or state inputs, nor what they alone read of layers that are used."""
    assert described(load(with_unused_layers())) == described(load(USED))
    wanted, found = build(USED), build(with_unused_layers())
    assert [layer.name for layer in found.layers] == [layer.name for layer in wanted.layers]
    np.testing.assert_array_equal(
        outputs_of(found, features())["speaker"], outputs_of(wanted, features())["speaker"]
    )


def test_a_mistake_in_a_layer_that_is_not_used_is_a_mistake() -> None:
    text = with_unused_layers().replace("units: 6", "units: 6, activation: glu")
    with pytest.raises(lstmgraph.RecipeError):
        load(text)


def test_only_a_mask_of_a_layer_is_read() -> None:
    """The layer is not in the model, and its mask is: as in Keras, written by hand."""
    model = build(
        """
        inputs: {frames: {shape: [time, 3]}}
        layers:
          masked: {type: masking, input: frames}
          voice: {type: gru, input: frames, units: 4, mask: {from: masked}}
        outputs: {voice: voice}
        """
    )
    assert not any(isinstance(layer, keras.layers.Masking) for layer in model.layers)
    batch = features()
    batch["frames"][1:, 3:] = 0
    layer = keras.layers.GRU(4)
    layer.build((None, None, 3))
    layer.set_weights(model.get_layer("voice").get_weights())
    by_hand = layer(keras.layers.Masking()(batch["frames"]))
    np.testing.assert_allclose(
        outputs_of(model, batch)["voice"],
        keras.ops.convert_to_numpy(by_hand),
        rtol=1e-5,
        atol=1e-6,
    )


# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_input_that_is_not_used_stays_and_changes_nothing(tmp_path: Path) -> None:
    text = USED.replace("inputs:\n", "inputs:\n  age: {shape: [2]}\n")
    recipe = load(text)
    assert [found.code for found in recipe.warnings] == ["W302"]
    assert [row.name for row in recipe.explain().inputs] == ["age", "frames"]
    model = recipe.build()
    assert list(model.input) == ["age", "frames"]
    recipe.save(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    wanted = outputs_of(build(USED), features())["speaker"]
    for age in (np.zeros((5, 2), "float32"), np.ones((5, 2), "float32")):
        for each in (model, again):
            found = outputs_of(each, {"age": age, **features()})["speaker"]
            np.testing.assert_array_equal(found, wanted)


FURTHER = {
    "a state of a layer that the model does not compute": (
        "  more: {inputs: [frames], initial_state: {mood: input}, outputs: {y: voice}}",
        "L832",
    ),
    "weights of its own": ("  more: {inputs: [frames], outputs: {y: mood}}", "L836"),
}


@pytest.mark.parametrize("case", FURTHER)
def test_further_models_of_layers_that_the_main_one_does_not_need(case: str) -> None:
    text, code = FURTHER[case]
    layers = UNUSED_LAYERS.replace(", initial_state: input", "")
    recipe = USED.replace("\noutputs:", layers) + f"models:\n{text}\n"
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(with_header(recipe))
    assert code in {found.code for found in caught.value.diagnostics}


def test_shipped_recipes_have_no_layer_that_is_not_used() -> None:
    for path in SHIPPED:
        recipe = lstmgraph.load(path)
        computed = {node.layer for node in recipe.compiled.graph.nodes}
        assert set(recipe.compiled.declaration.layers) <= computed
