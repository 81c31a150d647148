"""Search folders from elsewhere: edited, damaged, and with other things in place of files.

``LSTMGRAPH_EXAMPLES=2000`` tries so many, and other, edits than the fixed ones.
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from search_edits import RECIPE, SECRET, go_on, try_edits, whole_search
from searching import ORACLES
from special_files import at_most
from test_cli import invoke

from lstmgraph.csv_files import write_csv
from lstmgraph.tuning.result import written_results
from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.results import (
    COMPLETED,
    DimensionRow,
    Objective,
    SearchResults,
    TrialRow,
)
from lstmgraph.tuning.search.tables import write_tables
from lstmgraph.tuning.search.trial import TrialSpec, earlier_specs

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = int(os.environ.get("LSTMGRAPH_EXAMPLES", "0"))
BEST = 7
"""The best trial of the search below."""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was cut off in its last trial."""
    folder = whole_search(tmp_path_factory.mktemp("searched") / "out", "random")
    assert read_results(folder).best == BEST
    return folder


@pytest.fixture
def folder(searched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(searched, tmp_path / "out"))


@pytest.mark.slow
def test_edits_at_random_end_in_one_message_or_in_none(tmp_path: Path) -> None:
    seed = random.randrange(10**6) if EXAMPLES else 0
    figures = try_edits(tmp_path, EXAMPLES or 60, seed)
    assert figures.reported
    assert figures.went_on
    assert figures.refused


# --- what is wrong, and where ---


def edited(change: Callable[[Any], Any], line: int = 1) -> Callable[[Path], None]:
    """An edit of a line of JSON: `change` takes what it holds, and may give another."""

    def edit(path: Path) -> None:
        lines = path.read_text("utf-8").splitlines()
        event = json.loads(lines[line - 1])
        other = change(event)
        lines[line - 1] = other if isinstance(other, str) else json.dumps(event)
        path.write_text("\n".join(lines) + "\n", "utf-8")

    return edit


def put(*path: str, value: Any) -> Callable[[Any], None]:
    def change(event: Any) -> None:
        for key in path[:-1]:
            event = event[key]
        event[path[-1]] = value

    return change


JOURNAL = {
    "no JSON": (2, lambda _: "{"),
    "nested deeply": (2, lambda _: "[" * 100_000),
    "no event": (3, lambda _: "[]"),
    "an unknown event": (3, put("event", value="stopped")),
    "an event that is a list": (3, put("event", value=["started"])),
    "no number of a trial": (2, lambda event: event.pop("trial")),
    "another number of a trial": (2, put("trial", value=5)),
    "a huge number": (2, put("trial", value=10**30)),
    "a number that is true": (2, put("trial", value=True)),
    "no values": (2, lambda event: event.pop("values")),
    "values that are a list": (2, put("values", value=[1])),
    "other values than those proposed": (2, put("values", "units", value=96)),
    "another proposal": (2, put("proposed", "units", value=96)),
    "half a character": (3, put("reason", value="\ud800")),
    "an unknown status": (3, put("status", value="well")),
    "metrics without the objective": (3, put("metrics", value={})),
    "an objective that is text": (3, put("metrics", "val_loss", value="low")),
    "an objective that is infinite": (3, put("metrics", "val_loss", value=math.inf)),
    "a history that is a number": (3, put("history", "val_loss", value=1.0)),
    "a history with a text": (3, put("history", "val_loss", value=[1.0, "x"])),
    "no seconds": (3, lambda event: event.pop("seconds")),
    "seconds that are text": (3, put("at", value="soon")),
}


@pytest.mark.parametrize("name", JOURNAL)
def test_a_line_that_no_search_wrote_is_named(folder: Path, name: str) -> None:
    line, change = JOURNAL[name]
    edited(change, line)(folder / "search.jsonl")
    with pytest.raises(SearchError, match=f"search.jsonl:{line}: .*") as caught:
        go_on(folder, "random")
    assert "--restart" in str(caught.value)
    if name.startswith(("other values", "another proposal")):
        return  # only the oracle knows
    result = invoke("report", str(folder))
    assert result.exit_code == 1
    assert f"search.jsonl:{line}: " in result.stderr
    page = (folder / "report.html").read_text("utf-8")
    assert f"search.jsonl:{line}: " in page
    shown = {trial.number for trial in read_results(folder).trials}
    assert shown >= set(range(1, 12)), "what can be read is shown"


JOB = {
    "no JSON": lambda _: "{",
    "a list": lambda _: "[1]",
    "no objectives": lambda job: job.pop("objectives"),
    "objectives that are text": put("objectives", value="val_loss"),
    "a direction that is none": put("objectives", value=[{"metric": "a", "direction": "up"}]),
    "dimensions that are a mapping": put("dimensions", value={"a": 1}),
    "a dimension with another key": put("dimensions", value=[{"name": "a", "kind": "int"}]),
    "a name that is a number": put("name", value=3),
    "no oracle": lambda job: job.pop("oracle"),
    "nested deeply": lambda _: "[" * 100_000,
}


@pytest.mark.parametrize("name", JOB)
def test_a_job_that_no_search_wrote_is_named(folder: Path, name: str) -> None:
    edited(JOB[name])(folder / "job.json")
    with pytest.raises(SearchError, match=r"job\.json: "):
        go_on(folder, "random")
    result = invoke("report", str(folder), "--format", "json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["ok"] is False
    assert "job.json: " in said["error"]
    assert "report" in said["files"]
    assert len(read_results(folder).trials) == 12


@pytest.mark.parametrize(
    "left",
    ["{", "[]", "{}", '{"status": "completed"}', '{"status": "completed", "metrics": {"a": "b"}}',
     '{"status": "timed_out"}', "[" * 100_000,
     '{"status": "completed", "metrics": {"val_loss": 0.0}, "event": "closed", "history": 3}'],
)  # fmt: skip
def test_an_outcome_that_no_trial_wrote_is_none(folder: Path, left: str) -> None:
    wanted = go_on(Path(shutil.copytree(folder, folder.with_name("whole"))), "random")
    (folder / "trials" / "0011" / "outcome.json").write_text(left, "utf-8")
    assert go_on(folder, "random") == wanted, "the trial runs again"


def test_an_outcome_adds_nothing_to_what_is_noted(folder: Path) -> None:
    """A trial that ended with nobody there is taken in; what it may not say is left out."""
    outcome = {"status": "completed", "metrics": {"val_loss": 9.0}, "trial": 3, "event": "closed"}
    (folder / "trials" / "0011" / "outcome.json").write_text(json.dumps(outcome), "utf-8")
    assert go_on(folder, "random")[11] == {"val_loss": 9.0}
    assert read_results(folder).unread == ()


@pytest.mark.slow
@pytest.mark.parametrize("oracle", ORACLES)
def test_a_proposal_out_of_the_space_is_refused(tmp_path: Path, oracle: str) -> None:
    """keras-tuner's Bayesian oracle is given what it proposed, and would accept anything."""
    folder = whole_search(tmp_path / "out", oracle)
    lines = (folder / "search.jsonl").read_text("utf-8").splitlines()
    starts = [n for n, line in enumerate(lines, 1) if '"started","trial"' in line]
    for changes in ({"units": "many"}, {"units": 10**6}, {"bridge": "x"}, {"more": 1}):
        copy = Path(shutil.copytree(folder, tmp_path / str(len(list(tmp_path.iterdir())))))
        edited(lambda event, c=changes: event["proposed"].update(c), starts[-2])(
            copy / "search.jsonl"
        )
        with pytest.raises(SearchError, match=f"search.jsonl:{starts[-2]}: "):
            go_on(copy, oracle)


def test_trials_that_go_on_from_each_other_end(tmp_path: Path) -> None:
    for number, continues in ((0, "0001"), (1, "0000")):
        place = tmp_path / f"{number:04d}"
        place.mkdir()
        spec = TrialSpec(number, str(place), {}, 0, continues=str(tmp_path / continues))
        spec.write()
    with pytest.raises(ValueError, match="trial 0 cannot go on from 0001"):
        list(earlier_specs(TrialSpec.read(tmp_path / "0001" / "spec.json")))


# --- other things in place of files ---

NAMES = (
    "lock", "search.jsonl", "job.json", "server.log", "trials", "data", "trials/0003",
    "trials/0011", f"trials/{BEST:04d}/recipe.yaml", f"trials/{BEST:04d}/best.keras",
    "trials/0011/outcome.json", "trials/0011/epochs.jsonl", "report.html", "trials.csv",
    "best.keras", "best.recipe.yaml",
)  # fmt: skip


def replaced(path: Path, kind: str, outside: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        (path / "in it").mkdir(parents=True)
    else:
        path.symlink_to(
            {"link": outside / "secret", "device": Path("/dev/zero")}.get(kind, outside)
        )


@pytest.mark.parametrize("kind", ["link", "link to a folder", "device", "pipe", "folder"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_leads_out_of_a_folder_or_waits(
    folder: Path, tmp_path: Path, name: str, kind: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "0003").mkdir(parents=True)
    for path in (outside / "secret", outside / "best.keras", outside / "0003" / "best.keras"):
        path.write_text(SECRET, "utf-8")
    replaced(folder / name, kind, outside)
    with at_most(20):
        for act in (written_results, lambda place: go_on(place, "random")):
            with suppress(SearchError):
                act(folder)
    for path in (outside / "secret", outside / "best.keras", outside / "0003" / "best.keras"):
        assert path.read_text("utf-8") == SECRET
    assert len([*outside.rglob("*")]) == 4, "nothing is written there"
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert SECRET not in path.read_text("utf-8", "replace"), path


@pytest.mark.parametrize("name", ["trials", "data", "trials/0003"])
def test_a_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    replaced(folder / name, "link to a folder", tmp_path)
    with pytest.raises(SearchError, match="it is a symbolic link"):
        go_on(folder, "random")


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder)
    assert len(go_on(tmp_path / "linked", "random")) == 12
    assert written_results(tmp_path / "linked")[1].unread == ()


def test_a_recipe_in_a_folder_extends_no_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(RECIPE, "utf-8")
    place = folder / "trials" / f"{BEST:04d}"
    (place / "recipe.yaml").write_text(f"extends: {tmp_path / 'base.yaml'}\n", "utf-8")
    written_results(folder)
    assert "type: lstm" not in (folder / "report.html").read_text("utf-8")


# --- formulas ---

FORMULAS = (
    "=1+cmd|' /C calc'!A0", "+1+2", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+2",
    "-", "+a",
)  # fmt: skip
HARMLESS = ("lstm", "1", "-1.5", "+2", "-3e-4", "", " =1", "a=1", "none")


def test_spreadsheets_are_handed_no_formulas(tmp_path: Path) -> None:
    choices = (*FORMULAS, *HARMLESS, -1.5, None)
    dimension = DimensionRow("cell", "choice", choices=choices)
    trials = tuple(
        TrialRow(
            number, COMPLETED, {"cell": choice}, "=reason()", {"=metric": -2.5}, {"@m": (-0.5,)}, 1
        )
        for number, choice in enumerate(choices)
    )
    objectives = (Objective("=metric", "min"),)
    results = SearchResults("demo", objectives, (dimension,), trials, None)
    write_tables(results, tmp_path)
    with (tmp_path / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown = [row["value:cell"] for row in rows]
    assert shown == [*(f"'{text}" for text in FORMULAS), *HARMLESS, "-1.5", ""]
    assert {row["metric:=metric"] for row in rows} == {"-2.5"}
    assert {row["reason"] for row in rows} == {"'=reason()"}
    epochs = (tmp_path / "epochs.csv").read_text("utf-8").splitlines()
    assert epochs[:2] == ["number,epoch,'@m", "0,1,-0.5"]
    parquet = pytest.importorskip("pyarrow.parquet")
    exact = parquet.read_table(tmp_path / "trials.parquet").to_pydict()["value:cell"]
    assert [None if each is None else json.loads(each) for each in exact] == list(choices)


def test_a_training_writes_no_formulas_either(tmp_path: Path) -> None:
    write_csv(tmp_path / "history.csv", [{"=loss": 1, "epoch": 2}, [-0.5, 1]], line_end="\n")
    assert (tmp_path / "history.csv").read_text("utf-8") == "'=loss,epoch\n-0.5,1\n"
