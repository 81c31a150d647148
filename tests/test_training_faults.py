"""Trainings that the machine fails end with one message, and go on as if nothing had been.

``LSTMGRAPH_EXAMPLES=20`` tries as many faults, and as many kills, at drawn moments.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from commands import command, messages, start
from faults import FAULTS, begin_at
from killed import wait_for
from training_cases import arrays, numbers, recipe

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux's limits"),
]

TRIED = int(os.environ.get("LSTMGRAPH_EXAMPLES", len(FAULTS)))
KILLS = TRIED if "LSTMGRAPH_EXAMPLES" in os.environ else 2
CALLS = 25
"""About as many calls make files real in the whole training."""
TRAIN = "train small.yaml --data data.npz -o run"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    settings = {"runtime.deterministic": True, "data.split": {"validation": 0.3}}
    (folder / "small.yaml").write_text(recipe("stopping", **settings).resolved())
    inputs, targets = arrays()
    np.savez(folder / "data.npz", **inputs, **targets)
    return folder


class Undisturbed(NamedTuple):
    numbers: dict[str, Any]
    seconds: float
    """From the lock on the folder."""
    of_epochs: float
    """From the first checkpoint on."""


@pytest.fixture(scope="module")
def undisturbed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    child = start(place, folder, TRAIN, {1: os.devnull})
    wait_for(folder / "run" / ".lock")
    began = time.monotonic()
    wait_for(folder / "run" / "checkpoint.keras")
    first = time.monotonic()
    child.join()
    assert child.exitcode == 0
    end = time.monotonic()
    return Undisturbed(numbers(folder / "run"), end - began, end - first)


@pytest.mark.slow
def test_faults_end_in_one_message_and_it_goes_on(
    place: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Of all kinds in turn, each at a call that is drawn."""
    rng, met = random.Random(os.environ.get("LSTMGRAPH_EXAMPLES", "4")), 0
    for number in range(TRIED):
        kind = list(FAULTS)[number % len(FAULTS)]
        folder = tmp_path / "here"
        folder.mkdir()
        errors = str(folder / "errors")
        what = begin_at, rng.randrange(1, CALLS), kind, folder / "run", rng.random()
        code = command(place, folder, TRAIN, {1: os.devnull, 2: errors}, first=what)
        said = messages(folder / "errors")
        assert (code, len(said)) in {(1, 1), (0, 0)}, (what, said)
        met += code
        if (folder / "run").exists():
            (folder / "run").chmod(0o755)
            left = list((folder / "run").glob(".*.tmp.*"))
            assert not left or kind == "read-only", (what, left)
        assert command(place, folder, TRAIN, {1: os.devnull}) == 0, what
        assert numbers(folder / "run") == undisturbed.numbers, what
        assert not list((folder / "run").glob(".*.tmp.*"))
        shutil.rmtree(folder)
    assert met > TRIED // 2


@pytest.mark.slow
def test_killed_at_drawn_moments_the_command_goes_on(
    place: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """One training after the other, each killed up to three times, one of two after an epoch."""
    rng, killed = random.Random(os.environ.get("LSTMGRAPH_EXAMPLES", "2")), 0
    while killed < KILLS:
        folder = tmp_path / "here"
        folder.mkdir()
        for _ in range(min(3, KILLS - killed)):
            child = start(place, folder, TRAIN, {1: os.devnull})
            wait_for(folder / "run" / ".lock")
            if killed % 2 == 0:
                wait_for(folder / "run" / "checkpoint.keras")
            most = undisturbed.seconds if killed % 2 else undisturbed.of_epochs
            child.join(rng.uniform(0.0, most))
            if child.is_alive():
                os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
            killed += child.exitcode == -signal.SIGKILL
            if child.exitcode == 0:
                break
        assert command(place, folder, TRAIN, {1: os.devnull}) == 0
        assert numbers(folder / "run") == undisturbed.numbers
        assert not list((folder / "run").glob(".*.tmp.*"))
        shutil.rmtree(folder)
