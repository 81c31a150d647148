"""Searches on a Ray cluster find what they find on one machine, also when a node dies."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from ray_cluster import ENVIRONMENT
from search_trials import SPACE
from searching import PATIENCE, Searcher, findings, weights
from tuning_cases import write_files
from typer.testing import CliRunner

from lstmgraph.cli import app
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.jobs import Limits, RunOptions, SearchJob
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.trial_server import RAISED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstmgraph.tuning.search.results import TrialRow

pytest.importorskip("ray", reason="Ray is not installed: pip install 'lstmgraph[ray]'")
CLUSTER = Path(__file__).with_name("ray_cluster.py")
LOCAL = RunOptions(preload=())
RAY = replace(LOCAL, cluster="ray", workers=2)


def job(function: str = "arithmetic", **changes: Any) -> SearchJob:
    start = SearchJob("demo", SPACE, {"type": "random"}, f"search_trials:{function}", seed=3)
    return replace(start, **changes)


@dataclass
class Cluster:
    process: subprocess.Popen[str]
    address: str
    folder: Path
    """Ray's files, and the temporary files of the nodes."""

    def kill_a_node(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "killed\n"

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(
        prefix="ray", dir="/tmp"
    ) as folder:  # a socket's path is short
        environment = {**os.environ, **ENVIRONMENT, "RAY_TMPDIR": folder, "TMPDIR": folder}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)  # the nodes have the trial functions
        process = subprocess.Popen(
            [sys.executable, str(CLUSTER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        with process:
            assert process.stdout is not None
            cluster = Cluster(process, process.stdout.readline().strip(), Path(folder))
            yield cluster
            cluster.end()


@pytest.fixture
def on_ray(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    for name, value in {**ENVIRONMENT, "RAY_ADDRESS": cluster.address}.items():
        monkeypatch.setenv(name, value)
    return cluster


def notes_of(folder: Path, trials: int) -> list[str]:
    """`noted` trials that have started, ``number-pid``, once there are so many."""
    deadline = time.monotonic() + PATIENCE
    while len(found := [path.name for path in folder.glob("*-*")]) < trials:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


class Killer:
    """A watcher that kills once so many trials run, and then lets all trials go on."""

    def __init__(self, kill: Callable[[], None], notes: Path, trials: int) -> None:
        self.kill, self.notes, self.trials = kill, notes, trials

    def started(self, row: TrialRow) -> None:
        pass

    def ended(self, row: TrialRow) -> None:
        pass

    def tick(self) -> None:
        if not (self.notes / "go").exists():
            notes_of(self.notes, self.trials)
            self.kill()
            (self.notes / "go").touch()


def test_a_search_finds_what_it_finds_on_one_machine(on_ray: Cluster, tmp_path: Path) -> None:
    """Hyperband: trials go on from others, whose weights travel to their node."""
    hyperband = job(oracle={"type": "hyperband", "max_epochs": 2, "factor": 2})
    run_search(hyperband, replace(LOCAL, max_trials=5), tmp_path / "local")
    found = run_search(hyperband, replace(RAY, workers=1, max_trials=5), tmp_path / "ray")
    assert findings(tmp_path / "ray") == findings(tmp_path / "local")
    assert any(
        json.loads(p.read_text("utf-8"))["continues"] for p in tmp_path.glob("ray/*/*/spec.json")
    )
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert found.settings["cluster"] == "ray"
    assert found.settings["cpus_per_trial"] == 1


def test_tune_trains_on_a_cluster_what_it_trains_here(on_ray: Cluster, tmp_path: Path) -> None:
    recipe, data = write_files(tmp_path)
    for name, more in {"local": (), "ray": ("--cluster", "ray", "--cpus-per-trial", "1")}.items():
        arguments = ["tune", str(recipe), "--data", str(data), "-o", str(tmp_path / name)]
        with warnings.catch_warnings():  # of Ray's own
            warnings.simplefilter("ignore", ResourceWarning)
            result = CliRunner().invoke(app, [*arguments, "--max-trials", "2", *more])
        assert result.exit_code == 0, result.output
    numbers = [[row.metrics for row in read_results(tmp_path / n).trials] for n in ("local", "ray")]
    assert numbers[0] == numbers[1]
    assert numbers[0][0]["val_loss"] > 0
    assert (tmp_path / "ray" / "best.keras").exists()


def contents(folder: Path) -> dict[str, str]:
    """Weights and epochs by path."""
    paths = [*folder.rglob("*.keras"), *folder.rglob("epochs.jsonl")]
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in paths}


def test_limits_and_crashes_are_those_of_one_machine(on_ray: Cluster, tmp_path: Path) -> None:
    """Only the death of a node is a reason to run a trial again."""
    names = ("raise", "segfault", "hang", "eat", "")
    payload = {"acts": {str(number): name for number, name in enumerate(names)}}
    limits = Limits(seconds=3.0, memory_mb=300.0)
    found = run_search(
        job("misbehaving", payload=payload),
        replace(RAY, workers=3, max_trials=5, limits=limits, gpus_per_trial=1.0),
        tmp_path,
    )
    raised, crashed, slow, large, fine = found.trials
    assert (raised.status, raised.reason) == ("failed", "ValueError: no such layer")
    assert crashed.status == "failed"
    assert crashed.reason.startswith("it was killed by SIGSEGV; its last words: about to fall")
    assert (slow.status, slow.reason) == ("timed_out", "it ran for longer than 3 s")
    assert slow.history == {"val_loss": (0.5,)}, "what it noted is kept"
    assert large.status == "oversized"
    assert large.peak_memory_mb > 300
    assert fine.status == "completed"
    assert fine.history["environment"] == (0.0,), "the GPU that Ray gave it"
    assert "Traceback" in (tmp_path / "trials" / "0000" / "log.txt").read_text("utf-8")


def left_on(cluster: Cluster) -> list[Path]:
    """What is left of trials on the nodes; Ray ends them after the search has, which takes time."""
    until = time.monotonic() + 3 * PATIENCE
    while (left := list(cluster.folder.rglob("lstmgraph-trial-*"))) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def test_a_search_that_was_stopped_goes_on(on_ray: Cluster, tmp_path: Path) -> None:
    with Searcher(tmp_path) as searcher:
        stopped = Stopped(searcher, tmp_path / "interrupted")
        stopped.by(signal.SIGINT, RAISED)
        assert not left_on(on_ray), "nothing stays on the nodes"
        killed = Stopped(searcher, tmp_path / "killed")
        killed.by(signal.SIGKILL, -signal.SIGKILL)
        (killed.notes / "go").touch()
        assert searcher.run(killed.folder, "random", **copy.deepcopy(killed.job)).exit_code == 0
    wanted = job("noted", payload=killed.job["payload"])
    run_search(wanted, replace(LOCAL, max_trials=3), tmp_path / "local")
    assert findings(killed.folder) == findings(tmp_path / "local")


class Stopped:
    """A search on Ray that is stopped while two trials run."""

    def __init__(self, searcher: Searcher, folder: Path) -> None:
        self.searcher, self.folder = searcher, folder
        self.notes = folder.with_name(f"{folder.name}-notes")
        self.notes.mkdir()
        self.job = {
            "function": "search_trials:noted",
            "payload": {"notes": str(self.notes)},
            "options": {"cluster": "ray", "workers": 2, "max_trials": 3},
        }

    def by(self, stop: signal.Signals, exit_code: int) -> None:
        workers = self.searcher.workers
        number = self.searcher.start(self.folder, "random", **copy.deepcopy(self.job))
        trials = [int(note.partition("-")[2]) for note in notes_of(self.notes, 2)]
        assert not workers.wait(0.0)
        pid = workers.children[number].pid
        assert pid is not None
        os.kill(pid, stop)
        (ending,) = workers.wait(PATIENCE)
        assert ending.exit_code == exit_code
        psutil.wait_procs([psutil.Process(p) for p in trials if psutil.pid_exists(p)], PATIENCE)
        assert not any(map(psutil.pid_exists, trials)), "no trial outlives its search"
        assert [row["status"] for row in findings(self.folder)] == ["running"] * 2


def test_a_dead_node_loses_nothing(on_ray: Cluster, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    wanted = job("noted", payload={"notes": str(notes)})
    killer = Killer(on_ray.kill_a_node, notes, trials=3)
    options = replace(RAY, workers=3, max_trials=5)
    run_search(wanted, options, tmp_path / "ray", watcher=killer)
    starts = [int(path.name.partition("-")[0]) for path in notes.glob("*-*")]
    assert len(starts) == 6, "the trial that its node took with it has run again"
    assert set(starts) == set(range(5))
    journal = (tmp_path / "ray" / "search.jsonl").read_text("utf-8")
    for number in range(5):
        assert journal.count(f'"event":"ended","trial":{number},') == 1, "counted once"
    run_search(wanted, replace(LOCAL, max_trials=5), tmp_path / "local")
    assert findings(tmp_path / "ray") == findings(tmp_path / "local")
    assert weights(tmp_path / "ray") == weights(tmp_path / "local")


def test_more_than_any_node_has_is_refused(on_ray: Cluster, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="no node of the Ray cluster has 2 CPUs and 0 GPUs"):
        run_search(job(), replace(RAY, cpus_per_trial=2.0, max_trials=1), tmp_path)


def test_a_lost_cluster_blames_no_trial(on_ray: Cluster, tmp_path: Path) -> None:
    """The last test: it leaves no cluster. The search goes on without one."""
    notes = tmp_path / "notes"
    notes.mkdir()
    wanted = job("noted", payload={"notes": str(notes)})
    with pytest.raises(SearchError, match=r"goes on with the search|run the same command again"):
        run_search(
            wanted,
            replace(RAY, max_trials=3),
            tmp_path / "ray",
            watcher=Killer(on_ray.end, notes, trials=2),
        )
    assert {row["status"] for row in findings(tmp_path / "ray")} == {"running"}
    run_search(wanted, replace(LOCAL, max_trials=3), tmp_path / "ray")
    run_search(wanted, replace(LOCAL, max_trials=3), tmp_path / "local")
    assert findings(tmp_path / "ray") == findings(tmp_path / "local")
