"""The report of a search, read back: what is drawn is what was found."""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from report_pages import (
    SVG,
    assert_in_proportion,
    cells,
    corners,
    losses,
    marks,
    pictures,
    place,
    read,
    words,
)
from searches import CELL, DROPOUT, RATE, UNITS, both_objectives, running, search

from lstmgraph.compiler.load import load_compiled
from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.explain.drawing import draw
from lstmgraph.explain.explanation import explain
from lstmgraph.tuning.report import report_html
from lstmgraph.tuning.report.listing import duration
from lstmgraph.tuning.search.results import COMPLETED, PRUNED, SearchResults, TrialRow

if TYPE_CHECKING:
    from report_pages import Element


def test_every_trial_has_its_place_in_the_course_of_the_search() -> None:
    results = running(search(40))
    (picture,) = pictures(read(results), "progress")
    drawn = marks(picture)
    assert set(drawn) == set(range(41))
    found = losses(results)
    points = {name: mark for name, mark in drawn.items() if mark.tag == f"{SVG}circle"}
    assert set(points) == set(found)
    assert_in_proportion([place(points[n], "cx") for n in found], [float(n) for n in found])
    assert_in_proportion([-place(points[n], "cy") for n in found], list(found.values()))
    assert place(points[min(found, key=found.__getitem__)], "cy") == max(
        place(point, "cy") for point in points.values()
    )


def test_the_curve_goes_through_the_best_completed_trial_so_far() -> None:
    losses_ = (5.0, 6.0, 3.0, 0.5, 4.0, 1.0)
    statuses = (COMPLETED, COMPLETED, COMPLETED, PRUNED, COMPLETED, COMPLETED)
    trials = tuple(
        TrialRow(number, status, {}, metrics={"val_loss": loss})
        for number, (loss, status) in enumerate(zip(losses_, statuses, strict=True))
    )
    (picture,) = pictures(read(search(0, trials=trials, best=5)), "progress")
    (stairs,) = [each for each in picture.iter() if each.get("class") == "stairs"]
    drawn = marks(picture)
    at = {n: (place(mark, "cx"), place(mark, "cy")) for n, mark in drawn.items()}
    corner = [at[0], (at[2][0], at[0][1]), at[2], (at[5][0], at[2][1]), at[5], at[5]]
    assert corners(stairs) == corner


def test_a_wide_objective_is_drawn_by_its_logarithm() -> None:
    trials = tuple(
        TrialRow(number, COMPLETED, {}, metrics={"val_loss": 10.0**number}) for number in range(5)
    )
    (picture,) = pictures(read(search(0, trials=trials, best=0)), "progress")
    assert_in_proportion([-place(m, "cy") for m in marks(picture).values()], [0, 1, 2, 3, 4])
    assert "val_loss (log)" in words(picture)


def test_parallel_coordinates_have_logarithms_categories_and_gaps() -> None:
    results = search(40)
    (picture,) = pictures(read(results), "parallel")
    lines = {name: corners(line) for name, line in marks(picture).items()}
    assert set(lines) == {trial.number for trial in results.trials}
    ys = sorted({y for line in lines.values() for _, y in line})
    assert len(ys) == len(results.dimensions) + 1
    at = {name: {y: x for x, y in line} for name, line in lines.items()}
    values = {trial.number: trial.values for trial in results.trials}
    whole, log, cell, _, conditional, objective = ys
    assert_in_proportion([at[n][whole] for n in at], [values[n][UNITS.name] for n in at])
    assert_in_proportion([at[n][log] for n in at], [math.log(values[n][RATE.name]) for n in at])
    assert_in_proportion(
        [at[n][cell] for n in at], [float(CELL.choices.index(values[n][CELL.name])) for n in at]
    )
    assert {n for n in at if conditional in at[n]} == {
        n for n in values if DROPOUT.name in values[n]
    }
    assert {n for n in at if objective in at[n]} == set(losses(results))
    for name, line in marks(picture).items():
        gap = DROPOUT.name not in values[name] and name in losses(results)
        assert line.get("d", "").count("M") == (2 if gap else 1)


def test_pruned_and_failed_trials_look_different() -> None:
    results = search(60)
    (picture,) = pictures(read(results), "parallel")
    for name, line in marks(picture).items():
        status = results.trials[name].status
        kind = line.get("class", "")
        assert re.fullmatch(r"q[0-8]( best)?", kind) if status == COMPLETED else kind == status
    best, worst = (pick(losses_of(results), key=losses_of(results).get) for pick in (min, max))
    assert marks(picture)[best].get("class") == "q8 best"
    assert marks(picture)[worst].get("class") == "q0"


def losses_of(results: SearchResults) -> dict[int, float]:
    return {n: v for n, v in losses(results).items() if results.trials[n].status == COMPLETED}


def importances(root: Element) -> dict[str, str]:
    (table,) = [each for each in root.iter("table") if each.get("class") == "importance"]
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    return {row[0]: row[1] for row in rows[1:]}


def test_importance_of_a_number_is_its_rank_correlation() -> None:
    # d of the ranks is 1, 1, 0, 0, 0: Spearman's 1 - 6 * 2 / (5 * 24) = 0.9, here downwards
    units, found = (10, 20, 30, 40, 50), (9.0, 99.0, 3.0, 2.0, 1.0)
    trials = tuple(
        TrialRow(n, COMPLETED, {UNITS.name: u}, metrics={"val_loss": v})
        for n, (u, v) in enumerate(zip(units, found, strict=True))
    )
    root = read(search(0, trials=trials, dimensions=(UNITS, RATE)))
    assert importances(root) == {UNITS.name: "0.90", RATE.name: "unknown"}


def test_importance_of_a_choice_is_the_variance_between_its_values() -> None:
    # lstm 1, 3; gru 5, 7: of the sum of squares 20, (2 - 4)^2 * 2 + (6 - 4)^2 * 2 = 16 is between
    found = (("lstm", 1.0), ("lstm", 3.0), ("gru", 5.0), ("gru", 7.0))
    trials = tuple(
        TrialRow(n, COMPLETED, {CELL.name: c}, metrics={"val_loss": v})
        for n, (c, v) in enumerate(found)
    )
    root = read(search(0, trials=trials, dimensions=(CELL,)))
    assert importances(root) == {CELL.name: "0.80"}


def test_each_effect_shows_the_trials_that_have_the_dimension() -> None:
    results = search(40)
    found = losses(results)
    drawn = {words(p): marks(p) for p in pictures(read(results), "effect")}
    assert len(drawn) == len(results.dimensions)
    for dimension in results.dimensions:
        (points,) = [points for text, points in drawn.items() if dimension.name in text]
        assert set(points) == {
            t.number for t in results.trials if dimension.name in t.values and t.number in found
        }
    (points,) = [points for text, points in drawn.items() if f"{RATE.name} (log)" in text]
    rates = [math.log10(results.trials[n].values[RATE.name]) for n in points]
    assert_in_proportion([place(point, "cx") for point in points.values()], rates)


def test_learning_curves_follow_the_histories() -> None:
    results = search(30)
    (picture,) = pictures(read(results), "learning")
    curves = marks(picture)
    histories = {t.number: t.history["val_loss"] for t in results.trials if t.history}
    assert set(curves) == set(histories)
    points = [corners(curves[n]) for n in histories]
    assert [len(line) for line in points] == [len(line) for line in histories.values()]
    flat = list(itertools.chain.from_iterable(histories.values()))
    assert_in_proportion([-y for line in points for _, y in line], flat)
    assert [n for n in curves if "best" in curves[n].get("class", "")] == [results.best]
    assert list(curves)[-1] == results.best


def test_two_objectives_give_a_front() -> None:
    results = both_objectives(40)
    root = read(results)
    assert len(pictures(root, "progress")) == 2
    (picture,) = pictures(root, "pareto")
    points = marks(picture)
    assert set(points) == set(losses(results))
    front = {n for n, point in points.items() if point.get("class") == "front"}
    assert front == set(results.front)
    speeds = [results.trials[n].metrics["rows_per_second"] for n in points]
    assert_in_proportion([-place(point, "cy") for point in points.values()], speeds)
    assert not pictures(read(search(5)), "pareto")


def test_the_table_has_every_trial() -> None:
    results = search(30)
    rows = cells(read(results))
    assert set(rows) == set(range(30))
    for trial in results.trials:
        row = rows[trial.number]
        assert row[1] == trial.status
        assert row[-1] == trial.reason
        assert row[-2] == str(trial.parameters)
        assert float(row[-5]) == pytest.approx(trial.seconds, abs=0.051)
        if trial.number in losses(results):
            assert float(row[2]) == pytest.approx(losses(results)[trial.number], rel=1e-5)


def test_the_best_model_is_drawn_as_graph_draws_it_and_listed() -> None:
    results = search(3, settings={"gpus": ["0"]})
    text = report_html(results)
    compiled = load_compiled(results.best_recipe)
    on_gpu = Machine(gpus=1)
    assert draw(compiled, on_gpu, "svg") in text
    assert explain(compiled, on_gpu).totals_text() in words(read(results))


def kernels(**settings: Any) -> set[str]:
    root = read(search(3, settings=settings))
    (table,) = [each for each in root.iter("table") if each.get("class") == "calls"]
    found = {"".join(row[-1].itertext()) for row in table.iter("tr")} - {"", "kernel"}
    (picture,) = pictures(root, "lstmgraph-auto")
    drawn = words(picture)
    assert all(name in drawn for name in found)
    assert ("cudnn" in drawn) == ("cudnn" in found)
    return found


def test_the_kernels_are_those_that_ran() -> None:
    assert kernels(gpus=["0"]) == {"cudnn"}
    assert kernels(gpus=[]) == {"fused / standard"}
    assert kernels(cluster="ray", gpus=[], gpus_per_trial=0.5) == {"cudnn"}
    assert kernels(cluster="ray", gpus=[], gpus_per_trial=0.0) == {"fused / standard"}


def test_the_test_score_and_both_times_are_shown() -> None:
    results = search(20, settings={"workers": 2, "search_seconds": 75.0, "executions_per_trial": 1})
    text = report_html(results, test={"loss": 0.125, "mae": 0.25})
    root = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>"))
    tiles = [words(each) for each in root.iter("div") if each.get("class") == "tile"]
    assert "0.125loss of the best model on the test data, which no trial saw" in tiles
    assert "1 min 15 sfrom start to end with 2 trials at a time" in tiles
    whole = duration(sum(trial.seconds for trial in results.trials))
    fit = duration(sum(trial.fit_seconds for trial in results.trials))
    assert f"{whole}sum over all trials, {fit} of it in training" in tiles
    assert "mae on the test data0.25" in words(root)
    assert "and these are its metrics" in words(root)
    assert "test data" not in words(read(results))


def test_a_recipe_that_cannot_be_read_is_said_to_be_one() -> None:
    root = read(search(3, best_recipe="recipe: 1\nlayers: 3\n"))
    assert "does not accept its recipe:<text>:1:1: error[L202]: the recipe has no" in words(root)
    assert not pictures(root, "lstmgraph-auto")


def test_the_recipe_stands_there_as_it_is() -> None:
    results = search(3)
    assert results.best_recipe in {"".join(pre.itertext()) for pre in read(results).iter("pre")}
