"""The benchmarks run and say what they measured. What they measured is not looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import devices, report
from benchmarks.floor import Floor
from benchmarks.grid import Case
from benchmarks.options import Options, missing
from benchmarks.timing import OURS, Figure, alternate, compare, turns

ROOT = Path(__file__).parent.parent


def run(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a smoke run of the cheapest parts prints, and the file it writes."""
    file = tmp_path_factory.mktemp("benchmarks") / "figures.json"
    return run("--quick", "--parts", "build", "inference", "--json", file), file


def figures(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8"))["figures"]


@pytest.mark.slow
def test_every_row_has_both_sides_and_a_ratio_or_says_why_not(measured) -> None:
    rows = figures(measured[1])
    assert [(row["part"], row["case"], row["against"]) for row in rows] == [
        ("recipe to model", "4 layers", "Keras by hand"),
        ("inference", "1 layer, batch 1, masked", "Keras by hand"),
        ("inference", "1 layer, batch 1, masked", "Keras by hand, model(x)"),
        ("inference", "1 layer, batch 1, masked", "torch.nn.LSTM"),
    ]
    for row in rows:
        if row["against"] == "torch.nn.LSTM" and missing("torch"):
            assert row["verdict"] == "torch not installed"
            assert row["ratio"] is None
        else:
            assert len(row["ours"]) == len(row["theirs"]) == 1
            assert row["ratio"] == pytest.approx(row["ours"][0] / row["theirs"][0])
            assert row["verdict"] in {"ok", "missed", "report"}


@pytest.mark.slow
def test_rows_that_run_have_a_floor_and_the_json_says_on_what_machine(measured) -> None:
    content = json.loads(measured[1].read_text("utf-8"))
    floors = [row["floor"] for row in content["figures"]]
    assert floors[0] is None
    for floor in floors[1:]:
        assert floor["runtime"] == "tensorflow"
        assert floor["seconds"] == pytest.approx(floor["flops"] / floor["flops_per_second"])
    assert content["format"] == 1
    assert content["machine"]["threads"] == 2
    assert {"keras", "tensorflow", "numpy"} <= content["machine"]["packages"].keys()


@pytest.mark.slow
def test_markdown_has_a_row_for_each_figure(measured, tmp_path) -> None:
    printed, file = measured
    run("--json", file, "--markdown", tmp_path / "results.md")
    lines = (tmp_path / "results.md").read_text("utf-8").splitlines()
    assert "## Inference" in lines
    rows = [line for line in lines if line.startswith(("| 1 layer", "| 4 layers"))]
    assert len(rows) == len(figures(file))
    for row, figure in zip(rows, figures(file), strict=True):
        assert f"| {figure['against']} |" in row
        assert f"| {figure['verdict']} |" in row
        assert figure["case"] in printed


def test_markdown_without_figures_says_what_to_do(tmp_path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--json", tmp_path / "none", "--markdown", "m"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert "measure first" in process.stderr
    assert "Traceback" not in process.stderr


def figure(**changes: Any) -> Figure:
    values = {"ours": (1.0, 3.0, 2.0), "theirs": (2.0, 2.0, 5.0), "aim": 1.0, **changes}
    return Figure("part", "case", "Keras by hand", **values)


def test_the_ratio_is_that_of_the_medians() -> None:
    assert figure().ratio == 2.0 / 2.0
    assert figure().spread == (2.0 / 5.0, 3.0 / 2.0)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "ok"),
        ({"aim": 0.99}, "missed"),
        ({"aim": None}, "report"),
        ({"theirs": (), "remark": "torch not installed"}, "torch not installed"),
    ],
)
def test_verdicts(changes: dict[str, Any], verdict: str) -> None:
    assert figure(**changes).verdict == verdict
    assert verdict in report.line(report.row(figure(**changes)))


def test_the_floor_stands_beside_the_row_as_a_multiple() -> None:
    row = report.row(figure(floor=Floor(10, "tensorflow", 20.0)))  # half a second
    assert report.line(row).split()[-1] == "4.0"  # ours has a median of 2 seconds


@pytest.mark.parametrize("sides", [2, 3, 4])
def test_in_turn_every_side_is_first_equally_often(sides: int) -> None:
    names = [f"side {number}" for number in range(sides)]
    orders = [turns(names, repeat) for repeat in range(2 * sides)]
    assert all(sorted(order) == names for order in orders)
    assert set(Counter(order[0] for order in orders).values()) == {2}


def test_sides_take_turns_inside_each_repeat() -> None:
    called: list[str] = []
    sides = {name: (lambda name=name: called.append(name)) for name in ("ours", "theirs")}
    times = alternate(sides, Options(repeats=3, seconds=0.0))
    assert {name: len(seconds) for name, seconds in times.items()} == {"ours": 3, "theirs": 3}
    warm_up, *repeats = [called[i : i + 2] for i in range(0, len(called), 2)]
    assert all(sorted(pair) == ["ours", "theirs"] for pair in (warm_up, *repeats))


@pytest.mark.parametrize("lacking", [OURS, "torch.nn.LSTM"])
def test_a_side_that_is_missing_makes_a_remark_and_runs_nothing(lacking: str) -> None:
    called: list[str] = []
    sides = {name: (lambda name=name: called.append(name)) for name in (OURS, "torch.nn.LSTM")}
    found = list(compare("part", "case", sides | {lacking: "not here"}, Options(), aims={}))
    assert [figure.verdict for figure in found] == ["not here"]
    assert not called


def test_packages_that_are_missing_are_named() -> None:
    assert missing("json") == ""
    assert missing("json", "no_such_package") == "no_such_package not installed"


def test_operations_of_a_forward_pass() -> None:
    """Counted on paper: 4 gates of 128 units, of 32 features and 128 states, in 100 steps."""
    head = 2 * 128 * 10
    assert Case(1, 1, masked=False).forward_flops() == 16_384_000 + head
    assert Case(2, 1, masked=False).forward_flops() == 16_384_000 + 26_214_400 + head
    assert Case(1, 1, masked=True).forward_flops() == 16_384_000 * 75 // 100 + head
    assert Case(1, 32, masked=False).forward_flops() == 32 * (16_384_000 + head)


def test_padding_is_zeros_after_each_length() -> None:
    batch = Case(1, 32, masked=True).data()
    last = [int(np.flatnonzero(row.any(axis=-1))[-1]) + 1 for row in batch.sequence]
    assert last == batch.lengths.tolist()
    assert 50 <= min(last) < 60
    assert 90 < max(last) <= 100


# --- devices ---


def device_line(steps: int, ours: float, keras: float, int8_bytes: int) -> dict[str, Any]:
    """A line with two calls of each side, which take these times and twice as long."""

    def side(seconds: float, size: int | None) -> dict[str, Any]:
        times = [seconds, 2 * seconds]
        return {"bytes": size, "arena": None, "clock": times, "processor": times}

    return {
        "case": {"kind": "lstm", "layers": 1, "units": 16, "steps": steps},
        "sides": {
            devices.OURS: side(ours, 7_000),
            devices.OURS_INT8: side(ours, int8_bytes),
            devices.KERAS: side(keras, 10_000),
            devices.OURS_ALONE: side(ours, 7_000),
            devices.KERAS_ALONE: side(4 * ours, 10_000),
            devices.TORCH: "torch not installed",
        },
        "load": 0.0,
        "machine": {"processor": "some"},
    }


def test_devices_have_a_verdict_for_each_aim() -> None:
    lines = [device_line(50, 1e-3, 3.1e-3, 2_400), device_line(9, 1e-3, 2.9e-3, 2_500)]
    text = devices.table([*lines, lines[1]])  # a case that is measured again counts once
    rows = [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("| lstm")]
    found = {(row[3], row[4], row[9]): row[10:] for row in rows if len(row) > 12}
    ours, int8 = (devices.OURS, devices.KERAS), (devices.OURS_INT8, devices.OURS)
    small = "at most 0.75 of its size: ok"
    assert found["50", *ours] == ["3.10", "0.70", f"3 times as fast: ok; {small}"]
    assert found["9", *ours] == ["2.90", "0.70", f"3 times as fast: missed; {small}"]
    assert found["50", *int8] == ["1.00", "0.34", "at most 0.35 of its size: ok"]
    assert found["9", *int8] == ["1.00", "0.36", "at most 0.35 of its size: missed"]
    alone = (devices.OURS_ALONE, devices.KERAS_ALONE)
    assert found["9", *alone] == ["4.00", "0.70", "3 times as fast: ok"]
    assert f"{', against '.join(ours)}, 3 times as fast: 1 of 2" in text
    assert f"{', against '.join(alone)}, 3 times as fast: 2 of 2" in text
    assert "| torch.nn.LSTM | torch not installed |" in text
    assert "medians of 2 calls" in text


@pytest.mark.slow
def test_devices_go_on_where_they_were_and_write_a_section(tmp_path) -> None:
    lines, page = tmp_path / "devices.jsonl", tmp_path / "page.md"
    page.write_text("# Page\n\n## On devices\n\nold\n\n## Other\n\nkept\n", "utf-8")
    quick = ("devices", "--quick", "--repeats", "2", "--lines", lines)
    assert "lstmgraph, LiteRT int8" in run(*quick)
    assert "lstmgraph" not in run(*quick)  # nothing is missing
    (line,) = map(json.loads, lines.read_text("utf-8").splitlines())
    sides = (devices.OURS, devices.OURS_INT8, devices.KERAS, devices.KERAS_ALONE, devices.ONNX_INT8)
    for name in sides:
        side = line["sides"][name]
        assert len(side["clock"]) == len(side["processor"]) == 2
        assert side["bytes"] > 1000
    run("devices", "--lines", lines, "--markdown", page)
    text = page.read_text("utf-8")
    assert "old" not in text
    assert text.endswith("## Other\n\nkept\n")
    assert "| lstm | 1 | 16 | 50 | onnxruntime int8 |" in text
