"""A training that is killed, at any moment, ends with the numbers of one that was not."""

from __future__ import annotations

import errno
import os
import random
import signal
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from killed import CONTEXT, KILLED, run, run_command, train_to_the_end, wait_for
from training_cases import arrays, numbers, recipe, train_small
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.training import FolderError, epochs_done

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmgraph.training import TrainingResult

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


KILLS = {"stopping": 2, "schedule": 1, "carried": 1}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """By case, all numbers of a training that nothing stops."""

    @cache
    def found(case: str) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp(case)
        assert run(case, folder) == 0
        return numbers(folder)

    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", KILLS)
def test_killed_at_random_moments_it_ends_with_the_same_numbers(
    case: str, tmp_path: Path, uninterrupted: Callable[[str], dict[str, Any]]
) -> None:
    """SIGKILLs somewhere between the first checkpoint and the end, then to the end."""
    wanted = uninterrupted(case)
    rng = random.Random(case)
    kills = 0
    for _ in range(KILLS[case]):
        child = CONTEXT.Process(target=train_to_the_end, args=(case, str(tmp_path)))
        child.start()
        wait_for(tmp_path / "checkpoint.keras")
        child.join(rng.uniform(0.0, 0.3))
        if child.is_alive():
            os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        kills += child.exitcode == KILLED
    assert kills
    assert run(case, tmp_path) == 0
    assert numbers(tmp_path) == wanted
    assert not list(tmp_path.glob(".*.tmp.*"))


@pytest.mark.slow
def test_killed_while_files_are_written_it_ends_with_the_same_numbers(
    tmp_path: Path, uninterrupted: Callable[[str], dict[str, Any]]
) -> None:
    """At random ones of the calls that give a file its content and its name."""
    wanted = uninterrupted("stopping")
    rng = random.Random(7)
    for _ in range(2):
        assert run("stopping", tmp_path, deadly_call=rng.randrange(5, 18)) == KILLED
        if (tmp_path / "checkpoint.keras").exists():
            keras.models.load_model(tmp_path / "checkpoint.keras")
    assert run("stopping", tmp_path) == 0
    assert numbers(tmp_path) == wanted


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """A training of 8 epochs with dropout that nothing stops, in this process."""
    return train_small("unshuffled", str(tmp_path_factory.mktemp("whole")))


@pytest.mark.slow
def test_a_full_disk_leaves_whole_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: TrainingResult
) -> None:
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


@pytest.mark.slow
def test_dropout_goes_on_with_its_random_numbers(tmp_path: Path, whole: TrainingResult) -> None:
    """Keras saves no random state: without it the second half would drop what the first did."""
    train_small("unshuffled", str(tmp_path), epochs=4)
    parts = train_small("unshuffled", str(tmp_path))
    assert parts.resumed_from == 4
    assert parts.history == whole.history
    for found, wanted in zip(parts.model.variables, whole.model.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    seeds = [v for v in whole.model.variables if "seed" in v.path]
    assert len(seeds) == 2


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("imported", [False, True])
def test_ctrl_c_before_training_ends_at_once(tmp_path, monkeypatch, imported: bool) -> None:
    """Nothing is imported to say how to go on: TensorFlow would take seconds, and print its log."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lstmgraph.cli.jobs.read_sources", interrupted)
    if not imported:
        monkeypatch.delitem(sys.modules, "lstmgraph.training")
    recipe_file = tmp_path / "small.yaml"
    recipe_file.write_text(recipe().resolved())
    folder = tmp_path / "run"
    arguments = ["train", str(recipe_file), "--data", "data.npz", "-o", str(folder)]
    result = CliRunner().invoke(app, arguments)
    says = "no epoch was saved" if imported else f"nothing in {folder} was changed"
    assert result.exit_code == 130
    assert result.stderr.startswith(f"\ninterrupted; {says}")
    assert ("lstmgraph.training" in sys.modules) == imported
    assert not folder.exists()


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    inputs, targets = arrays()
    np.savez(tmp_path / "data.npz", **inputs, **targets)
    (tmp_path / "small.yaml").write_text(recipe(**{"training.epochs": 100_000}).resolved())
    folder = tmp_path / "run"
    command = ["train", str(tmp_path / "small.yaml"), "--data", str(tmp_path / "data.npz")]
    texts = [tmp_path / "out.txt", tmp_path / "err.txt"]
    child = CONTEXT.Process(target=run_command, args=([*command, "-o", str(folder)], *texts))
    child.start()
    wait_for(folder / "checkpoint.keras")
    time.sleep(0.1)
    os.kill(child.pid or 0, signal.SIGINT)
    child.join(60)
    output, errors = (text.read_text() for text in texts)
    assert child.exitcode == 130, errors
    assert f"the same command goes on after epoch {epochs_done(folder)}" in errors
    assert "Traceback" not in errors
    assert [line.split()[0] for line in output.splitlines()] == ["epoch"] * output.count("\n")
    assert not list(folder.glob(".*.tmp.*"))
