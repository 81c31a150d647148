"""Embeddings that are called in reverse: masks, losses, precision, files and generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import reference as ref
from building import (
    assert_equal_arrays,
    batch_for,
    load,
    outputs_of,
    randomise,
    weights_by_layer,
    with_header,
)
from handwritten_tied import TRANSLATOR
from keras import layers
from test_outputs import handwritten_twin

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

    from handwritten import Tensors

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DECODER = """
inputs: {state: {shape: [4]}, token: {shape: [time], dtype: int32}}
layers:
  words: {type: reversible_embedding, input: token, input_dim: 10, output_dim: 4, mask_zero: true}
  writer: {type: gru, input: words, units: 4, initial_state: {h: state}, return_sequences: true}
  logits: {call: words, input: writer, reverse: true}
outputs: {word: logits}
training: {loss: {type: sparse_categorical_crossentropy, from_logits: true}, metrics: [accuracy]}
"""
ROWS = 3
STATES = np.random.default_rng(2).normal(size=(ROWS, 4)).astype("float32")


@pytest.fixture(scope="module")
def decoder() -> tuple[lstmgraph.Derived, dict[str, list[np.ndarray]]]:
    recipe = load(DECODER)
    assert not recipe.warnings
    derived = recipe.derive("step")
    randomise(derived.main)
    return derived, weights_by_layer(derived.main)


def logits_of(weights: dict[str, list[np.ndarray]], ids: np.ndarray) -> np.ndarray:
    """In NumPy: (rows, steps) ids to (rows, steps, 10), without a mask."""
    (table,) = weights["words"]
    return ref.gru(table[ids], weights["writer"], state=(STATES,)).sequence @ table.T


def test_the_loss_counts_the_steps_that_the_embedding_does_not_mask(decoder) -> None:
    derived, weights = decoder
    ids = np.array([[3, 1, 4, 1], [5, 8, 0, 0], [2, 0, 0, 0]])
    targets = np.array([[1, 4, 1, 5], [8, 2, 0, 0], [7, 0, 0, 0]])
    logits = logits_of(weights, ids)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    chosen = np.take_along_axis(logs, targets[..., None], axis=-1)[..., 0]
    found = derived.main.evaluate({"state": STATES, "token": ids}, {"word": targets}, verbose=0)
    right = (logits.argmax(-1) == targets)[ids != 0].mean()
    np.testing.assert_allclose(found, [-chosen[ids != 0].sum() / (ids != 0).sum(), right], 1e-5)


@pytest.mark.slow
def test_generation_knows_that_a_reverse_call_gives_logits(decoder) -> None:
    derived, weights = decoder
    found = lstmgraph.generate(derived, {"state": STATES}, start_token=1, max_steps=4)
    ids, score = np.full((ROWS, 1), 1), np.zeros(ROWS)
    for _ in range(4):
        logits = logits_of(weights, ids)[:, -1]
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        ids = np.concatenate([ids, logs.argmax(-1)[:, None]], axis=1)
        score += logs.max(-1)
    assert not (ids == 0).any(), "with these weights no padding is written"
    np.testing.assert_array_equal(found.tokens, ids[:, 1:])
    np.testing.assert_allclose(found.scores, score, rtol=1e-5)


def test_under_a_mixed_policy_the_logits_are_float32_and_the_table_is_read_in_half() -> None:
    text = "runtime: {dtype_policy: mixed_float16}\n" + DECODER
    recipe = load(text)
    assert not recipe.warnings
    assert [(row.name, row.dtype) for row in recipe.explain().layers] == [
        ("words", "float16"),
        ("writer", "float16"),
        ("logits", "float32"),
    ]
    model = recipe.build()
    randomise(model)
    data = batch_for(model)
    assert model.output["word"].dtype == "float32"

    def by_hand(t: Tensors) -> Tensors:
        own = {"dtype": "mixed_float16"}
        words = layers.ReversibleEmbedding(
            10, 4, mask_zero=True, reverse_dtype="float32", name="words", **own
        )
        options = {"return_sequences": True, "zero_output_for_mask": True, **own}
        mask = keras.ops.not_equal(t["token"], 0)
        writer = layers.GRU(4, name="writer", **options)
        written = writer(words(t["token"]), mask=mask, initial_state=t["state"])
        # Declared as float16, which it is not.
        logits = keras.ops.cast(words(written, reverse=True), "float32")
        return {"word": keras.ops.where(mask[..., None], logits, 0)}

    twin = handwritten_twin(model, by_hand)
    twin.dtype_policy = keras.DTypePolicy("mixed_float16")
    assert_equal_arrays(outputs_of(model, data), outputs_of(twin, data))
    half = load(text.replace("mask_zero: true", "reverse_dtype: float16"))
    assert [found.code for found in half.warnings] == ["W401"]


def test_both_directions_begin_with_the_vectors_of_a_file(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")
    np.save(tmp_path / "vectors.npy", vectors)
    own = DECODER.replace("mask_zero: true", "embeddings: {from: vectors.npy}")
    (tmp_path / "words.yaml").write_text(with_header(own))
    model = lstmgraph.load(tmp_path / "words.yaml").build()
    data = batch_for(model)
    states = ref.gru(
        vectors[data["token"]], weights_by_layer(model)["writer"], state=(data["state"],)
    )
    found = outputs_of(model, data)["word"]
    np.testing.assert_allclose(found, states.sequence @ vectors.T, atol=1e-5)


def test_a_loss_of_probabilities_gets_a_way_that_works() -> None:
    """The call has no activation, so the fix is a layer behind it."""
    plain = DECODER.replace("from_logits: true", "from_logits: false").replace(
        ", metrics: [accuracy]", ""
    )
    (found,) = load(plain).warnings
    assert found.code == "W752"
    layer = "{type: activation, activation: softmax}"
    assert f"put a layer `{layer}` behind 'logits'" in found.hint
    added = f"  chances: {layer[:-1]}, input: logits}}\noutputs: {{word: chances}}"
    assert not load(plain.replace("outputs: {word: logits}", added)).warnings


def test_a_call_in_the_other_direction_is_a_difference() -> None:
    other = TRANSLATOR.replace("input: scaled, reverse: true", "input: target")
    found = lstmgraph.diff(load(TRANSLATOR), load(other)).layers.changed
    changes = next({c.key: (c.before, c.after) for c in each.changes} for each in found)
    assert changes["type"] == ("reverse ReversibleEmbedding", "ReversibleEmbedding")
    assert changes["arguments.reverse"] == (True, False)
