"""``lstmgraph tune``: what it finds, writes and says, against trainings by themselves."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from tuning_cases import QUICK, arrays, write_files
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.trial import TrialSpec

if TYPE_CHECKING:
    from typer.testing import Result

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("forked_servers"),
]

TRIALS = 4


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@dataclass(frozen=True)
class Searched:
    recipe: Path
    data: Path
    folder: Path
    printed: str

    @property
    def command(self) -> list[object]:
        return ["tune", self.recipe, "--data", self.data, "--out", self.folder]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    place = tmp_path_factory.mktemp("tune")
    recipe, data = write_files(place)
    found = Searched(recipe, data, place / "out", "")
    result = run(*found.command, "--max-trials", TRIALS, "--workers", 2)
    assert result.exit_code == 0, result.output
    return Searched(recipe, data, place / "out", result.output)


@pytest.mark.slow
def test_it_writes_the_best_and_tables_of_all(searched: Searched) -> None:
    results = read_results(searched.folder)
    assert len(results.trials) == TRIALS
    assert results.state == "finished"
    names = ("best.recipe.yaml", "best.keras", "trials.csv", "epochs.csv", "report.html")
    for name in names:
        assert (searched.folder / name).exists()
        assert f"wrote {searched.folder / name}" in searched.printed
    with (searched.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    losses = {row["number"]: row["metric:val_loss"] for row in rows if row["metric:val_loss"]}
    assert str(results.best) == min(losses, key=lambda number: float(losses[number]))
    assert f"best trial {results.best}: completed, val_loss" in searched.printed


@pytest.mark.slow
def test_a_trial_that_fails_is_recorded_and_ends_nothing(searched: Searched) -> None:
    rate = "training.optimizer.learning_rate"
    failed = [trial for trial in read_results(searched.folder).trials if trial.status == "failed"]
    assert failed
    for trial in failed:
        assert trial.values[rate] == 1e30
        assert trial.reason.startswith("DivergedError: the loss is")


@pytest.mark.slow
def test_the_best_recipe_gives_its_number_again(searched: Searched, tmp_path: Path) -> None:
    results = read_results(searched.folder)
    best = results.trials[results.best or 0]
    recipe = lstmgraph.load(searched.folder / "best.recipe.yaml")
    assert "search" not in recipe.resolved()
    kept = 1 + int(np.argmin(best.history["val_loss"]))
    remark = f"`lstmgraph train` goes on after it, without `--epochs {kept}`."
    text = (searched.folder / "best.recipe.yaml").read_text("utf-8")
    assert (remark in text) == (kept < best.epochs)
    first = recipe.train(searched.data, folder=tmp_path / "run", epochs=kept)
    x, model = arrays(12, seed=1)[0], lstmgraph.load_model(searched.folder / "best.keras")
    wanted = model.predict(x, verbose=0)["y"]
    np.testing.assert_allclose(first.model.predict(x, verbose=0)["y"], wanted, rtol=1e-5, atol=1e-6)
    found = recipe.train(searched.data, folder=tmp_path / "run")
    assert min(found.history["val_loss"]) == pytest.approx(best.metrics["val_loss"], rel=1e-6)
    assert found.history["loss"] == pytest.approx(list(best.history["loss"]), rel=1e-6)


@pytest.mark.slow
def test_the_best_model_is_that_of_the_best_epoch(searched: Searched) -> None:
    """Plain Keras loads it, and finds the same loss on the same examples."""
    results = read_results(searched.folder)
    best = results.trials[results.best or 0]
    data = lstmgraph.load(searched.recipe).load_data(searched.data)
    x, y, _ = data.validation.arrays()
    model = keras.models.load_model(searched.folder / "best.keras")
    assert model.count_params() == best.parameters
    loss = model.evaluate(x, y, batch_size=8, verbose=0)[0]
    assert loss == pytest.approx(best.metrics["val_loss"], rel=1e-6)
    x, y = arrays(12, seed=1)
    prediction = model.predict(x, verbose=0)["y"]
    error = float(np.mean((prediction.astype("float64") - y["y"]) ** 2))
    assert f"on the test data, which no trial saw: loss {error:.4g}" in searched.printed
    text = lstmgraph.load(searched.folder / "best.keras").resolved()
    assert text == lstmgraph.load(searched.folder / "best.recipe.yaml").resolved()


@pytest.mark.slow
def test_trials_are_not_told_of_the_test_data(searched: Searched) -> None:
    spec = TrialSpec.read(searched.folder / "trials" / "0000" / "spec.json")
    assert set(spec.job["data"]) == {"train"}


def test_another_recipe_or_other_data_is_refused(searched: Searched, tmp_path: Path) -> None:
    before = (searched.folder / "search.jsonl").read_bytes()
    other = run(*searched.command, "--max-trials", 9, "--set", "training.batch_size=4")
    assert other.exit_code == 1
    assert "recipe, as it was" in other.stderr
    assert "+training.batch_size: 4" in other.stderr
    inputs, targets = arrays(seed=5)
    np.savez(tmp_path / "data.npz", **inputs, **targets)
    command = ["tune", searched.recipe, "--data", tmp_path / "data.npz", "--out", searched.folder]
    changed = run(*command, "--max-trials", 9, "--format", "json")
    assert changed.exit_code == 1
    assert "data, as it was" in json.loads(changed.stdout)["error"]
    assert (searched.folder / "search.jsonl").read_bytes() == before


@pytest.mark.slow
def test_comments_and_how_long_are_no_change(searched: Searched) -> None:
    """The same search, which has ended: no trial is run."""
    text = searched.recipe.read_text("utf-8")
    searched.recipe.write_text(
        "# Another comment.\n" + text.replace("{seed: 4}", "{seed: 4, max_trials: 4}")
    )
    again = run(*searched.command, "--format", "json")
    searched.recipe.write_text(text)
    assert again.exit_code == 0, again.output
    found = json.loads(again.stdout)
    results = read_results(searched.folder)
    assert found["best"]["number"] == results.best
    assert found["best"]["metrics"] == results.trials[results.best or 0].metrics
    assert sum(found["trials"].values()) == TRIALS
    assert found["files"]["model"] == str(searched.folder / "best.keras")
    assert found["ended_because"] == "max_trials"
    assert set(found["test"]) == {"loss", "mae"}


def test_the_report_is_made_again(searched: Searched) -> None:
    before = (searched.folder / "report.html").read_text("utf-8")
    for name in ("report.html", "trials.csv", "best.recipe.yaml"):
        (searched.folder / name).unlink()
    found = run("report", searched.folder, "--format", "json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["files"]["report"] == str(searched.folder / "report.html")
    assert (searched.folder / "report.html").read_text("utf-8") == before
    assert (searched.folder / "trials.csv").exists()
    nothing = run("report", searched.folder.parent)
    assert nothing.exit_code == 1
    assert "there is no search here" in nothing.stderr


@pytest.mark.slow
def test_hyperband_goes_on_where_the_trial_before_it_ended(tmp_path: Path) -> None:
    """From Python, with arrays: the numbers are those of a training that was never stopped."""
    overrides = {
        "search.oracle": {"type": "hyperband", "max_epochs": 4, "factor": 2},
        "training.callbacks": {"early_stopping": {"patience": 3}, "reduce_lr_on_plateau": {}},
    }
    options = {"folder": tmp_path / "out", "max_trials": 8, "workers": 2}
    result = lstmgraph.tune(QUICK, arrays(), overrides=overrides, **options)
    specs = [TrialSpec.read(path) for path in sorted((tmp_path / "out").glob("trials/*/spec.json"))]
    later = next(spec for spec in reversed(specs) if spec.continues)
    place = Path(later.folder)
    whole = lstmgraph.load(place / "recipe.yaml")
    assert whole.training is not None
    assert whole.training["epochs"] == later.epochs
    found = whole.train(arrays(), folder=tmp_path / "run")
    row = result.results.trials[later.number]
    assert not result.test, "there is no test data"
    assert row.epochs == (later.epochs or 0) - later.initial_epoch
    for name in ("loss", "val_loss", "learning_rate"):
        own = found.history[name][later.initial_epoch :]
        assert list(row.history[name]) == pytest.approx(own, rel=1e-6)
