"""One trial by itself, in this process: averaged, stopped early, ended before it goes on, wrong."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from tuning_cases import QUICK, write_files

import lstmgraph
from lstmgraph.language.text.document import parse_document
from lstmgraph.tuning.recipes import trial_payload
from lstmgraph.tuning.search.results import COMPLETED, PRUNED, Objective
from lstmgraph.tuning.search.trial import OUTCOME, Trial, TrialSpec, write_json
from lstmgraph.tuning.trial import run_trial

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def spec(folder: Path, number: int, text: str = QUICK, **changes: Any) -> TrialSpec:
    place = folder / "out" / "trials" / f"{number:04d}"
    place.mkdir(parents=True)
    _, data = write_files(folder)
    document = parse_document(text, "quick.yaml")
    job = trial_payload(document, {"train": str(data)}, [Objective("val_loss", "min")])
    made = replace(TrialSpec(number, str(place), {"layers.thinned.rate": 0.2}, 7, job), **changes)
    made.write()
    return made


@pytest.mark.slow
def test_executions_and_folds_are_averaged(tmp_path: Path) -> None:
    """Each training has its seed and its fold, and gives what it gives by itself."""
    objectives = [Objective("val_loss", "min"), Objective("parameters", "min")]
    several = spec(tmp_path, 0, executions=2, folds=2)
    job = {**several.job, "objectives": [[each.metric, each.direction] for each in objectives]}
    found = run_trial(Trial(replace(several, job=job)))
    text = (tmp_path / "out/trials/0000/recipe.yaml").read_text("utf-8")
    losses = []
    for execution in range(2):
        for fold in range(2):
            seed = several.seed_of(execution, fold)
            values = {"runtime.seed": seed, "data": {"split": {"folds": 2}}}
            one = lstmgraph.load(text, overrides=values)
            part = one.load_data(tmp_path / "data.npz").folds[fold]
            place = tmp_path / f"{execution}{fold}"
            trained = one.train(part.train, validation=part.validation, folder=place)
            losses.append(min(trained.history["val_loss"]))
    assert len(set(losses)) == 4
    assert found.metrics["val_loss"] == pytest.approx(fmean(losses), rel=1e-6)
    assert found.metrics["parameters"] == found.parameters == 12 * 2 + 2
    assert "# That is the first of its 4 trainings; their mean is" in text
    assert f"val_loss {losses[0]:.6f}"[:-1] in text


def test_a_pruned_trial_is_not_executed_again(tmp_path: Path) -> None:
    """Its first epoch is worse than the median of the trials before it, which is 0."""
    pruned = spec(tmp_path, 0, executions=3, thresholds=(0.0,))
    found = run_trial(Trial(pruned))
    assert (found.status, found.epochs) == (PRUNED, 1)
    assert found.reason.startswith("stopped after epoch 1: its best val_loss")
    assert found.metrics["val_loss"] == found.history["val_loss"][0]
    assert len((tmp_path / "out/trials/0000/epochs.jsonl").read_text().splitlines()) == 1


@pytest.mark.slow
def test_what_early_stopping_has_ended_does_not_go_on(tmp_path: Path) -> None:
    """No loss gets smaller by 100, so the training ends after its second epoch."""
    stopping = "callbacks: {early_stopping: {monitor: loss, patience: 1, min_delta: 100.0}}"
    text = QUICK.replace("epochs: 2,", f"epochs: 2, {stopping},")
    first = spec(tmp_path, 0, text, epochs=4, keep_last=True)
    before = run_trial(Trial(first))
    assert before.epochs == 2
    write_json(tmp_path / "out/trials/0000" / OUTCOME, before.as_dict())
    later = spec(tmp_path, 1, text, epochs=8, initial_epoch=4, continues=first.folder)
    found = run_trial(Trial(later))
    assert (found.status, found.epochs) == (COMPLETED, 0)
    assert found.metrics == before.metrics
    for name in ("best.keras", "recipe.yaml"):
        kept, copied = ((tmp_path / f"out/trials/000{n}" / name).read_bytes() for n in (0, 1))
        assert kept == copied


def test_a_recipe_that_is_wrong_at_a_point_says_where(tmp_path: Path) -> None:
    text = QUICK.replace("row: {type: flatten", "row: {type: {$search: {choice: [flatten, dense]}}")
    values = {"layers.thinned.rate": 0.2, "layers.row.type": "dense"}
    with pytest.raises(lstmgraph.RecipeError, match=r"quick\.yaml:5:\d+: error\[L"):
        run_trial(Trial(spec(tmp_path, 0, text, values=values)))
