"""``lstmgraph train``: what it prints, writes and refuses."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import RECIPES
from training_cases import arrays, recipe
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    inputs, targets = arrays()
    np.savez(tmp_path / "data.npz", **inputs, **targets)
    (tmp_path / "small.yaml").write_text(recipe().resolved())
    return [str(tmp_path / "small.yaml"), "--data", str(tmp_path / "data.npz")]


def train(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["train", *arguments])


def test_it_trains_goes_on_and_tells(files: list[str], tmp_path: Path) -> None:
    where = ["-o", str(tmp_path / "run"), "--validation-split", "0.25"]
    first = train(*files, *where, "--epochs", "2", "--format", "json")
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert (found["epochs"], found["resumed_from"], found["stopped_early"]) == (2, 0, False)
    assert found["files"]["model"] == str(tmp_path / "run" / "small.keras")
    second = train(*files, *where, "--epochs", "3")
    assert second.exit_code == 0, second.output
    assert second.stdout.startswith("3 epochs (2 of them before) in ")
    assert "best epoch" in second.stdout
    assert f"wrote {tmp_path / 'run' / 'history.csv'}" in second.stdout
    resolved = lstmgraph.load(tmp_path / "run" / "small.resolved.yaml")
    assert resolved.training is not None
    assert resolved.training["epochs"] == 3
    # The split is Keras's: the last rows.
    inputs, targets = arrays()
    model = lstmgraph.load_model(tmp_path / "run" / "small.keras")
    kept = slice(int(37 * 0.75), None)
    loss = model.evaluate(
        {"x": inputs["x"][kept]}, {"y": targets["y"][kept]}, batch_size=8, verbose=0
    )
    history = json.loads(train(*files, *where, "--format", "json").stdout)["history"]
    assert history["val_loss"][2] == pytest.approx(loss[0], rel=1e-6)


def test_the_shipped_classifier_learns(tmp_path: Path) -> None:
    with np.load(RECIPES / "data" / "japanese_vowels.npz") as arrays_of_both:
        for part in ("train", "test"):
            names = ("frames", "lengths", "speaker")
            np.savez(
                tmp_path / f"{part}.npz",
                **{name: arrays_of_both[f"{part}_{name}"] for name in names},
            )
    result = train(
        str(RECIPES / "speaker-classifier.yaml"),
        *("--data", str(tmp_path / "train.npz"), "--validation", str(tmp_path / "test.npz")),
        *("-o", str(tmp_path / "run"), "--epochs", "8", "--format", "json"),
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["history"]["val_sparse_categorical_accuracy"][-1] > 0.8


def refused(result: Result, code: int, message: str) -> None:
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_what_is_wrong_is_said(files: list[str], tmp_path: Path) -> None:
    recipe_file, _, data = files
    where = ["-o", str(tmp_path / "run")]
    text = tmp_path / "text.npz"
    text.write_text("no arrays")
    np.savez(tmp_path / "other.npz", z=np.zeros(3))
    refused(train(recipe_file, "--data", str(tmp_path / "no.npz"), *where), 1, "No such file")
    refused(train(recipe_file, "--data", str(text), *where), 1, "is no .npz file of numbers")
    other = str(tmp_path / "other.npz")
    refused(train(recipe_file, "--data", other, *where), 1, "has no 'x'; it has z")
    refused(train(*files, "-o", data), 1, "File exists")
    both = ["--validation", data, "--validation-split", "0.5"]
    refused(train(*files, *where, *both), 2, "--validation or --validation-split")
    watched = "training.callbacks={early_stopping: {}}"
    refused(train(*files, *where, "--set", watched), 1, "error[L764]")
    result = train(*files, *where, "--set", watched, "--format", "json")
    assert json.loads(result.stdout)["diagnostics"][0]["code"] == "L764"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "small.keras").touch()
    refused(train(*files, *where), 1, "--restart")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_refused(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(train(*files, "-o", str(tmp_path / "locked" / "run")), 1, "Permission denied")
