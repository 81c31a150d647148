"""What surrounds searches on a cluster, without one: what is refused, and a node's part alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from search_trials import SPACE

from lstmgraph.tuning.search import ray_trial
from lstmgraph.tuning.search.devices import node_environment
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.jobs import Limits, RunOptions, SearchJob, search_versions
from lstmgraph.tuning.search.ray_server import has_room
from lstmgraph.tuning.search.ray_trial import (
    TrialOrder,
    earlier_files,
    read_files,
    run_order,
    write_files,
)
from lstmgraph.tuning.search.trial import TrialSpec
from lstmgraph.tuning.search.workers import Workers

JOB = SearchJob("demo", SPACE, {"type": "random"}, "search_trials:arithmetic", seed=3)
RAY = RunOptions(preload=(), cluster="ray", max_trials=1)
VALUES = {"units": 96, "rate": 0.02, "bridge": "dense", "deep": False}


def order(**changes: Any) -> TrialOrder:
    spec = TrialSpec(7, "/not/here", VALUES, seed=5, keep_last=True)
    start = TrialOrder(spec, "search_trials:arithmetic", versions=search_versions())
    return replace(start, **changes)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node changes the environment of its process, which is this one here."""
    for name, value in node_environment(1.0, 0.0, os.environ).items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
@pytest.mark.usefixtures("node")
def test_a_node_runs_a_trial_as_this_machine_does(tmp_path: Path) -> None:
    found = run_order(order())
    assert (found.unable, found.ending is not None) == ("", True)
    here = tmp_path / "0007"
    here.mkdir()
    with Workers(tmp_path, "search_trials:arithmetic", RunOptions(preload=())) as workers:
        workers.start(replace(order().spec, folder=str(here)))
        workers.wait(60.0)
    expected = read_files(here)
    del expected["spec.json"]
    assert found.files == expected
    assert {"outcome.json", "epochs.jsonl", "best.keras", "last.keras"} < set(found.files)


@pytest.mark.slow
@pytest.mark.usefixtures("node")
def test_a_trial_goes_on_from_files_that_came_with_it(tmp_path: Path) -> None:
    """With the specs of all before, such as of a third round of Hyperband."""
    first, second = tmp_path / "trials" / "0001", tmp_path / "trials" / "0002"
    for folder, source in ((first, None), (second, str(first))):
        folder.mkdir(parents=True)
        TrialSpec(int(folder.name), str(folder), VALUES, seed=5, continues=source).write()
        (folder / "last.keras").write_text(folder.name, "utf-8")
    spec = replace(order().spec, continues=str(second), initial_epoch=1)
    earlier = earlier_files(spec)
    assert set(earlier) == {"0002/spec.json", "0002/last.keras", "0001/spec.json"}
    asked = replace(order(spec=spec, earlier=earlier), function="search_trials:ancestors")
    found = run_order(asked)
    assert found.files["seen"] == b"0002/last.keras 0002/spec.json 0001/spec.json"
    without = run_order(order(spec=spec))
    assert b'"status": "failed"' in without.files["outcome.json"]


@pytest.mark.usefixtures("node")
def test_a_trial_that_was_stopped_has_no_outcome() -> None:
    spec = replace(order().spec, job={"acts": {"7": "hang"}})
    slow = order(spec=spec, function="search_trials:misbehaving", limits=Limits(seconds=1.0))
    found = run_order(slow)
    assert found.ending is not None
    assert found.ending.stopped == ("timed_out", "it ran for longer than 1 s")
    assert "outcome.json" not in found.files
    assert found.files["epochs.jsonl"] == b'{"epoch": 0, "val_loss": 0.5}\n'


@pytest.mark.slow
@pytest.mark.usefixtures("node")
def test_a_node_that_cannot_run_trials_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_trial.platform, "node", lambda: "green")
    other = run_order(order(versions={**search_versions(), "keras": "2.0"}))
    assert other.unable.startswith(
        f"node green has keras {search_versions()['keras']}, and this machine"
    )
    lacking = run_order(order(function="no_such_module:f"))
    assert "node green cannot run trials" in lacking.unable
    assert "No module named 'no_such_module'" in lacking.unable
    spec = replace(order().spec, job={"acts": {"7": "full"}})
    full = run_order(order(spec=spec, function="search_trials:misbehaving"))
    assert full.unable.startswith("node green: No space left on device; free some space")


def test_the_outcome_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what tells that a trial's folder is whole."""
    files = {"outcome.json": b"{}", "best.keras": b"a", "logs/x": b"b", "zz": b"c"}
    replaced: list[str] = []
    monkeypatch.setattr(Path, "replace", lambda _, target: replaced.append(target.name))
    write_files(tmp_path, files)
    assert sorted(replaced[:-1]) == ["best.keras", "x", "zz"]
    assert replaced[-1] == "outcome.json"


def test_files_travel_whole(tmp_path: Path) -> None:
    files = {"best.keras": bytes(range(256)), "logs/deep/x": b"", "outcome.json": b"{}"}
    write_files(tmp_path / "there", files)
    assert read_files(tmp_path / "there") == files


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cluster": "slurm"}, "cluster must be ray, not slurm"),
        ({"cpus_per_trial": 2.0}, "cpus_per_trial is for a cluster"),
        ({"gpus_per_trial": 1.0}, "gpus_per_trial is for a cluster"),
        ({"cluster": "ray", "gpus": ("0",)}, "a cluster takes gpus_per_trial"),
        ({"cluster": "ray", "cpus_per_trial": 0.0}, "cpus_per_trial must be greater than 0"),
        ({"cluster": "ray", "gpus_per_trial": -1.0}, "gpus_per_trial must be whole, or a part"),
        ({"cluster": "ray", "gpus_per_trial": 1.5}, "gpus_per_trial must be whole, or a part"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RunOptions(**options)


def test_a_node_with_room() -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    assert has_room(nodes, 8, 0)
    assert has_room(nodes, 2, 0.5)
    assert not has_room(nodes, 8, 1)
    assert not has_room(nodes, 2, 2)


def test_threads_and_gpus_of_a_node() -> None:
    found = node_environment(4.0, 0.5, {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "1"})
    assert found["TF_NUM_INTRAOP_THREADS"] == "4"
    assert found["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert not {"OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"} & set(found), "as Ray set them"
    assert node_environment(0.5, 0.0, {})["CUDA_VISIBLE_DEVICES"] == ""
    assert node_environment(0.5, 0.0, {})["TF_NUM_INTRAOP_THREADS"] == "1"


def test_without_ray_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SearchError, match=r"needs Ray: pip install 'lstmgraph\[ray\]'"):
        run_search(JOB, RAY, tmp_path / "s")


@pytest.mark.parametrize(
    ("address", "said"), [("no address", "no Ray cluster: Invalid"), ("local", "is 'local'")]
)
def test_without_a_cluster_the_error_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lstmgraph[ray]'")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(SearchError, match=f"{said}.*start one with 'ray start --head'"):
        run_search(JOB, RAY, tmp_path / "s")
