"""Nothing from behind an origin reaches its forecast, whatever prepares the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from building import with_header

import lstmgraph
from lstmgraph.prediction import OpenedModel
from lstmgraph.prediction.loading import Request, load_query

EVERY = """
inputs:
  past: {shape: [5, 9]}
  latest: {shape: [2]}
  late: {shape: [3, 1]}
  ahead: {shape: [3, 2]}
  kind: {shape: [1]}
layers:
  read: {type: lstm, input: past, units: 2}
  late_read: {type: flatten, input: late}
  ahead_read: {type: flatten, input: ahead}
  all: {type: concatenate, input: [read, latest, late_read, ahead_read, kind]}
  y: {type: dense, input: all, units: 3}
outputs: {y: y}
training: {loss: mae}
data:
  series: shop
  time: hour
  every: hour
  calendar: [hour_sin, weekday]
  columns:
    sales: {missing: interpolate, scale: standard}
    price: {missing: interpolate, clip: [0, 9], scale: min_max}
    heat: {missing: forward, scale: robust}
    rain: {missing: mask, scale: log}
    wind: {missing: 0}
    promo: {missing: forward}
  window: {history: 5, horizon: 3}
  inputs:
    past: {columns: [sales, price, heat, rain, rain_missing, wind, hour_sin, weekday, promo]}
    latest: {columns: [sales, price], steps: last}
    late: {columns: [price], steps: horizon, lag: 3}
    ahead: {columns: [promo, weekday], steps: horizon}
    kind: {columns: [size], static: true}
  targets: {y: {columns: [sales], difference: 2}}
"""


def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    shop, hour = (each.ravel() for each in np.indices((2, 40)))
    frame = pd.DataFrame({"shop": np.array(["north", "south"])[shop]})
    frame["hour"] = np.datetime64("2024-03-01T00", "s") + hour.astype("timedelta64[h]")
    for name in ("sales", "price", "heat", "rain", "wind", "promo"):
        frame[name] = random.random(80) * 12
        frame.loc[random.random(80) < 0.3, name] = np.nan
    frame["size"] = 3.0 * shop
    whole = table_of_first_rows(frame)
    kept = whole | (random.random(80) < 0.85)
    numbers = ["sales", "price", "heat", "rain", "wind", "promo"]
    frame.loc[whole, numbers] = frame.loc[whole, numbers].fillna(1.0)
    return frame[kept].reset_index(drop=True)


def table_of_first_rows(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby("shop").cumcount() == 0


def windows(opened: OpenedModel, frame: pd.DataFrame, request: Request) -> dict[Any, Any]:
    """Return the inputs of each window by its series and the time of its origin."""
    query = load_query(opened, frame, request)
    assert query.clock is not None
    assert query.series is not None
    assert query.origins is not None
    numbers = np.arange(query.count)
    times = query.clock.at(query.series.astype(int), query.origins - 1)
    batch = query.batch(numbers)
    return {
        (query.series_keys[query.series[at]], times[at]): {n: v[at] for n, v in batch.items()}
        for at in numbers
    }


KNOWN_AHEAD = ["shop", "hour", "promo", "size"]


def changes(frame: pd.DataFrame, origin: np.datetime64) -> dict[str, tuple[pd.DataFrame, Any]]:
    """Tables that differ from `frame` behind the origin alone, with the rows known of the future.

    Prices that are there now may be missing then, and the other way round.
    """
    random = np.random.default_rng(1)
    late = frame["hour"] > origin
    others, fewer = frame.copy(), frame.copy()
    for name in ("sales", "price", "heat", "rain", "wind"):
        others.loc[late, name] = random.random(int(late.sum())) * 1e4
        fewer.loc[late, name] = np.nan
    # The rows of the steps ahead have to be there, and one value of the target behind them.
    fewer.loc[
        frame.index[late & (frame.groupby("shop").cumcount(ascending=False) == 0)], "sales"
    ] = 5
    return {
        "other values": (others, None),
        "empty cells": (fewer, None),
        "rows cut off": (frame[~late], frame.loc[late, KNOWN_AHEAD]),
    }


@pytest.mark.slow
def test_nothing_behind_an_origin_reaches_its_inputs() -> None:
    """Every way to prepare a column, and every way to read it, but columns known of the future."""
    recipe = lstmgraph.load(with_header(EVERY, "leaks"))
    opened = OpenedModel(recipe.compiled, recipe.compiled.graph, dict)
    frame = table()
    found = windows(opened, frame, Request(origins="all"))
    compared = 0
    for origin in sorted({time for _, time in found})[::4]:
        for what, (changed, future) in changes(frame, origin).items():
            # Of the rows that are cut off, the forecast is that for the future.
            asked = Request(future=future, origins=None if future is not None else "all")
            own = windows(opened, changed, asked)
            for key in {key for key in found if key[1] == origin} & set(own):
                for name, values in found[key].items():
                    label = f"{what} behind {key}, read by {name}"
                    np.testing.assert_array_equal(own[key][name], values, err_msg=label)
                compared += 1
    assert compared > 40


FITTED = """
inputs: {past: {shape: [5, 2]}, other: {shape: [5, 2]}}
layers:
  normal: {type: normalization, input: past, mean: [1.0, 100.0], variance: [4.0, 25.0]}
  both: {type: concatenate, input: [normal, other]}
  read: {type: lstm, input: both, units: 2}
  y: {type: dense, input: read, units: 3}
outputs: {y: y}
training: {loss: mae}
data:
  time: hour
  window: {history: 5, horizon: 3}
  columns: {c: {scale: standard}}
  inputs: {past: {columns: [a, b]}, other: {columns: [c, d]}}
  targets: {y: {columns: [a]}}
"""


def test_drift_of_columns_that_a_normalization_layer_was_fitted_on() -> None:
    """Column 'b' has 5 times its deviations at most, but for one value; 'd' has no numbers."""
    recipe = lstmgraph.load(with_header(FITTED, "drift"))
    opened = OpenedModel(recipe.compiled, recipe.compiled.graph, dict)
    frame = pd.DataFrame({name: np.ones(20) for name in "abcd"})
    frame["hour"] = pd.date_range("2024-01-01", periods=20, freq="h")
    frame["b"] = 100 + 24.0 * np.cos(np.arange(20))
    frame["d"] = 10.0 ** np.arange(20)
    near = load_query(opened, frame, Request(origins="all")).warnings
    assert not near, near
    frame.loc[17, "b"] = 49.0
    (found,) = load_query(opened, frame, Request(origins="all")).warnings
    assert found.code == "D505"
    assert "column 'b' is 49 at 2024-01-01 17:00" in found.message


NAMES = """
inputs: {ax: {shape: [4, 1]}}
layers: {y: {type: lstm, input: ax, units: 1}}
outputs: {y: y}
training: {loss: mse}
data:
  window: {history: 4, horizon: 1}
  inputs: {ax: {columns: [ax]}}
  targets: {y: {columns: [kind]}}
"""


@pytest.mark.parametrize(
    ("text", "names", "says"),
    [
        (EVERY, ["past", "latest", "late", "ahead", "kind", "y"], "'past' has shape (9,), but"),
        (EVERY, [f"test_{n}" for n in ("past", "latest", "late", "ahead", "kind")], "'past' has"),
        (EVERY, ["past", "latest"], "there is no column 'shop'"),
        (EVERY, ["shop", "past", "latest", "late", "ahead", "kind"], "there is no column 'hour'"),
        (NAMES, ["ax"], ""),  # an input of the name of its column
    ],
)
def test_ready_inputs_are_no_columns(tmp_path, text: str, names: list[str], says: str) -> None:
    """The arrays have the shape of columns, which ready inputs have not."""
    recipe = lstmgraph.load(with_header(text, "small"))
    opened = OpenedModel(recipe.compiled, recipe.compiled.graph, dict)
    np.savez(tmp_path / "data.npz", **{name: np.arange(9.0) for name in names})
    if not says:
        assert load_query(opened, tmp_path / "data.npz", Request()).count
        return
    with pytest.raises(lstmgraph.DataError) as caught:
        load_query(opened, tmp_path / "data.npz", Request())
    messages = [problem.message for problem in caught.value.problems]
    assert any(says in message for message in messages)
