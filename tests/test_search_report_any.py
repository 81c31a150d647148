"""Any search has a report: none, all failed, very many, hostile texts, numbers that are none."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from generated import examples
from hypothesis import given
from hypothesis import strategies as st
from report_pages import cells, marks, pictures, read, words
from searches import UNITS, search

from lstmgraph.tuning.report import report_html, write_report
from lstmgraph.tuning.search.results import (
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

HOSTILE = "</script><script>alert(1)</script>]]>&<img src=x onerror=alert(1)>\"'\0\ud800\u202e"


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


@pytest.mark.slow
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
    goals = st.builds(Objective, names, st.sampled_from(["min", "max"]))
    objectives = draw(st.lists(goals, max_size=3))
    trials = draw(st.lists(trial_rows(dimensions, objectives), max_size=5))
    return SearchResults(
        recipe=draw(names),
        objectives=tuple(objectives),
        dimensions=tuple(dimensions),
        trials=tuple(replace(trial, number=number) for number, trial in enumerate(trials)),
        best=draw(st.none() | st.integers(0, 6)),
        front=tuple(draw(st.sets(st.integers(0, 6)))),
        best_recipe=draw(names),
        settings=draw(st.dictionaries(names, anything, max_size=2)),
    )


def trial_rows(
    dimensions: list[DimensionRow], objectives: list[Objective]
) -> st.SearchStrategy[TrialRow]:
    metrics = st.sampled_from([*(objective.metric for objective in objectives), "other"])
    values: Any = st.fixed_dictionaries({}, optional={row.name: anything for row in dimensions})
    return st.builds(
        TrialRow,
        number=st.just(0),
        status=st.sampled_from([COMPLETED, PRUNED, FAILED, RUNNING, "of another kind"]),
        values=values,
        reason=names,
        metrics=st.dictionaries(metrics, numbers),
        history=st.dictionaries(metrics, st.lists(numbers, max_size=4).map(tuple)),
        seconds=numbers,
        peak_memory_mb=numbers,
    )


@pytest.mark.slow
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
