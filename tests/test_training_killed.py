"""A training that is killed, at any moment, ends with the numbers of one that was not."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from killed import CONTEXT, KILLED, run, train_to_the_end, wait_for
from training_cases import CASES, arrays, numbers, recipe, train_small

import lstmgraph
from lstmgraph.training import FolderError, epochs_done

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("case", CASES)
def test_killed_at_random_moments_it_ends_with_the_same_numbers(case: str, tmp_path: Path) -> None:
    """Two SIGKILLs somewhere between the first checkpoint and the end, then to the end."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run(case, whole) == 0
    wanted = numbers(whole)
    rng = random.Random(case)
    kills = 0
    for _ in range(2):
        child = CONTEXT.Process(target=train_to_the_end, args=(case, str(killed)))
        child.start()
        wait_for(killed / "checkpoint.keras")
        child.join(rng.uniform(0.0, 0.6))
        if child.is_alive():
            os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        kills += child.exitcode == KILLED
    assert kills
    assert run(case, killed) == 0
    assert numbers(killed) == wanted
    assert not list(killed.glob(".*.tmp.*"))


def test_killed_while_files_are_written_it_ends_with_the_same_numbers(tmp_path: Path) -> None:
    """At random ones of the calls that give a file its content and its name."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run("stopping", whole) == 0
    wanted = numbers(whole)
    rng = random.Random(7)
    for _ in range(3):
        code = run("stopping", killed, deadly_call=rng.randrange(5, 18))
        assert code in {KILLED, 0}
        if (killed / "checkpoint.keras").exists():
            keras.models.load_model(killed / "checkpoint.keras")
    assert run("stopping", killed) == 0
    assert numbers(killed) == wanted


def test_a_full_disk_leaves_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train_small("unshuffled", str(tmp_path / "whole"))
    folder = tmp_path / "full"
    calls = 0
    fsync = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            train_small("unshuffled", str(folder))
    assert not list(folder.glob(".*.tmp.*"))
    assert 0 < epochs_done(folder) < 8
    lstmgraph.load_model(folder / "checkpoint.keras")
    again = train_small("unshuffled", str(folder))
    assert again.resumed_from > 0
    assert again.history == whole.history


def test_dropout_goes_on_with_its_random_numbers(tmp_path: Path) -> None:
    """Keras saves no random state: without it the second half would drop what the first did."""
    whole = train_small("unshuffled", str(tmp_path / "whole"), epochs=4)
    train_small("unshuffled", str(tmp_path / "parts"), epochs=2)
    parts = train_small("unshuffled", str(tmp_path / "parts"), epochs=4)
    assert parts.resumed_from == 2
    assert parts.history == whole.history
    for found, wanted in zip(parts.model.variables, whole.model.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    seeds = [v for v in whole.model.variables if "seed" in v.path]
    assert len(seeds) == 2


def test_a_training_that_has_ended_is_not_done_again(tmp_path: Path) -> None:
    first = train_small("stopping", str(tmp_path))
    before = numbers(tmp_path)
    seen: list[int] = []
    again = train_small(
        "stopping", str(tmp_path), epochs=50, on_epoch=lambda epoch, _: seen.append(epoch)
    )
    assert first.stopped_early
    assert again.stopped_early
    assert not seen
    assert again.best_epoch == first.best_epoch
    assert numbers(tmp_path) == before


def test_without_a_seed_the_drawn_one_is_kept(tmp_path: Path) -> None:
    unseeded = recipe(**{"runtime.seed": None, "training.shuffle": True, "training.epochs": 1})
    data = arrays()
    unseeded.train(data, folder=tmp_path, epochs=1)
    assert unseeded.train(data, folder=tmp_path, epochs=2).resumed_from == 1


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    small = recipe()
    small.save(small.build(), tmp_path / "checkpoint.keras")
    with pytest.raises(FolderError, match="no checkpoint of a training"):
        train_small("unshuffled", str(tmp_path))
    assert epochs_done(tmp_path) == 0


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    inputs, targets = arrays()
    np.savez(tmp_path / "data.npz", **inputs, **targets)
    (tmp_path / "small.yaml").write_text(recipe(**{"training.epochs": 100_000}).resolved())
    folder = tmp_path / "run"
    command = ["train", str(tmp_path / "small.yaml"), "--data", str(tmp_path / "data.npz")]
    program = f"from lstmgraph.cli import app; app({[*command, '-o', str(folder)]!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(folder / "checkpoint.keras")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"the same command goes on after epoch {epochs_done(folder)}" in errors
    assert "Traceback" not in errors
    assert output == ""
    assert not list(folder.glob(".*.tmp.*"))
