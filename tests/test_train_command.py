"""``lstmgraph train``: what it prints, writes and refuses."""

from __future__ import annotations

import json
import os
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import RECIPES
from data_building import float32, forecaster, store_rows, windows, write_parquet
from data_building import values as data_values
from training_cases import arrays, recipe
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

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
    """The last quarter validates; a folder of the same arrays goes on with the same training."""
    split = ["--set", "data.split.kind=chronological", "--set", "data.split.validation=0.25"]
    where = ["-o", str(tmp_path / "run"), *split]
    first = train(*files, *where, "--epochs", "2", "--format", "json")
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert (found["epochs"], found["resumed_from"], found["stopped_early"]) == (2, 0, False)
    assert found["files"]["model"] == str(tmp_path / "run" / "small.keras")
    inputs, targets = arrays()
    (tmp_path / "arrays").mkdir()
    for name, array in {**inputs, **targets}.items():
        np.save(tmp_path / "arrays" / f"{name}.npy", array)
    second = train(files[0], "--data", str(tmp_path / "arrays"), *where, "--epochs", "3")
    assert second.exit_code == 0, second.output
    first_line, rest = second.stdout.split("\n", 1)
    assert first_line.startswith("epoch 3/3: loss ")
    assert rest.startswith("3 epochs (2 of them before) in ")
    assert "best epoch" in second.stdout
    assert f"wrote {tmp_path / 'run' / 'results.json'}" in second.stdout
    resolved = lstmgraph.load(tmp_path / "run" / "small.resolved.yaml")
    assert resolved.training is not None
    assert resolved.training["epochs"] == 3
    model = lstmgraph.load_model(tmp_path / "run" / "small.keras")
    kept = slice(28, None)
    wanted = model.evaluate(
        {"x": inputs["x"][kept]}, {"y": targets["y"][kept]}, batch_size=8, verbose=0
    )
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["metrics"] == {
        "validation": {"loss": pytest.approx(wanted[0]), "mae": pytest.approx(wanted[1])}
    }
    saved = "saved model, with the weights of epoch 3, on validation data:"
    assert f"{saved} loss {wanted[0]:.4g}, mae {wanted[1]:.4g}\n" in second.stdout
    third = train(files[0], "--data", str(tmp_path / "arrays"), *where, "--epochs", "2")
    assert third.exit_code == 0, third.output
    assert third.stdout.startswith(
        "nothing was trained: this folder has 3 epochs, and 2 were asked for; "
        "more epochs go on, restart begins anew\nbest epoch"
    )
    assert f"{saved} loss {wanted[0]:.4g}, mae {wanted[1]:.4g}\n" in third.stdout


@pytest.mark.slow
def test_windows_of_a_table_are_trained_on_and_tested(tmp_path: Path) -> None:
    """The test windows are cut by plain loops."""
    rows = store_rows(40, 40)
    values = {"data__split": {"validation": 0.2, "test": 0.2}, "training__batch_size": 4}
    recipe_file = tmp_path / "stores.yaml"
    recipe_file.write_text(forecaster(**values).resolved())
    table = str(write_parquet(rows, tmp_path / "rows.parquet"))
    where = ["-o", str(tmp_path / "run"), "--epochs", "1"]
    result = train(str(recipe_file), "--data", table, *where, "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    # 39 days lie between the first row and the last: the last fifth begins after day 31.
    tested = [cut for cut in windows(rows, 4, 2) if cut.ahead[0]["day"] > date(2024, 2, 1)]
    assert len(tested) == 2 * 7
    model = lstmgraph.load_model(tmp_path / "run" / "inline.keras")
    loss = model.evaluate(
        {
            "history": float32([data_values(cut.history, "sales", "price") for cut in tested]),
            "known": float32([data_values(cut.ahead, "promo") for cut in tested]),
            "store": float32([data_values(cut.ahead, "size", "kind")[0] for cut in tested]),
        },
        float32([data_values(cut.ahead, "sales") for cut in tested]),
        verbose=0,
    )
    assert found["metrics"]["test"]["loss"] == pytest.approx(loss, rel=1e-5)
    assert set(found["metrics"]) == {"validation", "test"}


@pytest.mark.slow
def test_the_shipped_classifier_learns(tmp_path: Path) -> None:
    """Its archive has a part to test on; a fifth of the rest validates."""
    result = train(
        str(RECIPES / "speaker-classifier.yaml"),
        *("--data", str(RECIPES / "data" / "japanese_vowels.npz"), "-o", str(tmp_path / "run")),
        *("--epochs", "8", "--format", "json", "--set", "layers.voice.units=32"),
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["metrics"]["test"]["sparse_categorical_accuracy"] > 0.8


def refused(result: Result, code: int, message: str) -> None:
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_what_is_wrong_is_said(files: list[str], tmp_path: Path) -> None:
    recipe_file, _, data = files
    where = ["-o", str(tmp_path / "run")]
    np.savez(tmp_path / "other.npz", z=np.zeros(3))
    refused(train(recipe_file, "--data", str(tmp_path / "no.npz"), *where), 2, "error[D101]")
    other = str(tmp_path / "other.npz")
    refused(train(recipe_file, "--data", other, *where), 1, "there is no array 'x'")
    refused(train(*files, "--test", other, *where), 1, "there is no array 'x'")
    refused(train(recipe_file, "--data", "no_module:load", *where), 1, "error[D105]")
    broken = train(recipe_file, "--data", other, *where, "--format", "json")
    assert {problem["code"] for problem in json.loads(broken.stdout)["problems"]} == {"D201"}
    refused(train(*files, "-o", data), 2, "data.npz is not a folder")
    watched = [
        "--set",
        "training.callbacks={early_stopping: {}}",
        "--set",
        "data.split.validation=0",
    ]
    refused(train(*files, *where, *watched), 1, "error[L764]")
    result = train(*files, *where, *watched, "--format", "json")
    assert json.loads(result.stdout)["diagnostics"][0]["code"] == "L764"
    untrained = str(RECIPES / "placeholder-states.yaml")
    refused(train(untrained, "--data", data, *where), 1, "no `training:` section")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "small.keras").touch()
    refused(train(*files, *where), 1, "--restart")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_refused(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(train(*files, "-o", str(tmp_path / "locked" / "run")), 1, "Permission denied")
