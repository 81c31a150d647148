"""``lstmgraph tune`` killed and interrupted: the same command goes on, and repeats nothing."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from searching import PATIENCE
from tuning_cases import QUICK, write_files

from lstmgraph.tuning.search.jobs import RunOptions
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.trial import TrialSpec
from lstmgraph.tuning.search.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRELOAD = ("keras", "keras_tuner", "lstmgraph.tuning.search.oracles", "lstmgraph.tuning.run")


@pytest.fixture
def processes(tmp_path: Path, forked_servers: None) -> Iterator[Workers]:
    """Starts commands by forking, so that TensorFlow is imported once for all of them."""
    folder = tmp_path / "processes"
    folder.mkdir()
    with Workers(folder, "tuning_cases:command", RunOptions(preload=PRELOAD)) as processes:
        yield processes


def events(folder: Path) -> list[dict[str, Any]]:
    """The journal, as far as it is whole."""
    journal = folder / "search.jsonl"
    text = journal.read_text("utf-8") if journal.exists() else ""
    return [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]


def ended(folder: Path) -> Counter[int]:
    return Counter(event["trial"] for event in events(folder) if event["event"] == "ended")


def stopped(processes: Workers, command: list[str], folder: Path, by: int, after: int) -> Any:
    """Run `command`, and stop it by a signal after so many trials; what it printed, and its end."""
    place = folder.parent / f"process{by}"
    place.mkdir()
    number = int(by)
    numbered = place.rename(place.with_name(str(number)))
    processes.start(TrialSpec(number, str(numbered), values={}, seed=0, job={"command": command}))
    deadline = time.monotonic() + PATIENCE
    while len(ended(folder)) < after:
        assert time.monotonic() < deadline
        assert not processes.wait(0.02)
    pid = processes.children[number].pid
    assert pid is not None
    os.kill(pid, by)
    (ending,) = processes.wait(PATIENCE)
    return ending.exit_code, (numbered / "log.txt").read_text("utf-8")


@pytest.mark.slow
def test_it_goes_on_after_a_kill_and_after_ctrl_c(processes: Workers, tmp_path: Path) -> None:
    _, data = write_files(tmp_path)
    recipe, folder = tmp_path / "quick.yaml", tmp_path / "out"
    recipe.write_text(QUICK, "utf-8")
    command = ["tune", str(recipe), "--data", str(data), "--out", str(folder)]
    command += ["--max-trials", "100"]
    code, _ = stopped(processes, command, folder, signal.SIGKILL, after=2)
    assert code == -signal.SIGKILL
    before = [event for event in events(folder) if event["event"] == "ended"]
    code, printed = stopped(processes, command, folder, signal.SIGINT, after=4)
    assert code == 130
    assert f"interrupted; the same command goes on in {folder}" in printed
    assert "Traceback" not in printed
    after = [event for event in events(folder) if event["event"] == "ended"]
    assert after[: len(before)] == before
    numbers = ended(folder)
    assert sorted(numbers) == list(range(len(numbers))), "none is lost"
    assert set(numbers.values()) == {1}, "none is repeated"
    results = read_results(folder)
    assert results.state == "stopped"
    for name in ("best.recipe.yaml", "best.keras", "report.html", "trials.csv"):
        assert (folder / name).exists()
