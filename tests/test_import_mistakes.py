"""What `lstmgraph import` says of wrong files, and where it writes; old files of Keras 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import pytest
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.models.weights_file import opened_weights

if TYPE_CHECKING:
    from pathlib import Path


def ran(*arguments: object) -> str:
    run = CliRunner().invoke(app, ["import", *map(str, arguments)])
    assert run.exit_code, run.output
    return " ".join(run.output.split())


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "it is empty"), (b"recipe: 1", "neither a zip archive"), (b"[1", "as JSON: Expecting")],
)
def test_a_file_that_is_no_model_is_named_as_what_it_is(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "m.keras"
    file.write_bytes(content)
    assert words in ran(file, "-o", tmp_path / "n.yaml")


def test_the_recipe_may_have_the_models_name(tmp_path: Path) -> None:
    """The weights get another name; the model here is empty, so that nothing is built."""
    file = tmp_path / "m.keras"
    file.touch()
    assert "it is empty" in ran(file, "-o", tmp_path / "m.yaml")
    (tmp_path / "m-imported.keras").touch()
    assert "m-imported.keras would be overwritten" in ran(file, "-o", tmp_path / "m.yaml")
    assert "is the model itself" in ran(file, "-o", tmp_path / "n.yaml", "--weights-to", file)


def test_outputs_that_are_no_recipes_are_refused(tmp_path: Path) -> None:
    assert "does not end in .yaml" in ran(tmp_path / "m.keras", "-o", "-")
    target = ("--no-weights", "--weights-to", "w.keras")
    assert "not with --no-weights" in ran("m.keras", "-o", tmp_path / "n.yaml", *target)


@pytest.mark.filterwarnings("ignore")
def test_an_h5_file_of_a_sequential_model_has_keras_places(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((3, 2)), keras.layers.GRU(2, name="reader"), keras.layers.Dense(1, name="out")]
    )
    model.save(tmp_path / "m.h5")
    with opened_weights(tmp_path / "m.h5") as weights:
        places = {name: set(layer) for name, layer in weights.layers.items()}
    assert places == {
        "reader": {"cell/vars/0", "cell/vars/1", "cell/vars/2"},
        "out": {"vars/0", "vars/1"},
    }


def test_two_directions_of_what_is_no_plain_recurrent_layer_are_named() -> None:
    """The first ended with a KeyError."""
    layers = keras.layers
    for wrapped in (False, True):
        both = layers.Bidirectional(layers.ConvLSTM1D(2, 2))
        x = keras.Input((2, 4, 5, 3) if wrapped else (4, 5, 3))
        model = keras.Model(x, (layers.TimeDistributed(both) if wrapped else both)(x))
        with pytest.raises(lstmgraph.ModelFileError) as caught:
            lstmgraph.import_model(model)
        assert [each.code for each in caught.value.diagnostics] == ["M201"]
        assert "Bidirectional of ConvLSTM1D is no layer that a recipe can name" in str(caught.value)
