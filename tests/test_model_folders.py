"""The folder of a training stands for the model in it, in every command that reads a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import load
from typer.testing import CliRunner, Result

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = """
inputs: {x: {shape: [time, 3]}}
layers: {reader: {type: lstm, input: x, units: 2}, y: {type: dense, input: reader, units: 1}}
outputs: {y: y}
training: {loss: mse}
"""
COMMANDS = {
    "validate": "validate MODEL",
    "explain": "explain MODEL",
    "graph": "graph MODEL",
    "space": "space MODEL",
    "diff": "diff MODEL MODEL",
    "code": "code MODEL",
    "audit": "audit MODEL",
    "build": "build MODEL -o OUT",
    "export": "export MODEL --to keras -o OUT",
    "import": "import MODEL -o OUT/small.yaml",
    "transfer": "transfer MODEL MODEL -o OUT/small.keras",
    "weights": "build recipe.yaml --weights MODEL -o OUT",
    "predict": "predict MODEL --data x.npz -o OUT/y.npz",
    "evaluate": "evaluate MODEL --data x.npz",
}
SILENT = {"validate", "diff"}
"""They print the file, or cannot differ between the two."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training leaves behind: the recipe beside the model that it trained."""
    found = tmp_path_factory.mktemp("runs")
    recipe = load(RECIPE, "small")
    recipe.save(recipe.build(), found / "best.keras")
    (found / "small.resolved.yaml").write_text(recipe.resolved())
    (found / "checkpoint.keras").write_bytes(b"an unfinished epoch")
    np.savez(found / "x.npz", x=np.ones((2, 4, 3), "float32"), y=np.ones((2, 1), "float32"))
    return found


def run(command: str, model: Path, folder: Path, out: Path) -> Result:
    words = {"MODEL": str(model), "recipe.yaml": str(folder / "small.resolved.yaml")}
    words |= {"x.npz": str(folder / "x.npz")}
    given = [words.get(word, word.replace("OUT", str(out))) for word in command.split()]
    return CliRunner().invoke(app, given)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_is_the_model_in_it(name: str, folder: Path, tmp_path: Path) -> None:
    best = folder / "best.keras"
    by_folder = run(COMMANDS[name], folder, folder, tmp_path / "out")
    by_file = run(COMMANDS[name], best, folder, tmp_path / "again")
    assert by_folder.exit_code == by_file.exit_code, by_folder.output
    said = by_folder.stdout.replace(str(tmp_path / "out"), "OUT")
    assert said == by_file.stdout.replace(str(tmp_path / "again"), "OUT")
    assert (f"reading {best}" in by_folder.stderr) is (name not in SILENT)
    assert "reading" not in by_file.stderr
    wanted = lstmgraph.load_model(best).get_weights()
    for written in (tmp_path / "out").glob("*.keras"):
        for own, other in zip(lstmgraph.load_model(written).get_weights(), wanted, strict=True):
            np.testing.assert_array_equal(own, other)


READERS: dict[str, Callable[[Path], object]] = {
    "load": lambda path: lstmgraph.load(path).build().get_weights(),
    "load_model": lambda path: lstmgraph.load_model(path).get_weights(),
    "audit": lambda path: [f.code for f in lstmgraph.audit(path).findings],
}


@pytest.mark.parametrize("name", READERS)
def test_from_python(name: str, folder: Path) -> None:
    own, other = READERS[name](folder), READERS[name](folder / "best.keras")
    assert str(own) == str(other)


def test_a_folder_of_several_models_names_them(folder: Path, tmp_path: Path) -> None:
    """The help never names recipes beside a model: a model made from one has other weights."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.keras").write_bytes((folder / "best.keras").read_bytes())
    (tmp_path / "a.resolved.yaml").write_text("recipe: 1\n")
    for command in ("explain", "export", "audit"):
        found = run(COMMANDS[command], tmp_path, folder, tmp_path / "out")
        assert found.exit_code
        assert f"name one: {tmp_path / 'a.keras'}, {tmp_path / 'b.keras'}" in found.stderr
        assert ".yaml" not in found.stderr


def test_the_folder_of_an_unfinished_training(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.keras").write_bytes(b"")
    (tmp_path / "small.resolved.yaml").write_text("recipe: 1\n")
    found = run("export MODEL --to keras -o OUT", tmp_path, folder, tmp_path / "out")
    assert found.exit_code
    assert "holds no finished model" in found.stderr
