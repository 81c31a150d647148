"""Weights from a file: matched by the names of layers, or refused with every difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from building import build, load, randomise, weights_by_layer

import lstmgraph
from lstmgraph.export.weights import load_weights
from lstmgraph.models.weights_file import WeightsFileError

if TYPE_CHECKING:
    from pathlib import Path

    import keras

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EVERY_KIND = """
inputs:
  x: {shape: [time, 4]}
  words: {shape: [time], dtype: int32}
layers:
  vectors: {type: embedding, input: words, input_dim: 5, output_dim: 4}
  first: {type: lstm, input: x, units: 4}
  second: {type: lstm, input: vectors, units: 4}
  both: {type: gru, input: x, units: 3, bidirectional: true, dropout: 0.2}
  cells:
    type: rnn
    input: x
    cells: [{type: lstm_cell, units: 3}, {type: gru_cell, units: 2}]
    initial_state: learned
  normal: {type: batch_normalization, input: first}
  steps: {type: time_distributed, input: x, layer: {type: dense, units: 2}}
  norm: {type: layer_normalization, input: steps}
outputs: {normal: normal, second: second, both: both, cells: cells, norm: norm}
training: {loss: {second: mse}}
"""


CHAIN = """
inputs: {x: {shape: [time, 4]}}
layers:
  first: {type: lstm, input: x, units: 4}
  second: {type: lstm, input: first.sequence, units: 4}
outputs: {y: second}
"""
TURNED = """
inputs: {x: {shape: [time, 4]}}
layers:
  second: {type: lstm, input: x, units: 4}
  first: {type: lstm, input: second.sequence, units: 4}
outputs: {y: first}
"""


def saved(model: keras.Model, path: Path) -> Path:
    if path.suffix == ".keras":
        model.save(path)
    else:
        model.save_weights(path)
    return path


def load_into(text: str, path: Path) -> keras.Model:
    recipe = load(text)
    model = recipe.build()
    load_weights(recipe.compiled, model, path)
    return model


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
@pytest.mark.parametrize(("text", "into"), [(EVERY_KIND, EVERY_KIND), (CHAIN, TURNED)])
def test_weights_are_matched_by_name(name: str, text: str, into: str, tmp_path) -> None:
    model = build(text)
    randomise(model)
    found = weights_by_layer(load_into(into, saved(model, tmp_path / name)))
    for layer, wanted in weights_by_layer(model).items():
        for array, other in zip(found.pop(layer), wanted, strict=True):
            np.testing.assert_array_equal(array, other, err_msg=layer)
    assert not found


def test_keras_itself_goes_by_order(tmp_path) -> None:
    """Why lstmgraph does not leave it to Keras."""
    model = build(CHAIN)
    randomise(model)
    other = build(TURNED)
    other.load_weights(saved(model, tmp_path / "m.weights.h5"))
    found, wanted = weights_by_layer(other), weights_by_layer(model)
    np.testing.assert_array_equal(found["second"][0], wanted["first"][0])


def test_dropout_is_no_difference(tmp_path) -> None:
    """Its random state is in the file, and is no weight."""
    model = build(EVERY_KIND)
    path = saved(model, tmp_path / "m.weights.h5")
    load_into(EVERY_KIND.replace(", dropout: 0.2", ""), path)


def mistakes(text: str, path: Path) -> list[tuple[int, str]]:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load_into(text, path)
    assert {found.code for found in caught.value.diagnostics} == {"L804"}
    return [(found.place.span.line, found.message) for found in caught.value.diagnostics]


SMALL = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: lstm, input: x, units: 2}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
"""


def test_all_that_does_not_fit_is_listed_by_line(tmp_path) -> None:
    path = saved(build(SMALL), tmp_path / "m.weights.h5")
    text = SMALL.replace("units: 2}\n  y:", "units: 3}\n  z:").replace("y: y", "y: z")
    assert mistakes(text, path) == [
        (4, f"{path} has weights for 'y', which is not a layer of the recipe"),
        (
            5,
            "the weights of 'reader' have the shapes (3, 12), (3, 12), (12,) in the recipe, "
            f"but (3, 8), (2, 8), (8,) in {path}",
        ),
        (6, f"{path} has no weights for 'z'"),
    ]


def test_equal_sizes_in_another_shape_are_refused(tmp_path) -> None:
    path = saved(build(SMALL), tmp_path / "m.weights.h5")
    text = SMALL.replace(
        "type: dense, input: reader, units: 2", "type: dense, input: reader, units: 1"
    )
    ((line, message),) = mistakes(text, path)
    assert line == 6
    assert "(2, 1), (1,)" in message


def test_a_refused_file_leaves_the_model_as_it_was(tmp_path) -> None:
    path = saved(
        build(SMALL.replace("units: 2}\n  y", "units: 3}\n  y")), tmp_path / "m.weights.h5"
    )
    recipe = load(SMALL)
    model = recipe.build()
    before = model.get_weights()
    with pytest.raises(lstmgraph.RecipeError):
        load_weights(recipe.compiled, model, path)
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def empty_h5(path: Path) -> None:
    h5py.File(path, "w").close()


def without_names(path: Path) -> None:
    saved(build(SMALL), path)
    with h5py.File(path, "r+") as file:
        for group in file["layers"].values():
            group["vars"].attrs.clear()


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        (
            "m.weights.h5",
            lambda path: path.write_text("text"),
            "cannot read .*m.weights.h5: it is not a weights file",
        ),
        ("m.weights.h5", empty_h5, "holds no layer weights"),
        ("m.weights.h5", without_names, "does not say which layers"),
        ("m.keras", lambda path: path.write_text("text"), "is not a .keras file with weights"),
        (
            "none.weights.h5",
            lambda _: None,
            "there is no file .*none.weights.h5",
        ),
    ],
)
def test_other_files_are_errors(name: str, make, says: str, tmp_path) -> None:
    make(tmp_path / name)
    with pytest.raises(WeightsFileError, match=says):
        load_into(SMALL, tmp_path / name)
