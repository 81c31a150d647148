"""Files that Keras 2 wrote: read, and run in Keras 3 with the same results.

tests/keras2/make.py writes them, with what Keras 2 computes. `LSTMGRAPH_KERAS2` is a folder of
files made anew; without it, those of tests/keras2/files.zip are read.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from interop_running import run
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.interop.keras_model import KerasModel, flat_tensors
from lstmgraph.interop.reading import read_model
from lstmgraph.interop.shapes import with_shapes
from lstmgraph.interop.weights import read_weights
from lstmgraph.messages.errors import ModelFileError, WeightsFileError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("lstm", "gru", "sequential", "nested", "stateful", "images", "cudnn_lstm", "cudnn_gru")
NEWER = ("nested", "sequential")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = os.environ.get("LSTMGRAPH_KERAS2")
    if made:
        return Path(made)
    folder = tmp_path_factory.mktemp("keras2")
    with zipfile.ZipFile(Path(__file__).parent / "keras2" / "files.zip") as archive:
        archive.extractall(folder)
    return folder


def numbers(files: Path, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    with np.load(files / f"{name}.npz") as saved:
        return tuple(
            [saved[f"{kind}_{n}"] for n in range(sum(key.startswith(kind) for key in saved))]
            for kind in ("in", "out")
        )


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_of_keras_2(files: Path, name: str) -> None:
    inputs, outputs = numbers(files, name)
    model = read_model(files / f"{name}.h5")
    weights = read_weights(files / f"{name}.h5", model)
    for ours, theirs in zip(run(model, weights, inputs), outputs, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_a_model_is_the_same(files: Path, name: str) -> None:
    def plain(model: KerasModel) -> tuple:
        return model.layers, model.calls, model.inputs, model.outputs

    whole = read_model(files / f"{name}.h5")
    assert plain(read_model(files / f"{name}.json")) == plain(whole)
    assert plain(read_model((files / f"{name}.json").read_text())) == plain(whole)
    if name in NEWER:
        newer = read_model(files / f"{name}.keras")
        assert [layer.type for layer in newer.layers.values()] == [
            layer.type for layer in whole.layers.values()
        ]
        assert newer.calls == whole.calls
    own, alone = (read_weights(files / f"{name}{end}.h5", whole) for end in ("", "_weights"))
    assert own.keys() == alone.keys()
    for layer, arrays in own.items():
        for first, second in zip(arrays, alone[layer], strict=True):
            assert np.array_equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_follow_from_the_inputs_alone(files: Path, name: str) -> None:
    _, outputs = numbers(files, name)
    model = with_shapes(read_model(files / f"{name}.h5"))
    for tensor, output in zip(flat_tensors(model.outputs), outputs, strict=True):
        sizes = zip(model.shapes[tensor], output.shape, strict=True)
        assert all(size in (None, theirs) for size, theirs in sizes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sentences", "frames"])
def test_a_model_on_each_step_becomes_a_block(files: Path, name: str) -> None:
    inputs, outputs = numbers(files, name)
    imported = lstmgraph.import_model(files / f"{name}.h5")
    assert imported.check.ok, str(imported.check)
    assert imported.recipe.to_dict()["blocks"].keys() == {name.removesuffix("s")}
    assert imported.model is not None
    (ours,) = imported.model(dict(zip(imported.model.input, inputs, strict=True))).values()
    assert np.abs(np.asarray(ours) - outputs[0]).max() <= 1e-6
    whole = read_model(files / f"{name}.h5")
    own, alone = (read_weights(files / f"{name}{end}.h5", whole) for end in ("", "_weights"))
    assert own.keys() == alone.keys()


def test_how_a_model_was_compiled_is_read(files: Path) -> None:
    found = read_model(files / "lstm.h5").compile
    assert found is not None
    assert found["loss"] == "mse"
    assert found["optimizer"]["class_name"] == "Adam"
    assert found["optimizer"]["config"]["learning_rate"] == pytest.approx(0.01)


def test_weights_alone_are_no_model(files: Path) -> None:
    with pytest.raises(ModelFileError, match="holds weights only"):
        read_model(files / "lstm_weights.h5")


RECIPE = """
recipe: 1
name: old
inputs: {x: {shape: [5, 3]}}
layers:
  before: {type: gru, input: x, units: 4, reset_after: false, return_sequences: true}
  after: {type: gru, input: before, units: 4, go_backwards: true}
  out: {type: dense, input: after, units: 1}
outputs: {last: out, steps: before}
"""


@pytest.mark.parametrize("file", ["gru.h5", "gru_weights.h5"])
def test_weights_of_keras_2_move_into_a_recipe(files: Path, file: str) -> None:
    inputs, outputs = numbers(files, "gru")
    found = lstmgraph.transfer(files / file, lstmgraph.load(RECIPE))
    assert found.complete
    ours = {name: np.asarray(y) for name, y in found.model({"x": inputs[0]}).items()}
    assert np.abs(ours["last"] - outputs[0]).max() <= 1e-6
    assert np.abs(ours["steps"] - outputs[1]).max() <= 1e-6


def test_the_commands_take_files_of_keras_2(files: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "old.yaml"
    recipe.write_text(RECIPE)
    target = tmp_path / "new.keras"
    arguments = ["transfer", str(files / "gru.h5"), str(recipe), "-o", str(target)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "3 of 3 layers fit" in done.output
    assert target.exists()


def test_a_model_of_keras_2_is_not_loaded_as_a_recipes(files: Path) -> None:
    with pytest.raises((ValueError, lstmgraph.LstmgraphError), match=r"lstmgraph transfer"):
        lstmgraph.load_model(files / "gru.h5", recipe=lstmgraph.load(RECIPE))


def test_weights_that_are_named_but_missing(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.h5"
    path.write_bytes((files / "gru.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file["model_weights/before/before/gru_cell/kernel:0"]
    with pytest.raises(WeightsFileError, match="lacks the weights"):
        read_weights(path, read_model(files / "gru.h5"))
