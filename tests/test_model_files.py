"""`.keras` files that hold their recipe: what Keras forgets of a model is put back in loading."""

from __future__ import annotations

import signal
import zipfile
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import assert_equal_arrays, batch_for, load, outputs_of, randomise
from forked import run_program
from typer.testing import CliRunner

import lstmgraph
import lstmgraph.models.files
import lstmgraph.models.runtime
from lstmgraph.cli import app
from lstmgraph.compiler.machine.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXT = """
inputs: {{frames: {{shape: [5, 3]}}}}
layers:
  reader: {{type: gru, input: frames, units: 4, bidirectional: true, return_sequences: true}}
  second: {{type: lstm, input: reader, units: 4}}
  free: {{type: lstm, input: frames, units: 4, activation: relu}}
  both: {{type: concatenate, input: [second, free]}}
  y: {{type: dense, input: both, units: 2}}
outputs: {{y: y}}
runtime: {{seed: 2{runtime}}}
{training}
"""


def recipe(runtime: str = "", training: str = "") -> lstmgraph.Recipe:
    return load(TEXT.format(runtime=runtime, training=training))


def kernels(model: keras.Model) -> dict[str, object]:
    reader = model.get_layer("reader")
    both = {"forward": reader.forward_layer, "backward": reader.backward_layer}
    layers = {**both, "second": model.get_layer("second"), "free": model.get_layer("free")}
    return {name: layer.use_cudnn for name, layer in layers.items()}


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decisions of a machine with a GPU; the layers still run on the CPU."""
    monkeypatch.setattr(lstmgraph.models.runtime, "seen_machine", lambda: Machine(1, ""))


@pytest.mark.parametrize(
    ("runtime", "wanted"),
    [
        ("", ("auto", "auto", "auto", False)),
        (", kernel: standard", (False,) * 4),
        (", xla: true", (False,) * 4),
    ],
)
@pytest.mark.usefixtures("with_gpu")
def test_the_kernels_survive(runtime: str, wanted: tuple[object, ...], tmp_path: Path) -> None:
    declared = recipe(runtime)
    model = declared.build()
    assert tuple(kernels(model).values()) == wanted
    declared.save(model, tmp_path / "m.keras")
    assert kernels(lstmgraph.load_model(tmp_path / "m.keras")) == kernels(model)
    forgotten = kernels(keras.models.load_model(tmp_path / "m.keras"))
    assert set(forgotten.values()) == {"auto"}, "Keras stores it now: model_files can go"


@pytest.mark.slow
def test_a_trained_model_goes_on_where_it_was(tmp_path: Path) -> None:
    declared = recipe(training="training: {loss: mse, optimizer: {type: adam, learning_rate: 0.1}}")
    model = declared.build()
    data = batch_for(model)
    target = {"y": np.ones((len(data["frames"]), 2), "float32")}
    model.train_on_batch(data, target)
    declared.save(model, tmp_path / "m.keras")
    loaded = lstmgraph.load_model(tmp_path / "m.keras")
    assert_equal_arrays(outputs_of(loaded, data), outputs_of(model, data))
    for trained in (model, loaded):
        trained.train_on_batch(data, target)
    assert_equal_arrays(outputs_of(loaded, data), outputs_of(model, data))


@pytest.mark.tensorflow("JAX compiles whatever it runs")
@pytest.mark.parametrize("training", ["", "training: {loss: mse}"])
@pytest.mark.parametrize("xla", ["auto", "true", "false"])
def test_xla_survives(xla: str, training: str, tmp_path: Path) -> None:
    declared = recipe(f", xla: {xla}", training)
    model = declared.build()
    declared.save(model, tmp_path / "m.keras")
    loaded = lstmgraph.load_model(tmp_path / "m.keras")
    assert loaded.jit_compile is model.jit_compile is (xla == "true")
    assert (loaded.predict_function is None) is (model.predict_function is None) is (xla != "auto")


def test_the_file_tells_its_recipe(tmp_path: Path) -> None:
    declared = recipe()
    declared.save(declared.build(), tmp_path / "m.keras")
    again = lstmgraph.load(tmp_path / "m.keras")
    assert again.resolved() == declared.resolved()
    result = CliRunner().invoke(app, ["explain", str(tmp_path / "m.keras")])
    assert result.exit_code == 0
    assert result.stdout.strip() == str(declared.explain()).strip()


def test_a_model_that_keras_saved_needs_its_recipe(tmp_path: Path) -> None:
    declared = recipe(", kernel: standard")
    model = declared.build()
    model.save(tmp_path / "m.keras")
    with pytest.raises(lstmgraph.RecipeError, match="without a recipe"):
        lstmgraph.load_model(tmp_path / "m.keras")
    loaded = lstmgraph.load_model(tmp_path / "m.keras", recipe=declared)
    assert set(kernels(loaded).values()) == {False}


def test_another_model_is_refused(tmp_path: Path) -> None:
    declared = recipe()
    declared.save(declared.build(), tmp_path / "m.keras")
    other = load("""
    inputs: {frames: {shape: [5, 3]}}
    layers: {writer: {type: lstm, input: frames, units: 4}}
    outputs: {y: writer}
    """)
    with pytest.raises(ValueError, match="not the recipe's: it has no layer 'writer'"):
        lstmgraph.load_model(tmp_path / "m.keras", recipe=other)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_half_a_file_is_refused(size: int, tmp_path: Path) -> None:
    declared = recipe()
    whole, half = tmp_path / "m.keras", tmp_path / "half.keras"
    declared.save(declared.build(), whole)
    half.write_bytes(whole.read_bytes()[:size])
    with pytest.raises(lstmgraph.RecipeError, match=r"not a \.keras file, or it is damaged"):
        lstmgraph.load_model(half)
    with pytest.raises(ValueError, match=r"not a \.keras file, or it is damaged"):
        lstmgraph.load_model(half, recipe=declared)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    declared = recipe()
    with pytest.raises(ValueError, match=r"ends in \.keras"):
        declared.save(declared.build(), tmp_path / "m.h5")
    assert not list(tmp_path.iterdir())


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    declared = recipe()
    model = declared.build()
    path = tmp_path / "m.keras"
    declared.save(model, path)
    before = path.read_bytes()
    program = f"""
import os, signal
import lstmgraph, lstmgraph.models.files
lstmgraph.models.files.embed_recipe = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
recipe = lstmgraph.load({str(path)!r})
recipe.save(recipe.build(), {str(path)!r})
"""
    run_program(program, tmp_path, tmp_path, ends=-signal.SIGKILL)
    assert path.read_bytes() == before


def test_the_file_is_an_archive_with_one_more_member(tmp_path: Path) -> None:
    declared = recipe()
    model = declared.build()
    randomise(model)
    declared.save(model, tmp_path / "m.keras")
    model.save(tmp_path / "plain.keras")
    assert members(tmp_path / "m.keras") - members(tmp_path / "plain.keras") == {
        "lstmgraph.recipe.yaml"
    }


def members(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())
