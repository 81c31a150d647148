"""`lstmgraph data`: what would be trained on, or everything that is wrong with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from data_building import store_rows, write_csv
from test_cli import invoke, program

if TYPE_CHECKING:
    from typer.testing import Result

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "recipes"
SPEAKER = str(RECIPES / "speaker-classifier.yaml")
NEXT_FRAME = str(RECIPES / "next-frame.yaml")
VOWELS = str(RECIPES / "data" / "japanese_vowels.npz")
FRAMES = str(RECIPES / "data" / "japanese_vowels.parquet")

USER_CODE = """
import numpy as np

def arrays():
    return {"frames": np.ones((10, 4, 12)), "lengths": np.full(10, 4), "speaker": np.arange(10) % 9}

def pair():
    found = arrays()
    speaker = found.pop("speaker")
    return found, speaker

def fails():
    raise KeyError("no such measurement")

def number():
    return 7
"""


def data(*arguments: str) -> Result:
    return invoke("data", *arguments)


def test_it_shows_the_parts_and_tensors() -> None:
    result = data(NEXT_FRAME, "--data", FRAMES)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["train", "4,772", "384", "4", "26"] in lines
    assert ["validation", "1,658", "128", "4", "29"] in lines
    assert ["next_frame", "target", "(batch,", "12)", "float32"] in lines


def test_json_says_the_same() -> None:
    found = json.loads(data(NEXT_FRAME, "--data", FRAMES, "--format", "json").stdout)
    assert (found["ok"], found["recipe"], found["warnings"]) == (True, "next-frame", [])
    assert found["parts"][1] == {
        "name": "validation", "examples": 1658, "series": 128, "first": "4", "last": "29",
    }  # fmt: skip
    assert found["tensors"][0] == {
        "name": "frames", "role": "input", "shape": [12, 12], "dtype": "float32",
    }  # fmt: skip


def test_the_recipe_can_be_changed_on_the_way() -> None:
    result = data(
        NEXT_FRAME, "--data", FRAMES, "--set", "data.window.history=5", "--format", "json"
    )
    assert json.loads(result.stdout)["tensors"][0]["shape"] == [5, 12]


def test_validation_and_test_data_of_their_own() -> None:
    result = data(SPEAKER, "--data", VOWELS, "--validation", VOWELS, "--test", VOWELS)
    assert result.exit_code == 1  # the archive holds no arrays to validate on
    assert "there are no arrays to validate on" in result.stderr
    result = data(NEXT_FRAME, "--data", FRAMES, "--validation", FRAMES, "--format", "json")
    sizes = {part["name"]: part["examples"] for part in json.loads(result.stdout)["parts"]}
    assert sizes == {"train": 6430, "validation": 8041, "test": 1611}


def test_all_that_is_wrong_is_shown(tmp_path: Path) -> None:
    with np.load(VOWELS) as archive:
        arrays = dict(archive)
    arrays["train_frames"][3, 1, 0] = np.nan
    arrays["test_speaker"][7] = 9
    np.savez(tmp_path / "wrong.npz", **arrays)
    result = data(SPEAKER, "--data", str(tmp_path / "wrong.npz"))
    assert result.exit_code == 1
    assert result.stdout == ""
    heads = [line for line in result.stderr.splitlines() if "error[" in line]
    assert ["error[D301]" in heads[0], "error[D302]" in heads[1]] == [True, True]
    result = data(SPEAKER, "--data", str(tmp_path / "wrong.npz"), "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [problem["code"] for problem in found["problems"]] == ["D301", "D302"]
    assert list(found["problems"][0]) == ["code", "severity", "message", "hint", "where"]


def test_warnings_stop_nothing(tmp_path: Path) -> None:
    from data_building import FORECAST, recipe  # noqa: PLC0415

    path = tmp_path / "stores.yaml"
    path.write_text(recipe(FORECAST).resolved(), "utf-8")
    rows = write_csv(store_rows(30, 3), tmp_path / "stores.csv")
    result = data(str(path), "--data", str(rows))
    assert result.exit_code == 0
    assert "warning[D403]" in result.stderr
    found = json.loads(data(str(path), "--data", str(rows), "--format", "json").stdout)
    assert [warning["code"] for warning in found["warnings"]] == ["D403"]


def test_a_file_that_is_not_there_is_a_wrong_command_line() -> None:
    result = data(SPEAKER, "--data", "nowhere.npz")
    assert result.exit_code == 2
    assert "error[D101]" in result.stderr
    assert data(SPEAKER).exit_code == 2
    assert data("nowhere.yaml", "--data", VOWELS).exit_code == 2


@pytest.fixture
def user_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module beside which the command runs."""
    (tmp_path / "measurements.py").write_text(USER_CODE, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("source", ["measurements:arrays", "measurements.py:pair"])
def test_a_function_of_the_users_gives_data(user_code: Path, source: str) -> None:
    run = program("data", SPEAKER, "--data", source, "--format", "json", cwd=user_code)
    assert run.returncode == 0, run.stderr
    assert [part["examples"] for part in json.loads(run.stdout)["parts"]] == [8, 2]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("measurements.py:fails", "failed: KeyError: 'no such measurement'"),
        (
            "measurements.py:nothing",
            "failed: AttributeError: module 'measurements' has no attribute",
        ),
        ("measurements.py:number", "int cannot be read as data"),
        ("nowhere:arrays", "failed: ModuleNotFoundError: No module named 'nowhere'"),
        ("nowhere.py:arrays", "failed: FileNotFoundError: there is no file nowhere.py"),
    ],
)
def test_a_function_that_fails_is_reported_in_its_own_words(
    user_code: Path, source: str, wanted: str
) -> None:
    result = data(SPEAKER, "--data", source)
    assert result.exit_code == 1
    assert f"{source}: error[D10" in result.stderr
    assert wanted in result.stderr
    assert "Traceback" not in result.stderr
    if source.endswith("fails"):
        assert "measurements.py, line 13" in result.stderr
        assert "error[D105]" in result.stderr


def test_a_saved_dataset(tmp_path: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415 - only here

    arrays = {"frames": np.ones((10, 4, 12)), "lengths": np.full(10, 4)}, np.arange(10) % 9
    tf.data.Dataset.from_tensor_slices(arrays).save(str(tmp_path / "saved"))
    result = data(SPEAKER, "--data", str(tmp_path / "saved"), "--format", "json")
    assert [part["examples"] for part in json.loads(result.stdout)["parts"]] == [8, 2]


def test_a_recipe_cannot_name_a_function(tmp_path: Path) -> None:
    """It is data: only the person at the command line names what runs."""
    path = tmp_path / "sly.yaml"
    text = (RECIPES / "next-frame.yaml").read_text("utf-8")
    path.write_text(
        text.replace("  series: utterance", "  source: os:getcwd\n  series: utterance"), "utf-8"
    )
    result = data(str(path), "--data", FRAMES)
    assert result.exit_code == 1
    assert "L203" in result.stderr


@pytest.mark.slow
def test_tensorflow_is_not_imported() -> None:
    script = (
        "import sys, contextlib, io\n"
        "from lstmgraph.cli import app\n"
        "for recipe, source in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        code = app(['data', recipe, '--data', source], standalone_mode=False)\n"
        "    assert not code\n"
        "wrong = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert not wrong, wrong\n"
    )
    command = [sys.executable, "-W", "error", "-c", script, SPEAKER, VOWELS, NEXT_FRAME, FRAMES]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
