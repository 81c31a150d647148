"""Splits: nothing of what validates or tests is among the targets that train."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from data_building import (
    FORECAST,
    ROWS,
    SEQUENCES,
    Row,
    forecaster,
    recipe,
    store_rows,
    table,
    target_days,
    windows,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import lstmgraph
from lstmgraph.data.splits import split_examples
from lstmgraph.data.timeline import Timeline, timeline_of_rows
from lstmgraph.language.declaration.data import DataSplit

if TYPE_CHECKING:
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.loading import Data

PROPERTY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def stores(draw: Any) -> list[Row]:
    """Stores that open on different days, their rows mixed as days come."""
    rows = store_rows(*draw(st.lists(st.integers(1, 40), min_size=1, max_size=4)))
    opens = {row["store"]: draw(st.integers(0, 20)) for row in rows}
    for row in rows:
        row["day"] += timedelta(opens[row["store"]])
    return draw(st.sampled_from([rows, sorted(rows, key=lambda row: row["day"])]))


@st.composite
def window_sizes(draw: Any) -> dict[str, int]:
    history = draw(st.integers(1, 6))
    window = {"history": history, "horizon": draw(st.integers(1, 4))}
    return {
        **window,
        "stride": draw(st.integers(1, 4)),
        "min_history": draw(st.integers(1, history)),
    }


def loaded(rows: list[Row], split: dict[str, Any], window: dict[str, int], **values: Any) -> Data:
    """Only draws that leave something in every part are of interest."""
    found = forecaster(data__window=window, data__split=split, **values)
    try:
        return found.load_data(table(rows))
    except lstmgraph.DataError as error:
        assume({problem.code for problem in error.problems} - {"D404"} != {"D403"})
        raise


def spans(part: Examples | None, rows: list[Row]) -> dict[str, tuple[date, date]]:
    """Of each store, the first and the last day that the part's examples forecast."""
    found: dict[str, tuple[date, date]] = {}
    for store, first, last in target_days(part, rows) if part else []:
        known = found.get(store, (first, last))
        found[store] = (min(known[0], first), max(known[1], last))
    return found


def assert_after(
    later: Examples | None, earlier: Examples | None, rows: list[Row], gap: int
) -> None:
    """All that `later` forecasts is after all that `earlier` does, of every store alone and of all
    together; between the two are at least `gap` days.
    """
    after, before = spans(later, rows), spans(earlier, rows)
    for store in after.keys() & before.keys():
        assert (after[store][0] - before[store][1]).days > gap
    if after and before:
        assert min(first for first, _ in after.values()) > max(last for _, last in before.values())


@pytest.mark.slow
@PROPERTY
@given(
    stores(),
    window_sizes(),
    st.integers(0, 5),
    st.floats(0.05, 0.5),
    st.sampled_from([0.0, 0.1, 0.3]),
)
def test_a_chronological_split_trains_on_the_past_alone(
    rows: list[Row], window: dict[str, int], gap: int, validation: float, test: float
) -> None:
    split = {"kind": "chronological", "validation": validation, "test": test, "gap": gap}
    data = loaded(rows, split, window)
    assert_after(data.validation, data.train, rows, gap)
    assert_after(data.test, data.train, rows, gap)
    assert_after(data.test, data.validation, rows, gap)


@pytest.mark.slow
@PROPERTY
@given(stores(), window_sizes(), st.integers(0, 3), st.integers(2, 4))
def test_every_fold_trains_on_the_past_alone(
    rows: list[Row], window: dict[str, int], gap: int, folds: int
) -> None:
    split = {"kind": "chronological", "folds": folds, "gap": gap, "test": 0.2}
    data = loaded(rows, split, window)
    assert len(data.folds) == folds
    assert data.validation is None
    for fold in data.folds:
        assert_after(fold.validation, fold.train, rows, gap)
        assert_after(data.test, fold.validation, rows, gap)
    for fold, following in zip(data.folds, data.folds[1:], strict=False):
        assert set(fold.train.numbers) <= set(following.train.numbers)
        assert_after(following.validation, fold.validation, rows, gap)


@pytest.mark.slow
@PROPERTY
@given(stores(), window_sizes(), st.integers(0, 5))
def test_no_window_reaches_into_another_series(
    rows: list[Row], window: dict[str, int], seed: int
) -> None:
    """Every tensor of every example holds what a loop over the rows of one store finds."""
    data = loaded(rows, {"validation": 0.0}, window)
    cuts = windows(
        rows, window["history"], window["horizon"], window["stride"], window["min_history"]
    )
    assert target_days(data.train, rows) == [
        (cut.store, cut.ahead[0]["day"], cut.ahead[-1]["day"]) for cut in cuts
    ]
    histories = data.train.arrays()[0]["history"][..., 0]
    for found, cut in zip(histories, cuts, strict=True):
        count = len(cut.history)
        np.testing.assert_array_equal(found[:count], np.float32([r["sales"] for r in cut.history]))
        assert not found[count:].any()


@pytest.mark.slow
@PROPERTY
@given(stores(), window_sizes(), st.integers(0, 5))
def test_a_random_split_keeps_series_together(
    rows: list[Row], window: dict[str, int], seed: int
) -> None:
    split = {"kind": "random", "validation": 0.4, "test": 0.2, "seed": seed}
    data = loaded(rows, split, window)
    parts = [spans(part, rows).keys() for part in (data.train, data.validation, data.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    cuts = windows(
        rows, window["history"], window["horizon"], window["stride"], window["min_history"]
    )
    assert sum(len(part) for part in data.parts.values()) == len(cuts)


def test_without_a_column_of_times_each_series_is_cut_after_the_same_part_of_its_rows() -> None:
    rows = store_rows(10, 20)
    split = {"validation": 0.2, "test": 0.1}
    data = dict(recipe_without_time(split).load_data(table(rows)).parts)
    last = {name: spans(part, rows) for name, part in data.items()}
    first_day = date(2024, 1, 1)
    in_days = {
        name: {s: ((a - first_day).days, (b - first_day).days) for s, (a, b) in part.items()}
        for name, part in last.items()
    }
    assert in_days == {
        "train": {"store 0": (1, 6), "store 1": (1, 13)},
        "validation": {"store 0": (7, 8), "store 1": (14, 17)},
        "test": {"store 0": (9, 9), "store 1": (18, 19)},
    }


def recipe_without_time(split: dict[str, Any]) -> lstmgraph.Recipe:
    text = FORECAST.replace("      time: day\n", "")
    return recipe(text, data__window={"history": 1, "horizon": 1}, data__split=split)


def test_all_series_are_cut_at_the_same_moment() -> None:
    """A store that opens late trains less, and does not tell the others' future."""
    rows = store_rows(20, 10)
    for row in rows:
        row["day"] += timedelta(10 if row["store"] == "store 1" else 0)
    found = forecaster(data__window={"history": 1, "horizon": 1}, data__split={"validation": 0.25})
    data = found.load_data(table(rows))
    cut = date(2024, 1, 1) + timedelta(15)
    assert {last for _, last in spans(data.train, rows).values()} == {cut - timedelta(1)}
    assert {first for first, _ in spans(data.validation, rows).values()} == {cut}


def columns(count: int) -> dict[str, np.ndarray]:
    return {name: np.arange(float(count)) for name in "abc"}


def numbers(part: Examples | None) -> list[float]:
    return [] if part is None else part.arrays()[1]["y"].ravel().tolist()


def test_rows_are_split_at_random_and_alike_for_a_seed() -> None:
    def parts(seed: int) -> list[list[float]]:
        split = {"validation": 0.25, "test": 0.1, "seed": seed}
        data = recipe(ROWS, data__split=split).load_data(columns(100))
        return [numbers(part) for part in (data.train, data.validation, data.test)]

    first = parts(7)
    assert [len(part) for part in first] == [65, 25, 10]
    assert sorted(number for part in first for number in part) == list(range(100))
    assert first == parts(7)
    assert first != parts(8)
    assert first[1] != list(range(65, 90))


def test_a_fifth_validates_where_the_recipe_says_nothing() -> None:
    data = recipe(ROWS).load_data(columns(50))
    assert (len(data.train), len(data.validation or []), data.test) == (40, 10, None)


def test_rows_can_be_split_in_their_order() -> None:
    split = {"kind": "chronological", "validation": 0.2, "test": 0.1, "gap": 3}
    data = recipe(ROWS, data__split=split).load_data(columns(100))
    assert numbers(data.train) == list(range(70))
    assert numbers(data.validation) == list(range(73, 90))
    assert numbers(data.test) == list(range(93, 100))


def test_folds_at_random_validate_each_example_once() -> None:
    data = recipe(ROWS, data__split={"folds": 4, "test": 0.1}).load_data(columns(43))
    validated = [number for fold in data.folds for number in numbers(fold.validation)]
    assert sorted(validated + numbers(data.test)) == list(range(43))
    for fold in data.folds:
        assert sorted(numbers(fold.train) + numbers(fold.validation)) == numbers(data.train)


def test_folds_in_order_grow() -> None:
    """As scikit-learn's TimeSeriesSplit: equal parts, each validated on after all before it."""
    split = {"kind": "chronological", "folds": 3, "gap": 2}
    data = recipe(ROWS, data__split=split).load_data(columns(40))
    found = [(numbers(fold.train), numbers(fold.validation)) for fold in data.folds]
    assert found == [(list(range(end)), list(range(end + 2, end + 10))) for end in (10, 20, 30)]


def test_validation_and_test_data_of_their_own_are_used_whole() -> None:
    found = recipe(ROWS, data__split={"validation": 0.5, "test": 0.1})
    data = found.load_data(columns(20), validation=columns(5))
    assert numbers(data.validation) == list(range(5))
    assert (len(data.train), len(data.test or [])) == (18, 2)
    data = found.load_data(columns(20), validation=columns(5), test=columns(3))
    assert (len(data.train), len(data.validation or []), len(data.test or [])) == (20, 5, 3)


def test_whole_series_are_split_at_random() -> None:
    text = (
        SEQUENCES
        + """
    data:
      series: s
      window: {history: series}
      inputs:
        x: {columns: [a, b]}
        lengths: {length_of: x}
      targets: {kind: {columns: [k], static: true}}
    """
    )
    series = np.repeat(np.arange(20), 3)
    data = recipe(text).load_data({"s": series, "a": series, "b": series, "k": series % 4})
    trained = set(data.train.arrays()[0]["x"][:, 0, 0])
    validated = set(data.validation.arrays()[0]["x"][:, 0, 0]) if data.validation else set()
    assert (len(trained), len(validated)) == (16, 4)
    assert trained | validated == set(range(20))


@pytest.mark.parametrize("part", [1 - 0.2 - 0.1, 0.7, 7 / 10])
def test_a_part_of_ten_rows_is_not_lost_to_rounding(part: float) -> None:
    for timeline in (
        timeline_of_rows(11),
        with_times(np.arange(11)),
        with_times(np.arange(11) / 4),
    ):
        found = split_examples(timeline, DataSplit("chronological", 1 - part, 0.0))
        assert len(found.train) == 8  # 7 of the 10 steps from the first row to the last


def with_times(times: np.ndarray) -> Timeline:
    rows = timeline_of_rows(len(times))
    return Timeline(rows.series_starts, rows.series, rows.origins, rows.before, 1, False, times)
