"""A checkpoint from elsewhere, edited or damaged, ends in one message that names the file."""

from __future__ import annotations

import io
import os
import random
import shutil
import time
from typing import TYPE_CHECKING

import h5py
import pytest
from checkpoint_edits import edited, members_of, written
from training_cases import train_small

from lstmgraph.training import FolderError, epochs_done
from lstmgraph.training.state import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

READ = int(os.environ.get("LSTMGRAPH_EXAMPLES", "300"))
RESUMED = max(6, READ // 20 if READ > 300 else 0)
SECONDS = 5.0
"""For reading one; the machine may be busy."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of three epochs with all callbacks that a checkpoint keeps."""
    folder = tmp_path_factory.mktemp("begun")
    train_small("stopping", str(folder), epochs=3)
    return folder


def tried(function: Callable[[], object]) -> str:
    """What a ``FolderError`` says; empty where there is none. Others leave the test."""
    try:
        function()
    except FolderError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_edited_checkpoints_are_read_or_refused(begun: Path, tmp_path: Path) -> None:
    path, rng = tmp_path / "checkpoint.keras", random.Random(12)
    original, refused = members_of(begun / "checkpoint.keras"), 0
    for _ in range(READ):
        what, content = edited(original, rng)
        written(path, content)
        began = time.perf_counter()
        refusal = tried(lambda: read_checkpoint(path))
        assert time.perf_counter() - began < SECONDS, what
        assert epochs_done(tmp_path) or refusal, what
        assert str(path) in refusal or not refusal, what
        assert len(refusal) < 1000, what
        refused += bool(refusal)
    assert refused > READ // 3


@pytest.mark.slow
def test_a_training_goes_on_from_an_edited_checkpoint_or_says_why_not(
    begun: Path, tmp_path: Path
) -> None:
    """Those that can be read; of the others the message is the same."""
    folder, rng = tmp_path / "run", random.Random(13)
    original, count = members_of(begun / "checkpoint.keras"), 0
    while count < RESUMED:
        what, content = edited(original, rng)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(begun, folder)
        written(folder / "checkpoint.keras", content)
        if tried(lambda: read_checkpoint(folder / "checkpoint.keras")):
            continue
        count += 1
        refusal = tried(lambda: train_small("stopping", str(folder), epochs=4))
        assert str(folder) in refusal or not refusal, what


@pytest.mark.slow
def test_weights_that_lie_elsewhere_or_are_packed_are_refused(begun: Path, tmp_path: Path) -> None:
    """HDF5 can declare gigabytes in a few bytes, and take numbers out of other files."""
    members = members_of(begun / "checkpoint.keras")
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        variables = file["layers/dense/vars"]
        del variables["0"]
        variables.create_dataset("0", (1 << 16, 1 << 16), "float32", compression="gzip")
    shutil.copytree(begun, tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.keras"
    written(path, {**members, "model.weights.h5": content.getvalue()})
    refusal = tried(lambda: train_small("stopping", str(tmp_path / "run"), epochs=4))
    assert "is stored in chunks" in refusal
    assert str(path) in refusal
