"""A decoder that shares its encoder's layers by calls: trained, derived, generating, in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import (
    assert_equal_arrays,
    outputs_of,
    randomise,
    weights_by_layer,
    with_header,
)
from keras import layers
from test_outputs import handwritten_twin

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

    from handwritten import Tensors

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(keras.backend.backend() == "jax", reason="tf.GradientTape and LiteRT"),
]

WORDS, START, STEPS = 6, 1, 4
TEXT = f"""
inputs:
  source: {{shape: [5], dtype: int32}}
  target: {{shape: [steps], dtype: int32}}
  lengths: {{shape: [], dtype: int32}}
layers:
  words:
    type: embedding
    input: source
    input_dim: {WORDS}
    output_dim: 3
    embeddings: {{from: vectors.npy}}
  reader: {{type: gru, input: words, units: 4, mask: {{lengths: lengths}}}}
  scaled: {{type: dense, input: reader, units: 4, activation: tanh}}
  written: {{call: words, input: target}}
  writer: {{call: reader, input: written, mask: none, initial_state: {{h: scaled}}}}
  rescaled: {{call: scaled, input: writer.sequence}}
  next: {{type: dense, input: rescaled, units: {WORDS}, activation: softmax}}
outputs: {{next: next}}
training:
  loss: sparse_categorical_crossentropy
  batch_size: 8
  epochs: 1
  shuffle: false
  optimizer: {{type: sgd, learning_rate: 0.5}}
data: {{split: {{validation: 0}}}}
"""
RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(WORDS, 3)).astype("float32")
DATA = {
    "source": RANDOM.integers(0, WORDS, (24, 5)).astype("int32"),
    "target": RANDOM.integers(0, WORDS, (24, STEPS)).astype("int32"),
    "lengths": RANDOM.integers(1, 6, 24).astype("int32"),
}
NEXT = RANDOM.integers(0, WORDS, (24, STEPS)).astype("int32")
LAYERS = {"words", "reader", "scaled", "next"}


def by_hand(t: Tensors) -> Tensors:
    words = layers.Embedding(WORDS, 3, name="words")
    reader = layers.GRU(4, return_sequences=True, return_state=True, name="reader")
    scaled = layers.Dense(4, activation="tanh", name="scaled")
    counted = t["lengths"][:, None] > np.arange(5, dtype="int32")[None]
    _, state = reader(words(t["source"]), mask=counted)
    sequence, _ = reader(words(t["target"]), initial_state=scaled(state))
    return {"next": layers.Dense(WORDS, activation="softmax", name="next")(scaled(sequence))}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe, its vectors, and a model of random weights."""
    folder = tmp_path_factory.mktemp("calls")
    np.save(folder / "vectors.npy", VECTORS)
    (folder / "shared.yaml").write_text(with_header(TEXT, "shared"))
    return folder


@pytest.fixture(scope="module")
def shared(place: Path) -> tuple[lstmgraph.Recipe, keras.Model]:
    recipe = lstmgraph.load(place / "shared.yaml")
    model = recipe.build()
    np.testing.assert_array_equal(model.get_layer("words").embeddings, VECTORS)
    randomise(model)
    recipe.save(model, place / "random.keras")
    return recipe, model


def assert_same_weights(found: keras.Model, wanted: keras.Model, tolerance: float) -> None:
    arrays = weights_by_layer(found)
    assert arrays.keys() == weights_by_layer(wanted).keys() == LAYERS
    for name, own in weights_by_layer(wanted).items():
        for array, other in zip(arrays[name], own, strict=True):
            np.testing.assert_allclose(array, other, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.slow
def test_an_epoch_is_that_of_keras_by_hand(place: Path, shared) -> None:
    """From the weights of a file: by `fit` to the last bit, and with rates of layers by a tape."""
    import tensorflow as tf  # noqa: PLC0415

    recipe, model = shared
    data, begun = {**DATA, "next": NEXT}, {"weights": place / "random.keras"}
    trained = recipe.train(data, folder=place / "trained", **begun).model
    twin = handwritten_twin(model, by_hand)
    twin.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", jit_compile=False)
    twin.fit(DATA, {"next": NEXT}, batch_size=8, epochs=1, shuffle=False, verbose=0)
    assert_same_weights(trained, twin, 0)

    rates = {"reader": 0.125, "scaled": 0.0625}
    rated = recipe.with_overrides({"training.learning_rates": rates})
    trained = rated.train(data, folder=place / "rated", **begun).model
    twin = handwritten_twin(model, by_hand)
    for start in range(0, 24, 8):
        rows = slice(start, start + 8)
        with tf.GradientTape() as tape:
            outputs = twin({name: array[rows] for name, array in DATA.items()})["next"]
            losses = keras.losses.sparse_categorical_crossentropy(NEXT[rows], outputs)
            loss = tf.reduce_mean(losses)
        for weight, gradient in zip(
            twin.trainable_weights,
            tape.gradient(loss, [weight.value for weight in twin.trainable_weights]),
            strict=True,
        ):
            layer = weight.path.split("/")[0]
            change = rates.get(layer, 0.5) * tf.convert_to_tensor(gradient)
            weight.assign(weight.value - change)
    assert_same_weights(trained, twin, 1e-6)


@pytest.mark.slow
def test_lora_of_a_called_layer_adapts_all_its_calls(place: Path, shared) -> None:
    recipe, model = shared
    adapted = recipe.with_overrides({"layers.scaled.lora_rank": 2})
    data = {**DATA, "next": NEXT}
    result = adapted.train(data, folder=place / "lora", weights=place / "random.keras")
    layer, base = result.model.get_layer("scaled"), model.get_layer("scaled")
    np.testing.assert_array_equal(layer._kernel, base.kernel)
    kernel = np.array(layer._kernel) + np.array(layer.lora_kernel_a) @ layer.lora_kernel_b
    assert (np.abs(kernel - base.kernel) > 1e-5).all()

    twin = handwritten_twin(model, by_hand)
    for name in LAYERS - {"scaled"}:
        twin.get_layer(name).set_weights(result.model.get_layer(name).get_weights())
    twin.get_layer("scaled").set_weights([kernel, layer.bias])
    wanted = outputs_of(twin, DATA)["next"]
    loaded = keras.models.load_model(place / "lora" / "shared.keras")
    for each in (result.model, loaded):
        np.testing.assert_allclose(outputs_of(each, DATA)["next"], wanted, atol=1e-6)


def test_the_encoder_and_the_decoder_make_the_whole(shared) -> None:
    """Each half has calls of the layers of the other."""
    recipe, model = shared
    encoder, decoder = (recipe.derive(kind, model) for kind in ("encoder", "decoder"))
    sources = {name: DATA[name] for name in ("source", "lengths")}
    states = outputs_of(encoder.model, sources)
    assert set(states) == {"writer_h"}
    found = outputs_of(decoder.model, {**states, "target": DATA["target"]})["next"]
    wanted = outputs_of(handwritten_twin(model, by_hand), DATA)["next"]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.slow
def test_generated_tokens_are_the_likeliest_of_keras_by_hand(shared) -> None:
    """Of weights so large, and without a bias of the head, that rows are written differently."""
    recipe, model = shared[0], shared[0].build()
    for layer in model.layers:
        layer.set_weights([5 * weight for weight in shared[1].get_layer(layer.name).get_weights()])
    head = model.get_layer("next")
    head.set_weights([head.kernel, np.zeros(WORDS)])
    sources = {name: DATA[name] for name in ("source", "lengths")}
    stepper = lstmgraph.Stepper(recipe.derive("step", model), xla=False)
    found = lstmgraph.generate(stepper, sources, start_token=START, max_steps=STEPS)
    twin = handwritten_twin(model, by_hand)
    tokens = np.full((24, 1), START, "int32")
    for _ in range(STEPS):
        likeliest = outputs_of(twin, {**sources, "target": tokens})["next"][:, -1].argmax(-1)
        tokens = np.concatenate([tokens, likeliest[:, None].astype("int32")], axis=1)
    np.testing.assert_array_equal(found.tokens, tokens[:, 1:])
    assert len(np.unique(tokens[:, 1:], axis=0)) > 1


def test_weights_go_to_a_recipe_with_other_calls(place: Path, shared) -> None:
    """By the names of the layers that have them: what is a call here may be a layer there."""
    _, model = shared
    other = TEXT.replace("{call: scaled, input", "{type: dense, units: 4, input")
    recipe = lstmgraph.load(with_header(other, "other"), folder=place)
    result = lstmgraph.transfer(place / "random.keras", recipe)
    outcomes = {each.name: each.outcome for each in result.layers}
    assert outcomes == {**dict.fromkeys(LAYERS, "loaded"), "rescaled": "missing"}
    own = weights_by_layer(result.model)
    for name, arrays in weights_by_layer(model).items():
        assert_equal_arrays(dict(enumerate(own[name])), dict(enumerate(arrays)))


@pytest.mark.slow
def test_litert_computes_calls_with_lengths(shared, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in this part only

    recipe, model = shared
    report = recipe.export(model, tmp_path, format="litert", batch_size=24)
    run = Interpreter(model_path=str(report.path)).get_signature_runner()
    found = run(**DATA)["next"]
    wanted = outputs_of(handwritten_twin(model, by_hand), DATA)["next"]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
