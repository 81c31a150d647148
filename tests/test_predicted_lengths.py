"""`predict` with XLA compiles few lengths, and gives the numbers of each row by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from data_building import recipe

import lstmgraph
from lstmgraph.models.predicting import PaddedPredict, padded_steps

if TYPE_CHECKING:
    from pathlib import Path

# Lengths, padding values and ids, each on an axis of its own.
THREE = """
    inputs:
      x: {shape: [time, 2]}
      lengths: {shape: [], dtype: int32}
      words: {shape: [many], dtype: int32}
      signal: {shape: [ticks, 2]}
    layers:
      reader: {type: lstm, input: x, units: 3, bidirectional: true, mask: {lengths: lengths}}
      tags: {type: dense, input: reader.sequence, units: 2}
      word: {type: embedding, input: words, input_dim: 9, output_dim: 3, mask_zero: true}
      said: {type: gru, input: word, units: 3}
      heard: {type: simple_rnn, input: signal, units: 3, mask: {value: -1.0}}
      all: {type: concatenate, input: [said, heard]}
      kind: {type: dense, input: all, units: 1}
    outputs: {tags: tags, kind: kind}
    runtime: {seed: 3, xla: true}
"""
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
LENGTHS = (3, 8, 9, 11)


def batch(steps: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(steps)
    lengths = np.array([steps, 1, steps // 2], "int32")
    words = random.integers(1, 9, (3, steps)).astype("int32")
    signal = random.normal(size=(3, steps, 2)).astype("float32")
    words[1, 1:], signal[2, 1:] = 0, -1.0
    x = random.normal(size=(3, steps, 2)).astype("float32")
    return {"x": x, "lengths": lengths, "words": words, "signal": signal}


def by_hand(model: keras.Model, given: dict[str, np.ndarray], row: int) -> tuple[Any, Any]:
    """The outputs of one row, cut to what counts, by Keras's layers with the model's weights."""
    layers = keras.layers

    def run(layer: keras.Layer, name: str, x: np.ndarray) -> np.ndarray:
        layer.build(x.shape)
        layer.set_weights(model.get_layer(name).get_weights())
        return np.asarray(layer(x))

    x = given["x"][row : row + 1, : given["lengths"][row]]
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
    tags = run(layers.Dense(2), "tags", run(both, "reader", x))[0]
    words, signal = given["words"][row], given["signal"][row]
    said = run(layers.Embedding(9, 3), "word", words[words > 0][None])
    said = run(layers.GRU(3), "said", said)
    heard = run(layers.SimpleRNN(3), "heard", signal[(signal != -1).any(axis=-1)][None])
    return tags, run(layers.Dense(1), "kind", np.concatenate([said, heard], axis=-1))[0]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    own = recipe(THREE)
    path: Path = tmp_path_factory.mktemp("lengths") / "model.keras"
    own.save(own.build(), path)
    return lstmgraph.load_model(path)


@pytest.mark.slow
def test_few_lengths_are_traced_and_every_row_has_its_numbers(
    loaded: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = []
    plain = keras.layers.LSTM.call

    def call(self: Any, sequences: Any, *arguments: Any, **keywords: Any) -> Any:
        traced.append(sequences.shape[1])
        return plain(self, sequences, *arguments, **keywords)

    monkeypatch.setattr(keras.layers.LSTM, "call", call)
    found = {steps: loaded.predict_on_batch(batch(steps)) for steps in LENGTHS}
    monkeypatch.undo()
    # Both directions of 8, and of all further lengths, which TensorFlow leaves open.
    assert set(traced) <= {8, None}
    function = loaded.predict_function
    assert isinstance(function, PaddedPredict)
    assert len(function.shapes) == 2, "8 and 12 steps are compiled, not all four"
    for steps, outputs in found.items():
        given = batch(steps)
        assert outputs["tags"].shape == (3, steps, 2)
        for row, length in enumerate(given["lengths"]):
            tags, kind = by_hand(loaded, given, row)
            np.testing.assert_allclose(outputs["tags"][row, :length], tags, rtol=0, atol=1e-6)
            np.testing.assert_allclose(outputs["kind"][row], kind, rtol=0, atol=1e-6)
    whole = loaded.predict(batch(11), verbose=0)
    np.testing.assert_allclose(whole["tags"], found[11]["tags"], rtol=0, atol=1e-6)


def test_a_length_beyond_the_rows_is_refused_though_the_padding_has_it(loaded: Any) -> None:
    given = batch(9)
    given["lengths"][0] = 10
    with pytest.raises(ValueError, match=r"lengths\[0\] is 10: .* from 0 to 9"):
        loaded.predict_on_batch(given)


def test_only_what_leaves_out_padding_is_padded() -> None:
    unmasked = THREE.replace(", mask: {lengths: lengths}", "").replace(
        "tags: {type: dense, input: reader.sequence", "tags: {type: dense, input: reader.last"
    )
    bare = recipe(unmasked.replace("      lengths: {shape: [], dtype: int32}\n", "")).build()
    assert [axis.name for axis in bare.predict_function.axes] == ["many", "ticks"]
    without_xla = recipe(THREE.replace("xla: true", "xla: false")).build()
    assert without_xla.predict_function is None


def test_two_lengths_a_doubling() -> None:
    sizes = [padded_steps(steps) for steps in range(1, 1000)]
    assert sorted(set(sizes)) == [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
    assert all(steps <= size for steps, size in enumerate(sizes, 1))
    assert all(size <= 1.5 * steps for steps, size in enumerate(sizes, 1) if steps >= 8)
