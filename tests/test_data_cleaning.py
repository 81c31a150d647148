"""Tables that are cleaned when they are read, beside pandas, which does the same by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from data_building import recipe
from test_docs import ROOT

import lstmgraph
from lstmgraph.data import cleaning, grid
from lstmgraph.data.calendar import CALENDAR, calendar_column

if TYPE_CHECKING:
    from pathlib import Path

ROWS = """
    inputs: {x: {shape: [2]}}
    layers: {y: {type: dense, input: x, units: 2}}
    outputs: {y: y}
    training: {loss: mse}
    data:
      series: store
      time: date
      inputs: {x: {columns: [sales, price]}}
      targets: {y: {columns: [sales, price]}}
      split: {kind: chronological, validation: 0}
"""
"""Each row is an example, so that the examples are the table."""

WINDOWS = """
    inputs: {history: {shape: [4, 2]}}
    layers:
      encoder: {type: lstm, input: history, units: 2}
      repeated: {type: repeat_vector, input: encoder, n: 2}
      next: {type: dense, input: repeated, units: 1}
    outputs: {next: next}
    training: {loss: mse}
    data:
      series: store
      time: date
      window: {history: 4, horizon: 2}
      inputs: {history: {columns: [sales, price]}}
      targets: {next: {columns: [sales]}}
"""


@pytest.fixture(params=[1 << 18, 3], ids=["in one part", "three rows at a time"])
def _parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cleans tables in one part, or in many."""
    for module in (cleaning, grid):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", request.param)


def rows_of(found: lstmgraph.Recipe, source: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The inputs and targets of all rows, and their times."""
    data = found.load_data(source)
    x, y, _ = data.train.arrays()
    times = data.train.timeline.times
    assert times is not None
    return x["x"], y["y"], np.asarray(times)


def problem_of(found: lstmgraph.Recipe, source: Any) -> tuple[str, str]:
    with pytest.raises(lstmgraph.DataError) as error:
        found.load_data(source)
    (problem,) = (each for each in error.value.problems if each.severity == "error")
    return f"{problem.code} {problem.message}", problem.hint or ""


def shop(name: str, times: Any, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    values = random.normal(5, 4, (len(times), 2)).round(2)
    columns = {"store": name, "date": times, "sales": values[:, 0], "price": values[:, 1]}
    return pd.DataFrame(columns)


def holes(frame: pd.DataFrame, seed: int, share: float = 0.4) -> pd.DataFrame:
    """Without some rows inside and some values, but the first."""
    random = np.random.default_rng(seed)
    kept = random.random(len(frame)) > share
    kept[[0, -1]] = True
    frame = frame[kept].reset_index(drop=True)
    for column in ("sales", "price"):
        empty = random.random(len(frame)) < share
        empty[0] = False
        frame.loc[empty, column] = np.nan
    return frame


# --- calendar ---


def _by_pandas(times: pd.Series) -> dict[str, Any]:
    of, ones = times.dt, np.ones(len(times))
    weeks = of.isocalendar()
    last = pd.to_datetime(weeks["year"].astype(str) + "-12-28").dt.isocalendar()["week"]
    return {
        "minute": (of.minute, 60 * ones),
        "hour": (of.hour, 24 * ones),
        "weekday": (of.day_of_week, 7 * ones),
        "day": (of.day - 1, of.days_in_month),
        "yearday": (of.day_of_year - 1, 365 + of.is_leap_year),
        "week": (weeks["week"].astype(int) - 1, last.astype(int)),
        "month": (of.month - 1, 12 * ones),
        "quarter": (of.quarter - 1, 4 * ones),
        "year": (of.year, ones),
    }


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_calendar_columns_are_those_of_pandas(unit: Any) -> None:
    random = np.random.default_rng(0)
    seconds = random.integers(-(10**9), 3 * 10**9, 5000)
    ends = pd.date_range("1999-12-20", "2036-01-10", freq="D").to_numpy().astype("datetime64[s]")
    moments = np.concatenate([seconds.astype("datetime64[s]"), ends])
    times = pd.Series(moments.astype(f"datetime64[{unit}]"))
    values = times.to_numpy().astype(np.int64)
    wanted = _by_pandas(times)
    for name in CALENDAR:
        base, _, wave = name.partition("_")
        number, count = (np.asarray(each, np.float64) for each in wanted[base])
        if wave:
            number = (np.sin if wave == "sin" else np.cos)(2 * np.pi * number / count)
        np.testing.assert_allclose(calendar_column(name, values, unit), number, atol=1e-12)


def test_the_schema_lists_what_the_calendar_makes() -> None:
    schema = json.loads((ROOT / "schemas" / "recipe-1.schema.json").read_text("utf-8"))
    items = schema["$defs"]["data"]["properties"]["calendar"]["items"]
    assert set(items["enum"]) == set(CALENDAR)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC", None])
def test_the_calendar_shows_what_clocks_of_the_zone_show(zone: str | None) -> None:
    times = pd.date_range("2024-03-30", "2024-04-01", freq="h", tz=zone)
    found = recipe(
        ROWS,
        data__calendar=["hour", "weekday"],
        data__inputs={"x": {"columns": ["hour", "weekday"]}},
    )
    x, _, _ = rows_of(found, shop("a", times, 0))
    np.testing.assert_array_equal(x, np.stack([times.hour, times.day_of_week], -1))


def test_the_calendar_shows_times_as_they_are_written(tmp_path: Path) -> None:
    hours = [f"2024-01-01 {hour:02}:00+05:30" for hour in range(5)]
    path = tmp_path / "sales.csv"
    shop("a", hours, 0).to_csv(path, index=False)
    found = recipe(
        ROWS, data__calendar=["hour", "day"], data__inputs={"x": {"columns": ["hour", "day"]}}
    )
    assert rows_of(found, path)[0][:, 0].tolist() == [0, 1, 2, 3, 4]
    hours[3] = "2024-01-01 02:30+04:30"
    shop("a", hours, 0).to_csv(path, index=False)
    message, hint = problem_of(found, path)
    assert message == (
        "D401 column 'date', row 4 has the offset +04:30 after +05:30, so which hour or day it is "
        "depends on the row"
    )
    assert hint == "write all times with one offset, such as UTC: 2024-01-31 10:00Z"
    assert len(rows_of(recipe(ROWS), path)[0]) == 5  # moments are clear all the same


# --- every ---

STEPS: dict[str, tuple[Any, Any]] = {
    "hour": ("2024-02-27 03:20", "h"),
    "15 minutes": ("2024-02-27 03:20", "15min"),
    "20 seconds": ("2024-02-27 03:20", "20s"),
    "day": ("2024-02-20", "D"),
    "2 days": ("2024-02-20 07:00", "2D"),
    "week": ("2023-12-31", "7D"),
    "month": ("2023-01-01", "MS"),
    "1 month": ("2023-01-31", "ME"),
    "3 months": ("2023-01-01", "3MS"),
    "quarter": ("2023-03-31", "QE"),
    "year": ("2001-01-01", "YS"),
}


@pytest.mark.usefixtures("_parts")
@pytest.mark.parametrize("every", STEPS)
def test_missing_rows_are_those_of_pandas(every: str) -> None:
    begin, step = STEPS[every]
    frames = [
        holes(shop(name, pd.date_range(begin, periods=count, freq=step), count), count)
        for name, count in (("a", 23), ("b", 40), ("c", 1))
    ]
    _compare(every, frames, [f.set_index("date").asfreq(step) for f in frames])


@pytest.mark.usefixtures("_parts")
def test_months_keep_their_day_or_their_last_one() -> None:
    days = {
        "15": ["2023-01-15", "2023-02-15", "2023-03-15", "2023-04-15"],
        "30": ["2023-01-30", "2023-02-28", "2023-03-30", "2023-04-30"],
        "ends": ["2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31"],
        "28": ["2023-02-28", "2023-03-28", "2023-04-28", "2023-05-28"],
    }
    frames, whole = [], []
    for seed, (name, texts) in enumerate(days.items()):
        full = shop(name, pd.to_datetime(texts), seed)
        whole.append(full.drop(2 if name == "30" else 1).set_index("date").reindex(full["date"]))
        frames.append(full.drop(2 if name == "30" else 1))
    _compare("month", frames, whole)


@pytest.mark.usefixtures("_parts")
@pytest.mark.parametrize(("every", "kind"), [(2, np.int64), (0.1, np.float64), (3.0, np.int64)])
def test_missing_numbers_are_put_in(every: float, kind: Any) -> None:
    frames, whole = [], []
    for name, count, begin in (("a", 20, 5), ("b", 31, -7)):
        times = (begin + np.arange(count) * every).astype(kind)
        full = shop(name, times, count)
        frames.append(holes(full, count))
        whole.append(frames[-1].set_index("date").reindex(times))
    _compare(every, frames, whole)


def _compare(every: Any, frames: list[pd.DataFrame], whole: list[pd.DataFrame]) -> None:
    columns = {"sales": {"missing": "mask"}, "price": {"missing": -1.5}}
    found = recipe(
        ROWS,
        data__every=every,
        data__columns=columns,
        data__inputs={"x": {"columns": ["sales_missing", "price"]}},
        training={"loss": "mse"},
    )
    x, y, times = rows_of(found, pd.concat(frames))
    wanted = pd.concat(whole)
    assert len(wanted) > sum(map(len, frames))
    np.testing.assert_array_equal(x[:, 0], wanted["sales"].isna())
    np.testing.assert_allclose(x[:, 1], wanted["price"].fillna(-1.5), rtol=1e-6)
    np.testing.assert_allclose(y[:, 0], wanted["sales"].fillna(0), rtol=1e-6)
    index = wanted.index.to_numpy()
    if index.dtype.kind == "M":
        index = index.astype("datetime64[ns]").astype(np.int64)
        times = times.astype(f"datetime64[{_unit(frames)}]").astype("datetime64[ns]")
        times = times.astype(np.int64)
    np.testing.assert_allclose(times, index, rtol=1e-12)


def _unit(frames: list[pd.DataFrame]) -> str:
    return pa.Table.from_pandas(frames[0]).schema.field("date").type.unit


def test_days_keep_their_hour_where_clocks_change() -> None:
    times = pd.date_range("2024-03-29", periods=5, freq="D", tz="Europe/Berlin")
    frame = shop("a", times, 0).drop(2)
    found = recipe(
        ROWS, data__every="day", data__columns={c: {"missing": 0} for c in ("sales", "price")}
    )
    _, _, values = rows_of(found, frame)
    unit = pa.Table.from_pandas(frame).schema.field("date").type.unit
    np.testing.assert_array_equal(
        values.astype(f"datetime64[{unit}]"), times.tz_convert("UTC").tz_localize(None).to_numpy()
    )


# --- missing values ---


@pytest.mark.usefixtures("_parts")
@pytest.mark.parametrize("every", [None, "hour"])
@pytest.mark.parametrize("validation", [0, 0.3])
def test_missing_values_are_those_of_pandas(every: str | None, validation: float) -> None:
    """Interpolated in time, but never from behind the cut; filled forward, also across it."""
    frames = [
        holes(shop(name, pd.date_range(begin, periods=count, freq="h"), count), count, 0.5)
        for name, begin, count in (("a", "2024-01-01", 50), ("b", "2024-01-01 20:00", 40))
    ]
    first = min(frame["date"].iloc[0] for frame in frames)
    last = max(frame["date"].iloc[-1] for frame in frames)
    moment = first + (last - first) * (1 - validation)
    wanted = []
    for frame in frames:
        own = frame.set_index("date")
        own = own.asfreq("h") if every else own
        parts = [own[own.index <= moment], own[own.index > moment]]
        price = own["price"].copy()
        for part in filter(len, parts):  # what comes before is known in both
            upto = own["price"][: part.index[-1]].interpolate("time", limit_area="inside").ffill()
            price[part.index] = upto[part.index]
        wanted.append(pd.DataFrame({"sales": own["sales"].ffill(), "price": price}))
    found = recipe(
        ROWS,
        **({"data__every": every} if every else {}),
        data__columns={"sales": {"missing": "forward"}, "price": {"missing": "interpolate"}},
        data__split={"kind": "chronological", "validation": validation},
    )
    data = found.load_data(pd.concat(frames))
    parts = [part.arrays() for part in data.parts.values()]
    for name, inside in (("x", lambda t: t <= moment), ("x", lambda t: t > moment))[: len(parts)]:
        part = parts.pop(0)
        rows = pd.concat([own[inside(own.index)] for own in wanted])
        np.testing.assert_allclose(part[0][name], rows[["sales", "price"]], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(part[1]["y"], part[0]["x"])


def test_rows_without_times_are_interpolated_by_their_number() -> None:
    values = [1.0, None, None, 4.0, None, 10.0]
    found = recipe(
        ROWS,
        data={
            "series": "store",
            "columns": {"sales": {"missing": "interpolate"}},
            "inputs": {"x": {"columns": ["sales", "price"]}},
            "targets": {"y": {"columns": ["sales", "price"]}},
            "split": {"kind": "chronological", "validation": 0},
        },
    )
    columns = {"store": ["a"] * 6, "sales": values, "price": [0.0] * 6}
    x, _, _ = found.load_data(columns).train.arrays()
    assert x["x"][:, 0].tolist() == [1, 2, 3, 4, 7, 10]


@pytest.mark.parametrize("missing", ["forward", "interpolate"])
@pytest.mark.parametrize("split", [{"validation": 0.3, "test": 0.2}, {"folds": 3, "test": 0.2}])
def test_no_number_from_behind_a_cut_is_trained_on(
    missing: str, split: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other values behind the cut of a part, and the part's own arrays are the same bits."""
    monkeypatch.setattr(cleaning, "ROWS_AT_ONCE", 7)
    times = pd.date_range("2024-01-01", periods=120, freq="h")
    frames = [holes(shop(name, times, seed), seed, 0.5) for seed, name in enumerate("ab")]
    frame = pd.concat(frames)
    found = recipe(
        WINDOWS,
        data__every="hour",
        data__columns={name: {"missing": missing} for name in ("sales", "price")},
        data__split={"kind": "chronological", **split},
    )
    data = found.load_data(frame)
    folds = [fold.train for fold in data.folds] or [data.train]
    for number, part in enumerate(folds):
        ends = part.timeline.end[part.numbers] - 1
        assert part.timeline.times is not None
        unit = pa.Table.from_pandas(frame).schema.field("date").type.unit
        last = np.asarray(part.timeline.times)[ends].max().astype(f"datetime64[{unit}]")
        behind = frame["date"] > last
        other = frame.copy()
        other.loc[behind, ["sales", "price"]] = frame.loc[behind, ["sales", "price"]] * -7 + 100
        again = found.load_data(other)
        same = ([fold.train for fold in again.folds] or [again.train])[number]
        for one, two in zip(part.arrays()[:2], same.arrays()[:2], strict=True):
            assert {name: array.tobytes() for name, array in one.items()} == {
                name: array.tobytes() for name, array in two.items()
            }
        assert not np.array_equal(
            (data.test or part).arrays()[0]["history"], (again.test or same).arrays()[0]["history"]
        )


def test_a_table_of_its_own_for_validation_has_no_cuts() -> None:
    frame = shop("a", pd.date_range("2024-01-01", periods=30, freq="h"), 0)
    frame.loc[20:27, "price"] = np.nan
    found = recipe(
        ROWS,
        data__columns={"price": {"missing": "interpolate"}},
        data__split={"kind": "chronological", "validation": 0.2},
    )
    data = found.load_data(frame, validation=frame)
    assert data.validation is not None
    for part in (data.train, data.validation):
        prices = part.arrays()[0]["x"][:, 1]
        np.testing.assert_allclose(prices, frame["price"].interpolate(), rtol=1e-5)


@pytest.mark.usefixtures("_parts")
def test_a_history_is_not_interpolated_from_what_is_forecast() -> None:
    """Each window is what pandas makes of the rows up to its origin, or up to its step."""
    times = pd.date_range("2024-01-01", periods=60, freq="h")
    frames = [holes(shop(name, times, seed), seed, 0.5) for seed, name in enumerate("ab")]
    found = recipe(
        WINDOWS,
        inputs={"history": {"shape": ["time", 2]}, "late": {"shape": [2, 1]}},
        layers={
            "encoder": {"type": "lstm", "input": "history", "units": 2},
            "decoder": {"type": "lstm", "input": "late", "units": 2, "initial_state": "encoder"},
            "next": {"type": "dense", "input": "decoder.sequence", "units": 1},
        },
        data__every="hour",
        data__columns={name: {"missing": "interpolate"} for name in ("sales", "price")},
        data__inputs={
            "history": {"columns": ["sales", "price"]},
            "late": {"columns": ["sales"], "steps": "horizon", "lag": 1},
        },
        data__window={"history": 4, "horizon": 2, "min_history": 2},
        data__split={"validation": 0},
    )
    x, y, _ = found.load_data(pd.concat(frames)).train.arrays()
    wanted, late, goals = [], [], []
    for frame in frames:
        whole = frame.set_index("date").asfreq("h")[["sales", "price"]]
        filled = whole.interpolate("time", limit_area="inside").ffill()
        upto = [
            whole[:end].interpolate("time", limit_area="inside").ffill() for end in range(1, 61)
        ]
        for origin in range(2, 59):
            history = upto[origin - 1][-4:].to_numpy()
            wanted.append(np.concatenate([history, np.zeros((4 - len(history), 2))]))
            late.append([[upto[step - 1]["sales"].iloc[-1]] for step in (origin, origin + 1)])
            goals.append(filled["sales"].to_numpy()[origin : origin + 2, None])
    np.testing.assert_allclose(x["history"], wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(x["late"], late, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y["next"], goals, rtol=1e-5, atol=1e-6)


def test_steps_without_a_target_do_not_count() -> None:
    times = pd.date_range("2024-01-01", periods=20, freq="h")
    frame = shop("a", times, 0)
    frame.loc[[3, 9, 10], "sales"] = np.nan
    frame["trust"] = np.arange(20.0)
    weights = {"columns": ["trust"]}
    given: dict[str, Any] = {
        "data__columns": {"sales": {"missing": "mask"}},
        "data__inputs": {"history": {"columns": ["sales", "sales_missing"]}},
        "data__split": {"validation": 0},
    }
    for weighed in ({}, {"data__sample_weight": weights}):
        x, y, w = recipe(WINDOWS, **given, **weighed).load_data(frame).train.arrays()
        known = frame["sales"].notna().to_numpy("float32")
        values = frame["sales"].fillna(0).to_numpy("float32")
        carried = frame["sales"].ffill().to_numpy("float32")
        counts = known * frame["trust"].to_numpy("float32") if weighed else known
        assert w is not None
        for example in range(15):
            ahead = slice(example + 4, example + 6)
            behind = slice(example, example + 4)
            np.testing.assert_array_equal(w["next"][example], counts[ahead])
            np.testing.assert_array_equal(y["next"][example, :, 0], values[ahead])
            np.testing.assert_array_equal(x["history"][example, :, 0], carried[behind])
            np.testing.assert_array_equal(x["history"][example, :, 1], 1 - known[behind])


def test_masked_values_are_not_scaled_by() -> None:
    from lstmgraph.data.scaling import fitted_columns  # noqa: PLC0415

    frame = shop("a", pd.date_range("2024-01-01", periods=40, freq="h"), 0)
    frame.loc[::3, "sales"] = np.nan
    found = recipe(
        WINDOWS,
        data__columns={"sales": {"missing": "mask", "scale": "standard"}},
        data__split={"validation": 0},
    )
    declared = found.compiled.declaration.data
    assert declared is not None
    center, spread = fitted_columns(declared, found.load_data(frame).train)["sales"]
    assert center == pytest.approx(frame["sales"].mean(), rel=1e-6)
    assert spread == pytest.approx(frame["sales"].std(ddof=0), rel=1e-6)


def test_inputs_are_clipped_before_they_are_filled_and_targets_are_not() -> None:
    values = [500.0, None, 3.0, -80.0, None, 4.0]
    columns = {"store": ["a"] * 6, "date": range(6), "sales": values, "price": [1.0] * 6}
    for missing, filled in (("forward", [10, 10, 3, 0, 0, 4]), (7, [10, 7, 3, 0, 7, 4])):
        found = recipe(ROWS, data__columns={"sales": {"missing": missing, "clip": [0, 10]}})
        x, y, _ = rows_of(found, columns)
        assert x[:, 0].tolist() == filled
        unclipped = pd.Series(values)
        unclipped = unclipped.ffill() if missing == "forward" else unclipped.fillna(missing)
        assert y[:, 0].tolist() == unclipped.tolist()
    found = recipe(ROWS, data__columns={"price": {"clip": [None, 0.5]}})
    assert rows_of(found, {**columns, "sales": [1.0] * 6})[0][:, 1].tolist() == [0.5] * 6


def test_static_columns_stay_the_same_in_rows_that_are_put_in() -> None:
    frame = shop("a", pd.date_range("2024-01-01", periods=12, freq="h"), 0)
    frame["size"] = 7
    frame = frame.drop([3, 4, 9])
    found = recipe(
        WINDOWS,
        inputs={"history": {"shape": [4, 2]}, "size": {"shape": [1], "dtype": "int32"}},
        layers={
            "number": {"type": "rescaling", "input": "size", "scale": 1.0},
            "encoder": {"type": "lstm", "input": "history", "units": 2},
            "both": {"type": "concatenate", "input": ["encoder", "number"]},
            "repeated": {"type": "repeat_vector", "input": "both", "n": 2},
            "next": {"type": "dense", "input": "repeated", "units": 1},
        },
        data__every="hour",
        data__columns={name: {"missing": "forward"} for name in ("sales", "price")},
        data__inputs={
            "history": {"columns": ["sales", "price"]},
            "size": {"columns": ["size"], "static": True},
        },
        data__split={"validation": 0},
    )
    x, _, _ = found.load_data(frame).train.arrays()
    assert x["size"].tolist() == [[7]] * 7


# --- problems ---

MASKED = {name: {"missing": "mask"} for name in ("sales", "price")}
FORWARD = {name: {"missing": "forward"} for name in ("sales", "price")}


def _hours(*hours: str, **values: list[Any]) -> pd.DataFrame:
    times = pd.to_datetime([f"2024-01-01 {hour}" for hour in hours])
    return shop("a", times, 0).assign(**values)


PROBLEMS: dict[str, tuple[dict[str, Any], Any, str, str]] = {
    "a column that is made": (
        {"data__calendar": ["hour", "day"], "data__inputs": {"x": {"columns": ["hour", "day"]}}},
        _hours("00:00", "01:00", hour=[0, 1]),
        "D405 the table has a column 'hour', which `calendar:` makes too",
        "rename the table's column",
    ),
    "a column of missing values": (
        {"data__columns": MASKED},
        _hours("00:00", "01:00", price_missing=[0, 1]),
        "D405 the table has a column 'price_missing', which `missing: mask` makes too",
        "rename the table's column",
    ),
    "a time beside the grid": (
        {"data__every": "hour", "data__columns": MASKED},
        _hours("00:30", "01:30", "02:45", "03:45"),
        "D406 column 'date', row 3 and 1 more: 2024-01-01 02:45:00 is not on the grid of "
        "`every: hour`, which begins at 2024-01-01 00:30:00 of series 'a'",
        "correct it to 2024-01-01 02:30:00 or 2024-01-01 03:30:00, or write another `every:`",
    ),
    "numbers where there is a unit": (
        {"data__every": "hour", "data__columns": MASKED},
        shop("a", [1, 2, 4], 0),
        "D407 column 'date' holds plain numbers, but `every: hour` counts hours",
        "write a number, such as `every: 1`",
    ),
    "times where there is a number": (
        {"data__every": 3600, "data__columns": MASKED},
        _hours("00:00", "01:00"),
        "D407 column 'date' holds times, but `every: 3600` is a plain number",
        "write a unit of time, such as `every: hour`",
    ),
    "fractions of whole numbers": (
        {"data__every": 0.5, "data__columns": MASKED},
        shop("a", [1, 2, 4], 0),
        "D407 column 'date' holds whole numbers, and `every: 0.5` is a fraction",
        "write a whole number",
    ),
    "hours of dates": (
        {"data__every": "hour", "data__columns": MASKED},
        pa.table(
            {
                "store": ["a", "a"],
                "date": pa.array([1, 2], pa.int32()).cast(pa.date32()),
                "sales": [1.0, 2.0],
                "price": [1.0, 2.0],
            }
        ),
        "D407 column 'date' holds dates without hours, which are coarser than `every: hour`",
        "write a longer step",
    ),
    "a year without a century": (
        {"data__every": "second", "data__columns": MASKED},
        shop("a", pd.to_datetime(["1924-01-01 00:00", "2024-01-01 00:00", "2024-01-01 00:01"]), 0),
        "D407 `every: second` puts 3,155,760,058 rows between the 3 of the table; most of them "
        "between 1924-01-01 00:00:00 and 2024-01-01 00:00:00, row 2",
        "write a longer step, or correct the times",
    ),
    "a calendar of numbers": (
        {"data__calendar": ["hour", "day"], "data__inputs": {"x": {"columns": ["hour", "day"]}}},
        shop("a", [1, 2, 4], 0),
        "D407 column 'date' holds plain numbers, which have no `calendar:`",
        "give dates or times",
    ),
    "no value before": (
        {"data__columns": {"sales": {"missing": "interpolate"}}},
        _hours("00:00", "01:00", "02:00", sales=[None, None, 3.0]),
        "D408 column 'sales' is empty in row 1 of series 'a', and in 1 more rows, with no value "
        "before it for `missing: interpolate`",
        "the next value would be from the future: remove these rows, or write `missing: mask`",
    ),
    "no value at all": (
        {"data__columns": FORWARD},
        _hours("00:00", "01:00", sales=[None, None]),
        "D411 column 'sales' is empty: no row has a value",
        "leave it out of the recipe",
    ),
    "nothing for a row that is put in": (
        {"data__every": "hour", "data__columns": {"sales": {"missing": 0}}},
        _hours("00:00", "01:00", "04:00"),
        "D412 column 'price' has no values where 2 rows are put in, the first: the row that "
        "`every:` puts in at 2024-01-01 02:00:00 of series 'a'",
        "say what stands there: `columns: {price: {missing: forward}}`",
    ),
    "an empty cell beside clean columns": (
        {"data__every": "hour", "data__columns": {"sales": {"missing": 0}}},
        _hours("00:00", "01:00", "02:00", price=[1.0, None, 2.0]),
        "D301 column 'price': 1 value is missing (NaN), the first in row 2",
        "say what stands for them: `columns: {price: {missing: forward}}`",
    ),
    "an infinite value": (
        {"data__columns": {"price": {"clip": [0, 10]}}},
        _hours("00:00", "01:00", "02:00", price=[1.0, np.inf, 2.0]),
        "D301 column 'price': 1 value is infinite, the first in row 2",
        "fill them in",
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_cannot_be_cleaned_is_named_by_its_row(case: str) -> None:
    values, source, message, hint = PROBLEMS[case]
    found = problem_of(recipe(ROWS, **values), source)
    assert found[0] == message
    assert hint in found[1]


def test_a_skipped_hour_is_told() -> None:
    """Warn of local times; with a zone, no hour is missing."""
    local = pd.date_range("2024-03-30 20:00", periods=12, freq="h", tz="Europe/Berlin")
    frame = shop("a", local.tz_localize(None), 0)
    with_every = recipe(ROWS, data__every="hour", data__columns=FORWARD)
    for found, code in ((with_every, "D410"), (recipe(ROWS), "D404")):
        (warning,) = found.load_data(frame).warnings
        assert warning.code == code
        assert "2024-03-31 01:00:00" in warning.message
        assert "row 7" in warning.message
        assert "write times in UTC, or with their offset" in (warning.hint or "")
    assert with_every.load_data(shop("a", local, 0)).warnings == ()


def test_a_name_of_the_calendar_is_told_how_to_be_made() -> None:
    found = recipe(ROWS, data__inputs={"x": {"columns": ["hour", "size"]}})
    message, hint = problem_of(found, _hours("00:00", "01:00").assign(size=1))
    assert message.startswith("D201 there is no column 'hour'")
    assert "write `calendar: [hour]`" in hint


# --- cache ---


def test_cleaned_tables_are_cached_by_what_is_cleaned(tmp_path: Path) -> None:
    path, cache = tmp_path / "sales.parquet", tmp_path / "cache"
    frame = holes(shop("a", pd.date_range("2024-01-01", periods=40, freq="h"), 0), 1)
    frame.to_parquet(path)
    settings: list[dict[str, Any]] = [
        {"data__every": "hour"},
        {},
        {"data__columns": {**MASKED, "price": {"missing": "forward"}}},
        {"data__columns": {**MASKED, "price": {"missing": "mask", "clip": [0, 3]}}},
        {"data__columns": {**MASKED, "price": {"missing": "interpolate"}}},
        {
            "data__columns": {**MASKED, "price": {"missing": "interpolate"}},
            "data__split": {"kind": "chronological", "validation": 0.5},
        },
        {
            "data__columns": {**MASKED, "price": {"missing": "interpolate"}},
            "data__window": {"history": 1, "horizon": 1},
            "data__inputs": {"x": {"columns": ["sales", "price"], "steps": "last"}},
        },
    ]
    for number, values in enumerate(settings, start=1):
        found = recipe(ROWS, **{"data__columns": MASKED, **values})
        wanted = json.dumps([_lists(part) for part in found.load_data(path).train.arrays()])
        for _ in range(2):
            again = found.load_data(path, cache=cache)
            assert json.dumps([_lists(part) for part in again.train.arrays()]) == wanted
            assert again.train.span == found.load_data(path).train.span
        assert len(list(cache.iterdir())) == number


def _lists(part: dict[str, Any] | None) -> dict[str, Any]:
    return {name: array.tolist() for name, array in (part or {}).items()}
