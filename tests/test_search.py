"""Searches: what is recorded of trials that go wrong, budgets, limits, weights, pruning."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
from rich.console import Console
from search_trials import SPACE
from searching import weights

import lstmgraph
from lstmgraph.cli.searches import duration
from lstmgraph.language.space import Condition, Dimension, Range, Space
from lstmgraph.tuning.run import begin_anew, shown_search
from lstmgraph.tuning.search import devices, lock
from lstmgraph.tuning.search import journal as journals
from lstmgraph.tuning.search.display import LineWatcher
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.errors import FolderInUseError, JobChangedError, SearchError
from lstmgraph.tuning.search.jobs import Limits, RunOptions, SearchJob, job_settings
from lstmgraph.tuning.search.pruning import thresholds
from lstmgraph.tuning.search.ranking import pareto_front
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.results import Objective, SearchResults
from lstmgraph.tuning.search.spaces import hyperparameters, plain_values
from lstmgraph.tuning.search.tables import write_tables
from lstmgraph.tuning.search.trial import Trial, TrialSpec

QUICK = RunOptions(preload=())


def job(function: str = "arithmetic", **changes: Any) -> SearchJob:
    start = SearchJob("demo", SPACE, {"type": "random"}, f"search_trials:{function}", seed=3)
    return replace(start, **changes)


def acts(*names: str, **changes: Any) -> SearchJob:
    """A job whose trials misbehave as named, in order; ``""`` behaves."""
    payload = {"acts": {str(number): name for number, name in enumerate(names)}}
    return job("misbehaving", payload=payload, **changes)


def search(folder: Path, wanted: SearchJob, **options: Any) -> SearchResults:
    return run_search(wanted, replace(QUICK, **options), folder)


def ends(results: SearchResults) -> list[tuple[str, str]]:
    return [(trial.status, trial.reason) for trial in results.trials]


@pytest.mark.slow
def test_failures_are_recorded_and_end_nothing(tmp_path: Path) -> None:
    names = ("", "raise", "exit", "segfault", "nan", "raise", "")
    found = search(tmp_path, acts(*names), max_trials=len(names))
    assert ends(found) == [
        ("completed", ""),
        ("failed", "ValueError: no such layer"),
        ("failed", "it exited with 3; its last words: so long"),
        (
            "failed",
            "it was killed by SIGSEGV; its last words: about to fall | "
            "Fatal Python error: Segmentation fault",
        ),
        ("failed", "val_loss is nan"),
        ("failed", "ValueError: no such layer"),
        ("completed", ""),
    ]
    assert found.best == 0
    assert found.state == "finished"
    log = (tmp_path / "trials" / "0001" / "log.txt").read_text("utf-8")
    assert "Traceback" in log


def test_a_search_ends_after_failures_where_that_is_asked(tmp_path: Path) -> None:
    found = search(tmp_path, acts("", "raise", "", "exit"), max_trials=9, max_failures=2)
    assert len(found.trials) == 4
    assert found.settings["ended_because"] == "max_failures"


@pytest.mark.slow
def test_a_trial_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    found = search(tmp_path, acts("hang", ""), max_trials=2, limits=Limits(seconds=2.0))
    assert ends(found) == [("timed_out", "it ran for longer than 2 s"), ("completed", "")]
    assert found.trials[0].history == {"val_loss": (0.5,)}, "what it noted is kept"
    grandchild = int((tmp_path / "trials" / "0000" / "grandchild").read_text("utf-8"))
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie"


@pytest.mark.slow
def test_a_trial_that_takes_too_much_memory_is_killed(tmp_path: Path) -> None:
    found = search(tmp_path, acts("eat", ""), max_trials=2, limits=Limits(memory_mb=300.0))
    (status, reason), other = ends(found)
    assert status == "oversized"
    assert reason.endswith("MiB of memory, and 300 are allowed")
    assert found.trials[0].peak_memory_mb > 300
    assert other == ("completed", "")


def test_a_full_disk_stops_the_search_and_blames_no_trial(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="No space left on device; free some space"):
        search(tmp_path, acts("", "full"), max_trials=3)
    found = read_results(tmp_path)
    assert [trial.status for trial in found.trials] == ["completed", "running"]
    assert found.state == "stopped"


@pytest.mark.slow
def test_a_full_disk_leaves_a_whole_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search(tmp_path / "whole", job(), max_trials=4)
    write, writes = os.write, []

    def full(file: int, data: bytes) -> int:
        writes.append(data)
        if len(writes) == 5:
            return write(file, bytes(data)[:7])
        if len(writes) == 6:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(journals.os, "write", full)
    with pytest.raises(SearchError, match=r"search\.jsonl: No space left.*free some space"):
        search(tmp_path / "full", job(), max_trials=4)
    monkeypatch.undo()
    assert (tmp_path / "full" / "search.jsonl").read_bytes().endswith(b"}\n")
    again = search(tmp_path / "full", job(), max_trials=4)
    assert [dict(t.metrics) for t in again.trials] == [dict(t.metrics) for t in whole.trials]


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", _refused)
    with pytest.raises(SearchError, match="searches: Read-only file system; make it writable"):
        search(tmp_path / "searches", job(), max_trials=1)


def _refused(path: Path, *_: Any, **__: Any) -> None:
    raise OSError(30, "Read-only file system", str(path))


def test_another_job_is_refused_and_shown(tmp_path: Path) -> None:
    first = job(identity={"recipe_text": "units: 64\nrate: 1e-3\n"})
    search(tmp_path / "s", first, max_trials=2)
    with pytest.raises(JobChangedError) as caught:
        search(
            tmp_path / "s",
            replace(first, seed=4, identity={"recipe_text": "units: 64\nrate: 1e-2\n"}),
        )
    assert "-rate: 0.001\n+rate: 0.01\n" in str(caught.value)
    assert "-seed: 3\n+seed: 4\n" in str(caught.value)
    assert "units: 32" not in str(caught.value)
    dimensions = (replace(SPACE.dimensions[0], range=Range(32, 128, 32)), *SPACE.dimensions[1:])
    with pytest.raises(JobChangedError, match=r"-dimensions\.1\.high: 256"):
        search(tmp_path / "s", replace(first, space=Space(dimensions)), max_trials=2)


@pytest.mark.slow
def test_restart_keeps_the_old_search_beside_the_new(tmp_path: Path) -> None:
    search(tmp_path / "s", job(), max_trials=2)
    begin_anew(tmp_path / "s")
    search(tmp_path / "s", job(seed=4), max_trials=1)
    assert len(read_results(tmp_path / "s").trials) == 1
    assert len(read_results(tmp_path / "s.1").trials) == 2


def test_one_search_to_a_folder(tmp_path: Path) -> None:
    with (
        lock.folder_lock(tmp_path),
        pytest.raises(FolderInUseError, match=f"process {os.getpid()} searches here"),
    ):
        search(tmp_path, job())


@pytest.mark.slow
def test_a_search_can_be_given_more_trials(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", job(), max_trials=6)
    search(tmp_path / "more", job(), max_trials=2)
    more = search(tmp_path / "more", job(), max_trials=6)
    assert [dict(t.metrics) for t in more.trials] == [dict(t.metrics) for t in whole.trials]


def test_a_search_that_has_nothing_to_run_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a process imports TensorFlow for seconds, and the search waited for it to end."""
    found = search(tmp_path, job(), max_trials=1)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert search(tmp_path, job(), max_trials=1).trials == found.trials


def test_no_trial_starts_after_the_time(tmp_path: Path) -> None:
    found = search(tmp_path, job(payload={"sleep": 0.3}), seconds=0.8)
    assert 0 < len(found.trials) < 8
    assert all(trial.status == "completed" for trial in found.trials)
    assert found.settings["ended_because"] == "time"
    again = search(tmp_path, job(payload={"sleep": 0.3}), seconds=0.8)
    assert len(again.trials) == len(found.trials), "the time of earlier runs counts"


@pytest.mark.slow
def test_the_best_weights_stay(tmp_path: Path) -> None:
    found = search(tmp_path, job(), max_trials=8, keep=2)
    losses = {trial.number: trial.metrics["val_loss"] for trial in found.trials}
    best = sorted(losses, key=losses.__getitem__)[:2]
    assert weights(tmp_path) == {f"trials/{number:04d}/best.keras" for number in best}
    assert found.best == best[0]


@pytest.mark.slow
def test_several_objectives_have_a_front(tmp_path: Path) -> None:
    objectives = (Objective("val_loss", "min"), Objective("size", "max"))
    found = search(tmp_path, job(objectives=objectives), max_trials=10)
    points = {t.number: (t.metrics["val_loss"], -t.metrics["size"]) for t in found.trials}
    front = {
        n
        for n, (a, b) in points.items()
        if not any(x <= a and y <= b and (x, y) != (a, b) for x, y in points.values())
    }
    assert set(found.front) == front
    assert found.best == found.front[0]
    assert weights(tmp_path) == {f"trials/{number:04d}/best.keras" for number in front}


def test_equal_trials_are_both_on_the_front() -> None:
    objectives = (Objective("a", "min"), Objective("b", "max"))
    trials = {0: {"a": 1.0, "b": 1.0}, 1: {"a": 1.0, "b": 1.0}, 2: {"a": 2.0, "b": 1.0}}
    assert set(pareto_front(trials, objectives)) == {0, 1}


@pytest.mark.slow
def test_hyperband_goes_on_from_the_better_trials(tmp_path: Path) -> None:
    oracle = {"type": "hyperband", "max_epochs": 4, "factor": 2}
    found = search(tmp_path, job(oracle=oracle))
    specs = [
        TrialSpec.read(tmp_path / "trials" / f"{t.number:04d}" / "spec.json") for t in found.trials
    ]
    goes_on = [spec for spec in specs if spec.continues]
    assert goes_on
    for spec in goes_on:
        source = specs[int(Path(spec.continues or "").name)]
        assert spec.initial_epoch == source.epochs
        assert spec.values == source.values
    assert found.settings["ended_because"] == "exhausted"
    assert not list(tmp_path.rglob("last.keras")), "wanted only while a trial may go on"


def test_hyperband_ends_though_all_trials_fail(tmp_path: Path) -> None:
    oracle = {"type": "hyperband", "max_epochs": 3, "factor": 3}
    found = search(tmp_path, acts("refuse", *["raise"] * 20, oracle=oracle))
    reasons = {trial.reason for trial in found.trials}
    assert "ValueError: no such layer" in reasons
    assert "small.yaml:3: error[L902]: cannot run (correct the data)" in reasons
    assert any("which failed" in reason for reason in reasons)
    assert found.state == "finished"


def test_grid_covers_the_space_once(tmp_path: Path) -> None:
    deep = Dimension("deep", "bool", False, choices=(False, True))
    second = Dimension("second", "int", 8, (Condition("deep", (True,)),), Range(8, 24, 8))
    found = search(tmp_path, acts(oracle={"type": "grid"}, space=Space((deep, second))), workers=2)
    values = sorted(str(dict(trial.values)) for trial in found.trials)
    assert values == sorted(
        ["{'deep': False}", *(f"{{'deep': True, 'second': {n}}}" for n in (8, 16, 24))]
    )


def test_workers_share_the_gpus(tmp_path: Path) -> None:
    found = search(tmp_path, acts(), max_trials=6, workers=2, gpus=("0", "1"))
    assert {trial.history["environment"][0] for trial in found.trials} == {0.0, 1.0}


@pytest.mark.parametrize(
    ("workers", "gpus", "wanted"),
    [
        (2, 0, [None, None]),
        (2, 2, ["0", "1"]),
        (2, 4, ["0,2", "1,3"]),
        (3, 2, ["0", "1", "0"]),
    ],
)
def test_share_out(workers: int, gpus: int, wanted: list[str | None]) -> None:
    found = devices.worker_environments(workers, devices.visible_gpus(gpus, {}))
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in found] == wanted
    shared = ["TF_FORCE_GPU_ALLOW_GROWTH" in environment for environment in found]
    assert all(shared) == (0 < gpus < workers)


def test_gpus_that_are_hidden_stay_hidden() -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "3, 5"}
    assert devices.visible_gpus(2, environment) == ["3", "5"]


@pytest.mark.parametrize(
    ("cpus", "workers", "threads"), [(8, 2, "4"), (8, 3, "2"), (2, 3, "1"), (8, 1, None)]
)
def test_threads_are_shared_out_unless_the_user_says_otherwise(
    cpus: int, workers: int, threads: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "available_cpus", lambda: cpus)
    shared = devices.shared_environment(workers, {"OMP_NUM_THREADS": "7"})
    assert shared.get("TF_NUM_INTRAOP_THREADS") == threads
    assert shared["OMP_NUM_THREADS"] == "7"


def test_medians_are_of_running_averages() -> None:
    """Of [4, 3, 2], [6, 6] and [1, 1.5, 2]."""
    histories = [[4.0, 2.0, 0.0], [6.0, 6.0], [1.0, 2.0, 3.0]]
    assert thresholds(histories, min_trials=3) == pytest.approx((4.0, 3.0))
    assert thresholds(histories, min_trials=2) == pytest.approx((4.0, 3.0, 2.0))
    assert thresholds(histories, min_trials=4) == ()
    assert thresholds([], min_trials=1) == ()


@pytest.mark.parametrize(("direction", "sign"), [("min", 1), ("max", -1)])
def test_a_trial_below_the_median_is_asked_to_stop(
    tmp_path: Path, direction: str, sign: int
) -> None:
    spec = TrialSpec(
        0, str(tmp_path), {}, 0, direction=direction, warmup_epochs=1,
        thresholds=(sign * 1.0, sign * 1.0, sign * 0.5),
    )  # fmt: skip
    trial = Trial(spec)
    assert not trial.on_epoch(0, {"val_loss": sign * 2.0}), "still warming up"
    assert not trial.on_epoch(1, {"val_loss": sign * 0.9})
    assert trial.on_epoch(2, {"val_loss": sign * 3.0}), "its best, 0.9, is worse than 0.5"
    assert trial.outcome(metrics={"val_loss": sign * 0.9}).status == "pruned"


@pytest.mark.slow
def test_pruned_trials_are_recorded_with_the_reason(tmp_path: Path) -> None:
    pruning = {"warmup_epochs": 0, "min_trials": 2}
    found = search(tmp_path, job(pruning=pruning), max_trials=12)
    pruned = [trial for trial in found.trials if trial.status == "pruned"]
    assert pruned
    assert len(pruned) < 10
    for trial in pruned:
        before = [t.history["val_loss"] for t in found.trials[: trial.number] if not t.reason]
        limit = median(h[0] for h in before)
        assert trial.history["val_loss"][0] > limit
        assert "the median of the trials before it" in trial.reason


def test_values_come_back_as_the_recipe_has_them() -> None:
    declared = hyperparameters(SPACE)
    default = {hp.name: hp.default for hp in declared.space}
    shallow = {"units": 64, "rate": 1e-3, "bridge": None, "deep": False}
    assert plain_values(SPACE, default) == shallow, "`second` does not count"
    assert plain_values(SPACE, {"bridge": "[1, 2]", "deep": True, "tuner/epochs": 3}) == {
        **shallow, "bridge": [1, 2], "deep": True, "second": 16,
    }  # fmt: skip


def test_a_trial_function_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="trials cannot start: AttributeError"):
        search(tmp_path, job("no_such_function"), max_trials=1)


def test_a_search_while_it_runs(tmp_path: Path) -> None:
    seen = []
    watcher = LineWatcher((), lambda _: seen.append(read_results(tmp_path)))
    run_search(job(), replace(QUICK, max_trials=3), tmp_path, watcher=watcher)
    assert [len(results.trials) for results in seen] == [1, 1, 2, 2, 3, 3]
    assert {results.state for results in seen} == {"running"}


def test_no_search_to_read(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="there is no search here"):
        read_results(tmp_path)


def test_two_workers_run_at_once(tmp_path: Path) -> None:
    """Each of the two waits for the other's file."""
    limits = Limits(seconds=60.0)
    found = search(tmp_path, acts("meet", "meet"), max_trials=2, workers=2, limits=limits)
    assert ends(found) == [("completed", "")] * 2


@pytest.mark.slow
@pytest.mark.usefixtures("forked_servers")
def test_a_real_trial_gives_the_same_numbers_again(tmp_path: Path) -> None:
    wanted = replace(job("small_keras"), seed=11)
    options = replace(QUICK, max_trials=1, preload=("keras",))
    one, two = (run_search(wanted, options, tmp_path / name) for name in ("one", "two"))
    assert one.trials[0].status == "completed", one.trials[0].reason
    assert one.trials[0].metrics == two.trials[0].metrics
    assert (one.trials[0].parameters or 0) > 0


def test_options_that_make_no_sense() -> None:
    for wrong in ({"workers": 0}, {"limits": Limits(seconds=-1.0)}, {"seconds": 0}, {"keep": -1}):
        with pytest.raises(ValueError, match="must be"):
            RunOptions(**wrong)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("1.5m", 90.0), ("2h", 7200.0), ("1d", 86400.0)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-3s", "0", "nan", "infs", "2 weeks"])
def test_no_lengths_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        duration(text)


@pytest.mark.parametrize("text", ["5", "1.5", "90", "1e2"])
def test_a_length_of_time_has_a_unit(text: str) -> None:
    """`--max-time 5` was taken for five seconds, by one who meant hours."""
    with pytest.raises(
        ValueError, match=f"'{text}' has no unit; write {text}s for seconds, {text}m"
    ):
        duration(text)


def test_a_search_in_a_pipe_is_shown_in_lines(tmp_path: Path) -> None:
    text = io.StringIO()
    console = Console(file=text, width=200)
    shown_search(acts("", "raise"), replace(QUICK, max_trials=2), tmp_path, console)
    first, ended, _, failed = text.getvalue().splitlines()
    assert first.startswith("trial 0: starts with units=")
    assert ended.startswith("trial 0: completed, val_loss 0, ")
    assert failed.endswith(": ValueError: no such layer")


def test_a_search_in_a_terminal_is_a_table(tmp_path: Path) -> None:
    text = io.StringIO()
    console = Console(file=text, width=200, force_terminal=True)
    shown_search(acts("", "raise"), replace(QUICK, max_trials=2), tmp_path, console)
    assert "1 completed, 1 failed, 0 running" in text.getvalue()


def test_tables_hold_every_trial_and_epoch(tmp_path: Path) -> None:
    found = search(tmp_path, job(), max_trials=3)
    written = write_tables(found, tmp_path)
    assert {path.name for path in written} >= {"trials.csv", "epochs.csv"}
    with (tmp_path / "trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    for row, trial in zip(trials, found.trials, strict=True):
        assert float(row["metric:val_loss"]) == trial.metrics["val_loss"]
        assert row["value:units"] == str(trial.values["units"])
        assert row["value:second"] == str(trial.values.get("second", ""))
    with (tmp_path / "epochs.csv").open(newline="") as file:
        epochs = list(csv.DictReader(file))
    wanted = [(str(t.number), str(e + 1)) for t in found.trials for e in range(t.epochs)]
    assert [(row["number"], row["epoch"]) for row in epochs] == wanted


def test_a_parquet_table_is_of_one_type_in_each_column(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    found = search(tmp_path, job(), max_trials=6)
    write_tables(found, tmp_path)
    columns = parquet.read_table(tmp_path / "trials.parquet").to_pydict()
    assert columns["metric:val_loss"] == [trial.metrics["val_loss"] for trial in found.trials]
    assert columns["value:units"] == [trial.values["units"] for trial in found.trials]


def test_a_recipe_says_what_is_searched() -> None:
    section = lstmgraph.load(
        """
recipe: 1
name: searched
inputs: {frames: {shape: [time, 12]}}
layers:
  voice: {type: lstm, input: frames, units: 8}
  speaker: {type: dense, input: voice, units: 9}
outputs: {speaker: speaker}
training: {loss: mse}
search: {oracle: {type: hyperband, max_epochs: 9}, seed: 7}
"""
    ).compiled.completed["search"]
    settings = job_settings(section)
    oracle = {"type": "hyperband", "max_epochs": 9, "factor": 3, "hyperband_iterations": 1}
    assert settings["oracle"] == oracle
    assert settings["pruning"] is None
    assert settings["seed"] == 7
