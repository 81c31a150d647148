"""Weights files from elsewhere: whatever HDF5 can do that Keras does not is refused, everywhere."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import load, weights_by_layer, with_header
from hostile_weights import (
    CHANGES,
    OTHER_LAYOUTS,
    SECRET,
    changed,
    external_link,
    external_link_to_a_layer,
    external_storage,
    hard_link_to_a_parent,
    huge_and_empty,
    secret_files,
    soft_link,
    variable_strings,
    virtual,
)
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.models.weights_file import WeightsFileError, opened_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hostile_weights import Change

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXT = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader: {type: lstm, input: x, units: 2}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, its model as ``.keras`` and as ``.weights.h5``."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "r.yaml").write_text(with_header(TEXT), "utf-8")
    recipe = load(TEXT)
    model = recipe.build()
    recipe.save(model, folder / "m.keras")
    model.save_weights(folder / "m.weights.h5")
    return folder


def command(*arguments: object) -> str:
    """What a command says that refuses its arguments, without a traceback."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, SystemExit), result.output
    assert result.exit_code == 2, result.output
    return result.output


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is looked at
        call()
    return str(caught.value)


COMMANDS: dict[str, Callable[[Path, Path], str]] = {
    "transfer": lambda file, out: command(
        "transfer", file, out.parent / "r.yaml", "-o", out / "o.keras"
    ),
    "build": lambda file, out: command(
        "build", out.parent / "r.yaml", "--weights", file, "-o", out
    ),
    "export": lambda file, out: command(
        "export", out.parent / "r.yaml", "--weights", file, "--format", "keras", "-o", out
    ),
    "lstmgraph.transfer": lambda file, out: refused(
        partial(lstmgraph.transfer, file, lstmgraph.load(out.parent / "r.yaml"))
    ),
}
OF_MODELS: dict[str, Callable[[Path, Path], str]] = {
    "load_model": lambda file, _: refused(partial(lstmgraph.load_model, file)),
    "Stepper": lambda file, _: refused(partial(lstmgraph.Stepper, file)),
    "export itself": lambda file, out: command("export", file, "--format", "keras", "-o", out),
}
CASES = [
    *((name, file) for name in COMMANDS for file in ("m.keras", "m.weights.h5")),
    *((name, "m.keras") for name in OF_MODELS),
]


LEAKS = (external_storage, virtual, external_link, external_link_to_a_layer, soft_link)
"""What took another file's numbers, or another place's, into the model; and of the rest a few."""
FEW = (*LEAKS, hard_link_to_a_parent, huge_and_empty, variable_strings)


@pytest.mark.parametrize(("name", "file"), CASES)
@pytest.mark.parametrize("change", FEW, ids=lambda change: change.__name__)
def test_nothing_comes_out_of_another_file(
    change: Change, name: str, file: str, files: Path, tmp_path: Path
) -> None:
    secret, out = secret_files(tmp_path), tmp_path / "out"
    for path in files.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed(tmp_path / file, change, secret)
    said = (COMMANDS | OF_MODELS)[name](tmp_path / file, out)
    assert file in said
    assert not [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.parametrize("file", ["m.keras", "m.weights.h5"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_fault_is_refused_where_files_are_opened(
    change: Change, file: str, files: Path, tmp_path: Path
) -> None:
    path = tmp_path / file
    path.write_bytes((files / file).read_bytes())
    changed(path, change, secret_files(tmp_path))
    with pytest.raises(WeightsFileError, match=file), opened_weights(path):
        pass


@pytest.mark.parametrize("change", OTHER_LAYOUTS, ids=lambda change: change.__name__)
def test_other_layouts_are_no_weights_of_the_layer(
    change: Change, files: Path, tmp_path: Path
) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes((files / "m.keras").read_bytes())
    changed(path, change, path)
    try:
        found = lstmgraph.transfer(path, load(TEXT))
    except ValueError as error:
        assert "m.keras holds no layer weights" in str(error)  # noqa: PT017 - one of two ends
    else:
        assert found.loaded == ("y",)
    assert "m.keras: the model is not the recipe's" in refused(partial(lstmgraph.load_model, path))


def test_no_number_of_a_layer_that_is_not_asked_for_is_read(files: Path, tmp_path: Path) -> None:
    """The rest of a file may be of any size: it lies in the file whole, or it is refused."""
    path = tmp_path / "m.weights.h5"
    path.write_bytes((files / "m.weights.h5").read_bytes())

    def more(file, secret) -> None:
        file["optimizer/vars/0"] = SECRET

    changed(path, more, path)
    model = lstmgraph.transfer(path, load(TEXT)).model
    for arrays in weights_by_layer(model).values():
        assert not any(np.isin(array, SECRET).any() for array in arrays)


@pytest.mark.parametrize("name", COMMANDS)
def test_pipes_and_folders_are_refused(name: str, files: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes((files / "r.yaml").read_bytes())
    os.mkfifo(tmp_path / "pipe.weights.h5")
    (tmp_path / "folder.keras").mkdir()
    for file in ("pipe.weights.h5", "folder.keras"):
        assert file in COMMANDS[name](tmp_path / file, tmp_path / "out")
