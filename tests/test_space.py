"""Spaces: the values of ranges, which dimensions count together, and every point once."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from generated import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from keras_tuner.engine import hyperparameters
from searched import DATA, concretes

from lstmgraph.language.space import Condition, Dimension, Range, Space, SpaceError
from lstmgraph.language.space.collect import Collected, collect
from lstmgraph.language.space.fill import assign
from lstmgraph.language.text.document import Document

# --- ranges ---


@pytest.mark.parametrize(
    ("numbers", "values"),
    [
        (Range(3, 6), [3, 4, 5, 6]),
        (Range(32, 250, 32), [32, 64, 96, 128, 160, 192, 224]),
        (Range(2, 40, 2, "log"), [2, 4, 8, 16, 32]),
        (Range(1, 9, 2, "reverse_log"), [2, 6, 8, 9]),
        (Range(0.0, 1.0, 0.25), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Range(1e-4, 1e-2, 10, "log"), [1e-4, 1e-3, 1e-2]),
        (Range(5, 5), [5]),
        (Range(0.5, 0.5), [0.5]),
        (Range(3, 5, None, "log"), [3, 4, 5]),
    ],
)
def test_a_range_holds_its_steps(numbers: Range, values: list[float]) -> None:
    found = list(numbers.values())
    assert found == pytest.approx(values, rel=1e-12)
    assert [type(value) for value in found] == [type(value) for value in values]
    assert numbers.count() == len(values)
    assert numbers.highest == pytest.approx(values[-1])


@pytest.mark.parametrize("scale", ["linear", "log", "reverse_log"])
@pytest.mark.parametrize("low", [1e-5, 0.1, 1.0, 12.5])
@pytest.mark.parametrize("factor", [1.5, 10.0, 1000.0])
@pytest.mark.parametrize("step", [1.25, 2.0, 10.0])
def test_rounding_leads_no_value_out_of_a_range(
    low: float, factor: float, step: float, scale: str
) -> None:
    numbers = Range(low, low * factor, step, scale)
    for value in numbers.values():
        assert low <= value <= low * factor
        assert numbers.nearest(value) == value


def test_tenths_from_0_to_1_are_eleven() -> None:
    """keras-tuner finds ten: 1 // 0.1 is 9 in binary."""
    assert list(Range(0.0, 1.0, 0.1).values()) == pytest.approx([i / 10 for i in range(11)])


def test_a_grid_takes_ten_of_infinitely_many_with_both_ends() -> None:
    numbers = Range(1e-4, 1e-1, scale="log")
    assert numbers.count() is None
    found = list(numbers.values())
    assert found[0] == 1e-4
    assert found[-1] == pytest.approx(1e-1)
    steps = [math.log(b / a) for a, b in pairwise(found)]
    assert steps == pytest.approx([math.log(1000) / 9] * 9)
    assert len(list(numbers.values(points=1))) == 1


NUMBERS = st.one_of(
    st.builds(
        lambda low, span, step, scale: (low, low + span, step, scale),
        st.integers(1, 50),
        st.integers(1, 500),
        st.none() | st.integers(2, 9),
        st.sampled_from(["linear", "log", "reverse_log"]),
    ),
    st.builds(
        lambda low, factor, step, scale: (low, low * factor, step, scale),
        st.sampled_from([1e-5, 0.1, 1.0, 12.5]),
        st.sampled_from([1.5, 10.0, 1000.0]),
        st.none() | st.sampled_from([1.25, 2.0, 10.0]),
        st.sampled_from(["linear", "log", "reverse_log"]),
    ),
)


@examples(300)
@given(NUMBERS, st.floats(0, 1, exclude_max=True))
def test_values_are_drawn_as_keras_tuner_draws_them(numbers: Any, share: float) -> None:
    low, high, step, scale = numbers
    kind = hyperparameters.Int if isinstance(low, int) else hyperparameters.Float
    theirs = kind("x", low, high, step=step, sampling=scale)
    ours = Range(low, high, step, scale)
    if step is not None:
        assume(theirs._get_n_values() == ours.count())  # see tenths above
    drawn = theirs.prob_to_value(share)
    found = ours.draw(share)
    # Rounding can lead keras-tuner out of the range: its lowest of reverse_log can be low - 1.
    assert found == pytest.approx(min(max(drawn, low), high), rel=1e-9)
    assert ours.nearest(found) == found
    assert low <= found <= high


@pytest.mark.parametrize(
    ("numbers", "value", "nearest"),
    [
        (Range(1, 8), 3.0, 3),
        (Range(1, 8), 3.5, None),
        (Range(1, 8), 9, None),
        (Range(1, 8), 0, None),
        (Range(2, 8, 3), 5, 5),
        (Range(2, 8, 3), 6, None),
        (Range(0.0, 1.0, 0.1), 0.30000000000000004, 0.3),
        (Range(0.0, 1.0), 1, 1.0),
        (Range(-1.0, 1.0), -1.0000001, None),
        (Range(0.0, 1.0), -0.001, None),
    ],
)
def test_the_value_that_a_number_is(numbers: Range, value: float, nearest: float | None) -> None:
    found = numbers.nearest(value)
    assert found == (nearest if nearest is None else pytest.approx(nearest, rel=1e-12))
    assert type(found) is type(nearest)


# --- points ---

DEPTH = Dimension("depth", "int", 1, range=Range(1, 3))
FIRST = Dimension("units.1", "int", 8, range=Range(8, 32, 8))
SECOND = Dimension(
    "units.2", "int", 8, (Condition("depth", (2, 3)),), Range(8, 32, 8), path=("units",)
)
CHOICE = Dimension("l2", "choice", None, choices=(None, 1, 1.0, True, [1], {"a": 1, "b": 2}))
STACK = Space((DEPTH, FIRST, SECOND, CHOICE))


def test_defaults_stand_for_what_is_left_out() -> None:
    assert STACK.defaults() == {"depth": 1, "units.1": 8, "l2": None}
    assert STACK.point({"depth": 2}) == {"depth": 2, "units.1": 8, "units.2": 8, "l2": None}


def test_equal_points_have_one_key() -> None:
    key = STACK.key({"l2": {"b": 2, "a": 1}, "depth": 2.0, "units.2": 16})
    assert key == STACK.key({"units.2": 16, "depth": 2, "l2": {"a": 1, "b": 2}, "units.1": 8})
    choices = [STACK.key({"l2": choice}) for choice in CHOICE.choices]
    assert len(set(choices)) == len(choices)  # 1, 1.0 and true are three


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dpeth": 1}, "dpeth is not searched; did you mean 'depth'?"),
        ({"depth": 4}, "depth must be int from 1 to 3, not 4"),
        ({"depth": True}, "depth must be int from 1 to 3, not true"),
        ({"depth": "2"}, "depth must be int from 1 to 3, not '2'"),
        ({"depth": None}, "depth must be int from 1 to 3, not null"),
        ({"depth": math.nan}, "depth must be int from 1 to 3, not nan"),
        ({"units.2": 8}, "units.2 applies only where depth is 2 or 3"),
        ({"units.1": 9}, "units.1 must be int from 8 to 32 by 8, not 9"),
        ({"l2": False}, 'l2 must be one of null, 1, 1.0, true, [1], {"a": 1'),
    ],
)
def test_what_is_no_point_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        STACK.point(values)
    assert message in str(caught.value)


def test_all_that_is_wrong_is_said() -> None:
    with pytest.raises(SpaceError) as caught:
        STACK.point({"depth": 7, "unit.1": 3, "units.1": 1})
    assert str(caught.value).count(";") == 3  # of which one is that of "did you mean"


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    point = STACK.point({"depth": numpy.int64(2), "units.2": numpy.float32(16)})
    assert point["depth"] == 2
    assert type(point["depth"]) is int
    assert type(point["units.2"]) is int


def test_the_size_of_a_continuous_space_is_none() -> None:
    rate = Dimension("rate", "float", 0.1, (Condition("depth", (3,)),), Range(0.1, 0.5))
    assert Space((DEPTH, rate)).size() is None
    assert Space((DEPTH, rate)).as_dict()["points"] is None
    assert STACK.size() == (1 * 4 + 2 * 4 * 4) * 6
    assert Space().size() == 1


def test_a_very_large_space_is_counted_at_once() -> None:
    many = Space(tuple(Dimension(f"x{i}", "int", 1, range=Range(1, 10**9)) for i in range(50)))
    assert many.size() == 10**450
    assert next(many.grid()) == dict.fromkeys(many.by_name, 1)


def test_the_last_dimension_changes_first() -> None:
    grid = STACK.grid()
    first = [next(grid) for _ in range(7)]
    assert [point["l2"] for point in first] == [*CHOICE.choices, None]
    assert [point["units.1"] for point in first] == [8] * 6 + [16]


# --- against data multiplied out ---


def collected(data: Any) -> Collected:
    document = Document(data=data)
    found = collect(document)
    assert not document.diagnostics
    return found


def text(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


@pytest.mark.slow
@examples(150)
@given(DATA)
def test_a_grid_is_every_concrete_recipe_once(data: Any) -> None:
    space = collected(data).space
    expected = Counter(text(each) for each in concretes(data))
    assume(expected.total() < 500)
    points = list(space.grid())
    assert Counter(text(assign(data, space, point)) for point in points) == expected
    assert space.size() == len(points) == len({space.key(point) for point in points})


@pytest.mark.slow
@examples(200)
@given(DATA, st.integers(0, 1000))
def test_samples_are_points_and_build_what_they_say(data: Any, seed: int) -> None:
    before = text(data)
    space = collected(data).space
    point = space.sample(random.Random(seed))
    assert space.point(point) == point
    assert space.sample(random.Random(seed)) == point
    concrete = assign(data, space, point)
    assert "$" not in text(concrete)
    assert not collected(concrete).is_searched
    assert text(data) == before
    for name in point:
        others = {other: value for other, value in point.items() if other != name}
        with pytest.raises(SpaceError, match="is not searched"):
            space.point({**others, f"{name}.x": point[name]})


@pytest.mark.slow
@examples(200)
@given(DATA)
def test_dimensions_stand_after_those_they_depend_on(data: Any) -> None:
    space = collected(data).space
    seen: set[str] = set()
    for dimension in space.dimensions:
        assert {condition.dimension for condition in dimension.conditions} <= seen
        seen.add(dimension.name)


@examples(100)
@given(DATA)
def test_data_without_searches_is_left_alone(data: Any) -> None:
    concrete = assign(data, collected(data).space, {})
    assert assign(concrete, Space(), {}) == concrete
