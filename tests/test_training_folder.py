"""A training's folder from elsewhere: no link is followed out of it, no pipe is waited for."""

from __future__ import annotations

import shutil
import zipfile
from typing import TYPE_CHECKING

import pytest
from special_files import SPECIAL_FILES, at_most, pipe
from training_cases import arrays, recipe, train_small

from lstmgraph.language.text.embedded import MEMBER
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.training import FolderError, epochs_done
from lstmgraph.training.files import NAMES, TrainingFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FILES = [".lock", *NAMES, "tensorboard/train", "tensorboard/train/events"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ended")
    train_small("unshuffled", str(folder), epochs=1)
    return folder


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """A pipe that is opened waits for ever."""
    with at_most(120):
        yield


def place(folder: Path, name: str) -> Path:
    files = TrainingFiles(folder, "small")
    path: Path = getattr(files, name) if name in NAMES else folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    return path


def link(path: Path, outside: Path) -> None:
    outside.write_text("precious")
    path.symlink_to(outside)


def dangling(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def folder_link(path: Path, outside: Path) -> None:
    outside.mkdir()
    (outside / "mine").write_text("precious")
    path.symlink_to(outside)


KINDS = (link, dangling, folder_link, *SPECIAL_FILES)


@pytest.mark.parametrize(
    ("kind", "restart"), [*((kind, False) for kind in KINDS), (link, True), (pipe, True)]
)
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_of_the_folder_is_refused(
    name: str, kind: Callable[..., None], restart: bool, ended: Path, tmp_path: Path
) -> None:
    folder, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(ended, folder)
    path = place(folder, name)
    kind(*(path, outside) if kind not in SPECIAL_FILES else (path,))
    before = sorted(folder.iterdir())
    with pytest.raises(FolderError) as error:
        train_small("unshuffled", str(folder), epochs=2, restart=restart)
    assert str(path) in str(error.value)
    assert sorted(folder.iterdir()) == before
    if kind is link:
        assert outside.read_text() == "precious"
    elif kind is folder_link:
        assert [child.read_text() for child in outside.iterdir()] == ["precious"]
    else:
        assert not outside.exists()
    assert epochs_done(folder) == (0 if name == "checkpoint" else 1)


@pytest.mark.slow
def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    train_small("unshuffled", str(tmp_path / "run"), epochs=1)
    assert epochs_done(tmp_path / "elsewhere") == 1


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.csv").mkdir()
    with pytest.raises(FolderError, match=r"history\.csv is a folder"):
        train_small("unshuffled", str(tmp_path), epochs=1)
    (tmp_path / "history.csv").rmdir()
    (tmp_path / "tensorboard").touch()
    with pytest.raises(FolderError, match="tensorboard is a file, not a folder"):
        train_small("unshuffled", str(tmp_path), epochs=1)


@pytest.mark.slow
def test_logs_go_on_in_their_own_folder(tmp_path: Path) -> None:
    """What TensorBoard wrote before is no obstacle."""
    for epochs in (1, 2):
        recipe_with_logs = {"training.callbacks": {"tensorboard": {}}}
        found = train_small("unshuffled", str(tmp_path), epochs=epochs, **recipe_with_logs)
    assert found.resumed_from == 1
    assert list((tmp_path / "tensorboard" / "train").iterdir())


def test_the_training_of_another_recipe_is_kept(ended: Path, tmp_path: Path) -> None:
    """The message names both; ``--restart`` begins anew."""
    folder = tmp_path / "run"
    shutil.copytree(ended, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    other, data = recipe("unshuffled", name="other"), arrays()
    with pytest.raises(FolderError) as error:
        other.train(data, folder=folder, epochs=1)
    assert str(error.value) == (
        f"{folder} holds a training of another recipe, 'small', not 'other'\n"
        "choose another folder, or begin anew with --restart"
    )
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before
    other.train(data, folder=folder, epochs=1, restart=True)
    assert not list(folder.glob("small*"))
    assert model_path(folder) == folder / "other.keras"


@pytest.mark.parametrize("name", ["../mine", "best", "", "small"])
def test_a_checkpoint_from_elsewhere_removes_nothing_else(
    name: str, ended: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(ended, folder)
    (tmp_path / "mine.keras").write_text("precious")
    (folder / "own.keras").write_text("precious")
    text = f"recipe: 1\nname: {name}\n"
    with zipfile.ZipFile(folder / "checkpoint.keras", "w") as archive:
        archive.writestr(MEMBER, text)
    TrainingFiles(folder, "small").remove()
    assert (tmp_path / "mine.keras").exists()
    assert (folder / "own.keras").exists()
    assert not (folder / "small.keras").exists()
