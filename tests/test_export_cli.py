"""``lstmgraph export``: what it prints, what it writes, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from building import build, outputs_of, randomise, with_header
from test_cli import invoke, program

import lstmgraph
from lstmgraph.cli import quiet

ROOT = Path(__file__).parent.parent

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: lstm, input: x, units: 2, dropout: 0.1}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
runtime: {seed: 7}
"""


@pytest.fixture
def recipe(tmp_path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(with_header(SMALL, "small"))
    return str(path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
def test_nothing_but_the_result_is_printed(recipe: str, tmp_path) -> None:
    """TensorFlow, Keras and LiteRT all print while they write; in a process of its own it shows."""
    out = tmp_path / "out"
    formats = ("--format", "saved_model", "--format", "litert")
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    result = program("export", recipe, *formats, "-o", str(out), env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        f"wrote {out / 'small.saved_model'}",
        f"wrote {out / 'small.tflite'}",
        "weights: fresh ones; --weights FILE gives trained ones",
    ]
    assert sum("output y: differs by at most" in line for line in lines) == 2
    assert names(out) == ["small.saved_model", "small.tflite"]


@pytest.mark.slow
def test_the_result_as_json(recipe: str, tmp_path) -> None:
    result = invoke(
        "export", recipe, "--format", "saved_model", "-o", str(tmp_path), "--print", "json"
    )
    printed = json.loads(result.stdout)
    assert printed["ok"] is True
    assert printed["weights"] is None
    (export,) = printed["exports"]
    assert export["path"] == str(tmp_path / "small.saved_model")
    assert export["inputs"] == [{"name": "x", "shape": ["batch", "time", 3], "dtype": "float32"}]
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    keys = {*printed, *export, *export["inputs"][0], *export["outputs"][0]}
    assert not {key for key in keys if f"`{key}`" not in page}


def test_a_recipe_that_a_format_cannot_hold(recipe: str, tmp_path) -> None:
    arguments = ("--set", "runtime.dtype_policy=float64", "-o", str(tmp_path / "out"))
    result = invoke("export", recipe, "--format", "saved_model", "--format", "litert", *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert (
        "--set runtime.dtype_policy:1:22: error[L801]: LiteRT computes in float32" in result.stderr
    )
    again = invoke("export", recipe, "--format", "litert", *arguments, "--print", "json")
    assert again.exit_code == 1
    assert [d["code"] for d in json.loads(again.stdout)["diagnostics"]] == ["L801"]
    assert not (tmp_path / "out").exists()


REFUSED = """
import sys
from lstmgraph.cli import app
try:
    app(sys.argv[1:])
finally:
    assert "tensorflow" not in sys.modules and "numpy" not in sys.modules
"""


def test_refusals_need_no_tensorflow(recipe: str) -> None:
    command = [sys.executable, "-c", REFUSED, "export", recipe, "--format", "litert"]
    command += ["--set", "runtime.dtype_policy=float64"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, "error[L801]" in result.stderr) == (1, True), result.stderr


def test_files_stay_without_force(recipe: str, tmp_path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    there = out / "small.keras"
    there.write_text("mine")
    arguments = ("export", recipe, "--format", "keras", "-o", str(out))
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert f"{there} would be overwritten; add --force" in refused.stderr
    assert there.read_text() == "mine"
    assert invoke(*arguments, "--force").exit_code == 0
    assert there.read_bytes()[:2] == b"PK"
    assert names(out) == ["small.keras"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--format", "keras", "--batch-size", "2"), "the batch size option is for format litert"),
        (("--format", "onnx", "--kernel", "auto"), "the kernel option is for format saved_model"),
        (("--format", "litert", "--batch-size", "0"), "--batch-size"),
        (("--format", "keras", "--tolerance", "2"), "at least 0 and less than 1, not 2.0"),
        (("--format", "tf"), "--format"),
        ((), "--to"),
        (("--format", "keras", "--weights", "no.weights.h5"), "there is no file no.weights.h5"),
        (("--format", "keras", "-o", "README.md/x"), "README.md is not a folder"),
    ],
)
def test_a_wrong_command_line(recipe: str, options, says: str, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    result = invoke("export", recipe, *options)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_batch_size_that_is_not_the_recipe_s(recipe: str) -> None:
    options = ("--set", "runtime.batch_size=4", "--batch-size", "2")
    result = invoke("export", recipe, "--format", "litert", *options)
    assert result.exit_code == 2
    assert "the recipe's batch_size is 4, not 2" in result.stderr


def test_a_missing_package(recipe: str, monkeypatch) -> None:
    monkeypatch.setattr("lstmgraph.export.formats.find_spec", lambda _: None)
    result = invoke("export", recipe, "--format", "litert")
    assert result.exit_code == 2
    assert "pip install 'lstmgraph[litert]'" in result.stderr


# --- weights ---


@pytest.fixture
def trained(tmp_path):
    """A model with weights of its own, and its file."""
    model = build(SMALL, "small")
    randomise(model)
    path = tmp_path / "trained.keras"
    model.save(path)
    return model, path


def outputs_of_export(folder: Path, data):
    import tensorflow as tf  # noqa: PLC0415 - in this part only

    run = tf.saved_model.load(str(folder / "small.saved_model")).signatures["serving_default"]
    return run(**data)["y"].numpy()


def some_data():
    return {"x": np.random.default_rng(2).normal(size=(3, 5, 3)).astype("float32")}


@pytest.mark.slow
def test_weights_of_a_file_are_exported(recipe: str, trained, tmp_path) -> None:
    model, path = trained
    options = ("--format", "saved_model", "--weights", str(path), "-o", str(tmp_path))
    result = invoke("export", recipe, *options)
    assert result.exit_code == 0, result.stderr
    assert f"weights: {path}" in result.stdout
    wanted = outputs_of(model, some_data())["y"]
    assert outputs_of_export(tmp_path, some_data()) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
def test_a_file_that_holds_its_recipe_is_exported_with_its_weights(
    recipe: str, trained, tmp_path
) -> None:
    model, _ = trained
    path = tmp_path / "own.keras"
    lstmgraph.load(Path(recipe)).save(model, path)
    result = invoke("export", str(path), "--format", "saved_model", "-o", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    assert f"weights: {path}" in result.stdout
    wanted = outputs_of(model, some_data())["y"]
    assert outputs_of_export(tmp_path, some_data()) == pytest.approx(wanted, rel=1e-4)


def test_weights_of_another_recipe_are_refused(recipe: str, trained, tmp_path) -> None:
    options = (
        "--set",
        "layers.y.units=3",
        "--weights",
        str(trained[1]),
        "-o",
        str(tmp_path / "out"),
    )
    result = invoke("export", recipe, "--format", "keras", *options)
    assert result.exit_code == 1
    assert "error[L804]: the weights of 'y' have the shapes (2, 3), (3,)" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_without_weights_is_a_wrong_command_line(recipe: str, tmp_path) -> None:
    path = tmp_path / "x.weights.h5"
    path.write_text("none")
    result = invoke("export", recipe, "--format", "keras", "--weights", str(path))
    assert result.exit_code == 2
    assert f"cannot read {path}: it is not a weights file" in result.stderr


# --- what is held back ---


def test_what_is_printed_is_held_back(capfd) -> None:
    with quiet.held_back():
        os.write(1, b"progress")
        os.write(2, b"log")
    os.write(1, b"after")
    assert capfd.readouterr() == ("after", "")


def test_an_unforeseen_error_shows_what_was_held_back(capfd) -> None:
    with pytest.raises(OSError, match="Bad file") as caught, quiet.held_back():
        os.close(os.write(2, b"the log") + 10_000)
    assert caught.value.__notes__ == ["the log"]
    assert capfd.readouterr() == ("", "")
