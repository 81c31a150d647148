"""The report of a search, read back: what is drawn is what was found, whatever was found."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from generated import examples
from hypothesis import given
from hypothesis import strategies as st
from searches import (
    CELL,
    DROPOUT,
    RATE,
    UNITS,
    both_objectives,
    running,
    search,
)

from lstmgraph.search.report import report_html, write_report
from lstmgraph.search.results import (
    COMPLETED,
    FAILED,
    PRUNED,
    RUNNING,
    DimensionRow,
    Objective,
    SearchResults,
    TrialRow,
)

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</script><script>alert(1)</script>]]>&<img src=x onerror=alert(1)>\"'\0\ud800\u202e"
Element = ElementTree.Element


def read(results: SearchResults) -> Element:
    """The report as a tree: it is well-formed XML but for the doctype of HTML."""
    text = report_html(results)
    text.encode("utf-8")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>"))


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def pictures(root: Element, kind: str) -> list[Element]:
    return [each for each in root.iter(f"{SVG}svg") if kind in each.get("class", "").split()]


def marks(picture: Element) -> dict[int, Element]:
    """What is drawn for each trial, by its number; no trial may be there twice."""
    found = [each for each in picture.iter() if each.get("data-t")]
    by_number = {int(each.get("data-t", "")): each for each in found}
    assert len(by_number) == len(found)
    return by_number


def corners(element: Element) -> list[tuple[float, float]]:
    """The points of a path; relative commands are left out."""
    return [
        (float(x), float(y))
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", element.get("d", ""))
    ]


def place(element: Element, side: str) -> float:
    return float(element.get(side, "nan"))


def assert_in_proportion(pixels: list[float], values: list[float]) -> None:
    """One straight line leads from values to pixels, to the tenth of a pixel that is written."""
    slope, start = np.polyfit(values, pixels, 1)
    assert abs(slope) * (max(values) - min(values)) > 50
    np.testing.assert_allclose(np.array(values) * slope + start, pixels, atol=0.11)


def cells(root: Element) -> dict[int, list[str]]:
    """The rows of the table of trials, by their numbers."""
    (table,) = [each for each in root.iter("table") if each.get("id") == "trials"]
    rows = [row for row in table.iter("tr") if row.get("data-t")]
    return {int(row.get("data-t", "")): ["".join(cell.itertext()) for cell in row] for row in rows}


def losses(results: SearchResults) -> dict[int, float]:
    return {t.number: t.metrics["val_loss"] for t in results.trials if "val_loss" in t.metrics}


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
    xs = sorted({x for line in lines.values() for x, _ in line})
    assert len(xs) == len(results.dimensions) + 1
    at = {name: dict(line) for name, line in lines.items()}
    values = {trial.number: trial.values for trial in results.trials}
    whole, log, cell, _, conditional, objective = xs
    assert_in_proportion([-at[n][whole] for n in at], [values[n][UNITS.name] for n in at])
    assert_in_proportion([-at[n][log] for n in at], [math.log(values[n][RATE.name]) for n in at])
    assert_in_proportion(
        [-at[n][cell] for n in at], [float(CELL.choices.index(values[n][CELL.name])) for n in at]
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


def test_the_best_model_is_drawn_and_listed() -> None:
    root = read(search(3))
    (picture,) = pictures(root, "layers")
    boxes = [each for each in picture.iter() if each.get("class", "").startswith("box ")]
    assert len(boxes) == 2 + 7 + 1  # inputs, calls and outputs of encoder-decoder.yaml
    states = [words(each) for each in picture.iter() if each.get("class") == "edge state"]
    assert states == ["decoder_h to decoder, initial h", "decoder_c to decoder, initial c"]
    assert "7 calls, 421,864 parameters, 421,864 of them trainable." in words(root)
    middles = [
        (float(b.get("x", "")), float(b.get("y", "")), float(b.get("width", "")))
        for b in picture.iter(f"{SVG}rect")
    ]
    for (x, y, width), (other_x, other_y, other_width) in itertools.combinations(middles, 2):
        assert y != other_y or x + width < other_x or other_x + other_width < x


def test_a_recipe_that_cannot_be_read_is_said_to_be_one() -> None:
    root = read(search(3, best_recipe="recipe: 1\nlayers: 3\n"))
    assert "does not accept its recipe:<text>:1:1: error[L202]: the recipe has no" in words(root)
    assert not pictures(root, "layers")


def test_the_recipe_stands_there_as_it_is() -> None:
    results = search(3)
    assert results.best_recipe in {"".join(pre.itertext()) for pre in read(results).iter("pre")}


@pytest.mark.parametrize("status", [FAILED, RUNNING])
def test_nothing_has_completed(status: str) -> None:
    trials = tuple(TrialRow(n, status, {UNITS.name: 20 + n}, reason="why") for n in range(4))
    root = read(search(0, trials=trials))
    assert "No trial has completed yet." in words(root)
    assert set(marks(pictures(root, "progress")[0])) == {0, 1, 2, 3}
    assert set(cells(root)) == {0, 1, 2, 3}
    assert len(marks(pictures(root, "parallel")[0])) == 4
    assert not pictures(root, "effect")
    assert "No trial has a finite val_loss yet." in words(root)


def test_nothing_has_started() -> None:
    text = words(read(search(0)))
    assert "No trial has started yet." in text
    assert "There is no best trial yet." in text


def test_a_thousand_trials_stay_below_two_megabytes() -> None:
    dimensions = tuple(replace(UNITS, name=f"layers.block_{n}.units") for n in range(20))
    extra = {dimension.name: 100 + n for n, dimension in enumerate(dimensions)}
    results = search(1000)
    trials = tuple(
        replace(t, values=extra, history={"val_loss": (0.123456,) * 200}) for t in results.trials
    )
    text = report_html(replace(results, trials=trials, dimensions=dimensions))
    assert len(text.encode()) < 2_000_000
    assert "The first 12 are drawn, 8 more are not." in text


def test_hostile_texts_stay_texts() -> None:
    dimension = DimensionRow(HOSTILE, "choice", choices=(HOSTILE, None), condition=HOSTILE)
    trial = TrialRow(
        0, COMPLETED, {HOSTILE: HOSTILE}, HOSTILE, {HOSTILE: 1.0}, {HOSTILE: (2.0, 1.0)}
    )
    results = SearchResults(
        recipe=HOSTILE,
        objectives=(Objective(HOSTILE, "min"), Objective(HOSTILE * 9, HOSTILE)),
        dimensions=(dimension,),
        trials=(trial, replace(trial, number=1, status=HOSTILE)),
        best=0,
        best_recipe=HOSTILE,
        state=HOSTILE,
        settings={HOSTILE: HOSTILE},
    )
    root = read(results)
    assert [each.tag for each in root.iter() if each.tag.endswith("script")] == ["script"]
    assert not list(root.iter("img"))
    assert "onerror" in words(root)
    assert not set(words(root)) & {"\u202e", "\0", "\ud800"}


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers()),
)
numbers = st.floats()
names = st.text(max_size=12)
dimension_rows = st.builds(
    DimensionRow,
    name=names,
    kind=st.sampled_from(["int", "float", "choice", "bool", "choose"]),
    low=st.none() | numbers,
    high=st.none() | numbers,
    scale=st.sampled_from(["linear", "log"]),
    choices=st.lists(anything, max_size=4).map(tuple),
    condition=names,
)


@st.composite
def searches(draw: st.DrawFn) -> SearchResults:
    """Results of any values, in the shape that the types promise."""
    dimensions = draw(st.lists(dimension_rows, max_size=3, unique_by=lambda row: row.name))
    objectives = draw(
        st.lists(st.builds(Objective, names, st.sampled_from(["min", "max"])), max_size=3)
    )
    metrics = st.dictionaries(st.sampled_from([*(o.metric for o in objectives), "other"]), numbers)
    values: Any = st.fixed_dictionaries({}, optional={row.name: anything for row in dimensions})
    statuses = st.sampled_from([COMPLETED, PRUNED, FAILED, RUNNING, "of another kind"])
    histories = metrics.map(
        lambda found: {name: (value, 1.0, value) for name, value in found.items()}
    )
    trials = tuple(
        TrialRow(
            number,
            draw(statuses),
            draw(values),
            draw(names),
            draw(metrics),
            draw(histories),
            seconds=draw(numbers),
            peak_memory_mb=draw(numbers),
        )
        for number in range(draw(st.integers(0, 5)))
    )
    return SearchResults(
        draw(names),
        tuple(objectives),
        tuple(dimensions),
        trials,
        best=draw(st.none() | st.integers(0, 6)),
        front=tuple(draw(st.sets(st.integers(0, 6)))),
        best_recipe=draw(names),
        settings=draw(st.dictionaries(names, anything, max_size=2)),
    )


@examples(60)
@given(searches())
def test_any_search_has_a_report(results: SearchResults) -> None:
    root = read(results)
    for each in root.iter():
        for name, value in each.attrib.items():
            assert name not in {"href", "src", "srcset", "action"}
            assert not name.startswith("on")
            drawn = name in {"d", "cx", "cy", "x", "y", "x1", "x2", "y1", "y2", "width", "height"}
            assert not (drawn and re.search("nan|inf", value)), (each.tag, name, value)


def test_the_page_refers_to_nothing_outside() -> None:
    text = report_html(search(20, best_recipe=""))
    assert set(re.findall(r"https?://[^\s\"]*", text)) == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\([^)]*\)|@import", text)) <= {"url(#arrow)"}
    policies = [each.get("content", "") for each in read(search(0)).iter("meta")]
    assert any(policy.startswith("default-src 'none';") for policy in policies)


def test_the_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    write_report(search(2), str(target))
    assert target.read_text("utf-8") == report_html(search(2))
    broken: Any = replace(search(2), trials=None)
    with pytest.raises(TypeError):
        write_report(broken, target)
    assert target.read_text("utf-8") == report_html(search(2))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
