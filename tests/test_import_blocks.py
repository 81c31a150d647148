"""Models of several layers inside TimeDistributed are imported as blocks, with their weights.

Numbers are those that Keras computes with the model itself; files of Keras 2 are in
``test_interop_keras2.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from zoo import hierarchies, texts

import lstmgraph
from lstmgraph.messages.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def trained(model: keras.Model) -> keras.Model:
    """The model with other numbers in every weight, biases too."""
    numbers = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(numbers.uniform(0.1, 0.9, weight.shape))
    return model


def batch(model: keras.Model) -> list[np.ndarray]:
    """Inputs of a model: ids without padding in the first row, with some in the others."""
    numbers = np.random.default_rng(4)
    found = []
    for tensor in model.inputs:
        shape = (3, *(size or 4 for size in tensor.shape[1:]))
        rows = numbers.normal(size=shape).astype("float32")
        if "int" in tensor.dtype:
            rows = numbers.integers(1, 20, shape).astype("int32")
            rows[1:, ..., -1] = 0
        found.append(rows)
    return found


def computed(model: keras.Model, rows: list[np.ndarray]) -> np.ndarray:
    return np.asarray(model(rows if len(rows) > 1 else rows[0]))


def imported_outputs(imported: Any, rows: list[np.ndarray]) -> np.ndarray:
    model = imported.model
    (output,) = model(dict(zip(model.input.keys(), rows, strict=True))).values()
    return np.asarray(output)


@pytest.mark.slow
def test_a_model_on_each_step_is_a_block() -> None:
    """The mask that Keras makes inside, and loses outside, is said where it is lost."""
    imported = lstmgraph.import_model(hierarchies.documents())
    assert imported.check.ok, str(imported.check)
    text = imported.text
    assert text[text.index("blocks:") : text.index("  label:")] == (
        """blocks:
  sentence:
    inputs: [words]
    layers:
      vectors: {type: embedding, input: words, input_dim: 20, output_dim: 5, mask_zero: true}
      reader: {type: lstm, input: vectors, units: 3, bidirectional: true}
      # Keras drops this mask, as it ends inside TimeDistributed: padded steps count.
      code: {type: dense, input: reader, units: 4, activation: tanh, mask: none}
    outputs: {code: code}

layers:
  sentences: {type: time_distributed, input: document, layer: {call: sentence}}
  text: {type: gru, input: sentences, units: 4}
"""
    )
    assert "mask: none" not in lstmgraph.import_model(hierarchies.documents(), fix=True).text


def read_segments(place: str, head: str) -> keras.Model:
    """A model on segments of words, with the mask of its words made inside or before it."""
    document = keras.Input((3, 4), dtype="int32", name="document")
    words = layers.Embedding(20, 3, mask_zero=True, name="words")
    own = keras.Input((4,), dtype="int32") if place == "inside" else keras.Input((4, 3))
    read = layers.LSTM(3, name="reader")(words(own) if place == "inside" else own)
    inner = keras.Model(own, layers.Dense(2, activation="sigmoid", name="code")(read), name="inner")
    each = layers.TimeDistributed(inner, name="each")
    x = each(document if place == "inside" else words(document))
    return trained(keras.Model(document, getattr(layers, head)(2, name="head")(x)))


@pytest.mark.slow
@pytest.mark.parametrize(("place", "head"), [("inside", "GRU"), ("before", "Dense")])
def test_segments_without_any_step_are_computed_as_keras_does(place: str, head: str) -> None:
    """The Dense layer in the model gives them its bias, where a recipe's mask gives zeros."""
    model = read_segments(place, head)
    rows = [np.array([[[1, 2, 3, 4], [5, 0, 0, 0], [0] * 4], [[0] * 4] * 3], "int32")]
    imported, fixed = (lstmgraph.import_model(model, fix=fix) for fix in (False, True))
    assert imported.check.ok, str(imported.check)
    assert np.abs(imported_outputs(imported, rows) - computed(model, rows)).max() < 1e-6
    assert np.abs(imported_outputs(fixed, rows) - computed(model, rows)).max() > 1e-2
    assert "as it ends inside TimeDistributed; here it is kept." in fixed.text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Layer 'inner'.*does not support masking")  # its layers do
@pytest.mark.parametrize("place", ["inside", "before"])
def test_a_mask_of_a_model_that_is_called_both_ways(place: str) -> None:
    """One that is made in the model, or goes through it, is that of what reads the result."""
    document = keras.Input((3, 5), dtype="int32", name="document")
    title = keras.Input((5,), dtype="int32", name="title")
    words = layers.Embedding(20, 3, mask_zero=True, name="words")
    own = keras.Input((5,), dtype="int32") if place == "inside" else keras.Input((5, 3))
    steps = layers.LSTM(3, return_sequences=True)(words(own) if place == "inside" else own)
    inner = keras.Model(own, steps, name="inner")
    if place == "before":
        read, read_title = words(document), words(title)
    else:
        read, read_title = document, title
    segments = layers.TimeDistributed(inner, name="each")(read)
    outputs = [
        layers.GRU(2, name="top")(inner(read_title)),
        layers.TimeDistributed(layers.GRU(2), name="ends")(segments),
    ]
    imported = lstmgraph.import_model(trained(keras.Model([document, title], outputs)))
    assert imported.check.ok, str(imported.check)
    top = imported.recipe.compiled.graph.by_name["top"]
    assert str(top.mask) == "title != 0"


@pytest.mark.slow
def test_what_a_model_on_each_step_shares_is_shared() -> None:
    """One block for the question and the answers, with one set of weights."""
    model = hierarchies.ranked_answers()
    imported = lstmgraph.import_model(model)
    assert imported.check.ok, str(imported.check)
    assert len(imported.recipe.to_dict()["blocks"]) == 1
    assert imported.model is not None
    assert len(imported.model.weights) == len(model.weights)


@pytest.mark.slow
def test_a_mask_that_is_lost_in_a_block_is_said_there() -> None:
    imported = lstmgraph.import_model(hierarchies.sessions_of_two())
    block = imported.text[imported.text.index("blocks:") : imported.text.index("\nlayers:")]
    assert "# Keras drops this mask, as the call has an initial_state" in block
    assert "mask: none" in block


def test_what_a_block_cannot_hold_is_named_with_its_place() -> None:
    step = keras.Input((5, 3), name="step")
    summed = keras.ops.cumsum(layers.LSTM(4, return_sequences=True)(step), axis=1)
    inner = keras.Model(step, layers.Dense(1, name="last")(summed), name="inner")
    steps = keras.Input((2, 5, 3), name="steps")
    model = keras.Model(steps, layers.TimeDistributed(inner, name="each")(steps))
    with pytest.raises(ModelFileError, match=r"layer 'each/cumsum.*Cumsum") as error:
        lstmgraph.import_model(model)
    assert [each.code for each in error.value.diagnostics] == ["M204"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "ending"),
    [
        (hierarchies.actions, ".keras"),
        (hierarchies.ranked_answers, ".h5"),
        (hierarchies.sessions_of_two, ".keras"),
        (texts.hierarchical_attention, ".h5"),
    ],
)
def test_weights_of_a_file_are_in_their_places(
    make: Callable[[], keras.Model], ending: str, tmp_path: Path
) -> None:
    model = trained(make())
    rows = batch(model)
    model.save(tmp_path / f"m{ending}")
    imported = lstmgraph.import_model(tmp_path / f"m{ending}")
    assert imported.check.ok, str(imported.check)
    assert np.abs(imported_outputs(imported, rows) - computed(model, rows)).max() < 1e-5


def test_a_file_that_lacks_weights_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    texts.hierarchical_attention().save(path)
    with h5py.File(path, "r+") as file:
        (each,) = [name for name in file["model_weights"] if "time_distributed" in name]
        file["model_weights"][each].attrs["weight_names"] = []
    with pytest.raises(ModelFileError, match="the file has no weights of it"):
        lstmgraph.import_model(path)
