"""`lstmgraph.evaluate` on files of every format, of tables with ``every:`` and ``calendar:``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from building import with_header

import lstmgraph
from lstmgraph.data.problems import DataError

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")
# Keras 3.15 turns its variables into arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = """
inputs:
  past: {shape: [4, 3]}
  ahead: {shape: [2, 2]}
  kind: {shape: [], dtype: string}
layers:
  ids: {type: string_lookup, input: kind, output_mode: one_hot,
        vocabulary: [cafe, shop]}
  read: {type: lstm, input: past, units: 3}
  flat: {type: flatten, input: ahead}
  all: {type: concatenate, input: [read, flat, ids]}
  numbers: {type: dense, input: all, units: 6}
  sales: {type: reshape, input: numbers, target_shape: [2, 3]}
  open: {type: dense, input: all, units: 2, activation: softmax}
outputs: {sales: sales, open: open}
runtime: {seed: 1}
training:
  loss: {sales: {type: pinball, quantiles: [0.1, 0.5, 0.9]}, open: sparse_categorical_crossentropy}
data:
  series: store
  time: hour
  every: hour
  calendar: [hour_sin, weekday]
  columns: {sales: {missing: forward, scale: standard}, price: {missing: interpolate}}
  window: {history: 4, horizon: 2}
  inputs:
    past: {columns: [sales, price, hour_sin]}
    ahead: {columns: [hour_sin, weekday], steps: horizon}
    kind: {columns: [kind], static: true}
  targets:
    sales: {columns: [sales]}
    open: {columns: [open], steps: last, classes: [closed, open]}
  split: {validation: 0.2, test: 0.3}
"""


def table() -> pd.DataFrame:
    """Two stores, some hours of which are not there, and some sales are missing."""
    random = np.random.default_rng(0)
    store, hour = (each.ravel() for each in np.indices((2, 60)))
    frame = pd.DataFrame({"store": np.array(["north", "south"])[store]})
    frame["kind"] = np.array(["cafe", "shop"])[store]
    frame["hour"] = np.datetime64("2024-03-01T00", "s") + hour.astype("timedelta64[h]")
    frame["sales"] = 20 + 5 * np.sin(hour / 24 * 2 * np.pi) + random.normal(size=120)
    frame["price"] = random.random(120)
    frame["open"] = np.where(hour % 24 > 7, "open", "closed")
    frame.loc[(random.random(120) < 0.1) & (hour > 0), "price"] = np.nan
    return frame


def close(found: Any, wanted: Any, where: str = "") -> None:
    """Compare plain data of two evaluations; counts and names are equal, measures to 1e-4."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), where
        for key in wanted:
            close(found[key], wanted[key], f"{where}/{key}")
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted), where
        for at, each in enumerate(wanted):
            close(found[at], each, f"{where}/{at}")
    elif isinstance(wanted, float):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6, err_msg=where)
    else:
        assert found == wanted, where


@pytest.mark.slow
def test_every_format_has_the_same_measures(tmp_path: Path) -> None:
    frame = table()
    recipe = lstmgraph.load(with_header(RECIPE, "stores")).fitted(frame)
    model = recipe.build()
    files = [tmp_path / f"stores{ending}" for ending in (".keras", ".onnx", ".tflite")]
    recipe.save(model, files[0])
    recipe.export(model, files[1], format="onnx")
    recipe.export(model, files[2], format="litert")
    for part in ("all", "test"):
        own, *others = (lstmgraph.evaluate(path, frame, part=part) for path in files)
        assert own.season == 24
        (column,) = own.numbers["sales"]
        assert len(column.series) == 2
        wanted = own.to_dict()
        json.dumps(wanted, allow_nan=False)
        for found in others:
            close(found.to_dict(), wanted)

    # By hand: forecasts of the last 4 hours, and what came.
    found = lstmgraph.evaluate(files[1], frame, origins=1)
    (column,) = found.numbers["sales"]
    errors = []
    for batch in lstmgraph.predict(files[0], frame, origins=1, with_targets=True):
        errors.append(batch.values["sales"][..., 1] - batch.targets["sales"][..., 0])
        last = frame.groupby("store")["sales"].apply(lambda rows: rows.to_numpy()[-2:])
        np.testing.assert_allclose(batch.targets["sales"][..., 0], np.stack(last), rtol=1e-6)
    mae = np.abs(np.concatenate(errors)).mean()
    np.testing.assert_allclose(column.measures["model"]["mae"], mae, rtol=1e-4)


@pytest.mark.slow
def test_rows_that_every_puts_in_are_forecast_from_but_not_measured(tmp_path: Path) -> None:
    """A missing hour has no target, and the naive forecasts do not see it either."""
    frame = table()
    missing = frame["hour"].isin(pd.to_datetime(["2024-03-03 03:00", "2024-03-03 04:00"]))
    text = RECIPE.replace("open: {columns: [open], steps: last, classes: [closed, open]}", "")
    text = text.replace("outputs: {sales: sales, open: open}", "outputs: {sales: sales}")
    text = text.replace(", open: sparse_categorical_crossentropy", "")
    text = text.replace("  open: {type: dense, input: all, units: 2, activation: softmax}\n", "")
    recipe = lstmgraph.load(with_header(text, "stores")).fitted(frame)
    path = tmp_path / "stores.keras"
    recipe.save(recipe.build(), path)
    whole = lstmgraph.evaluate(path, frame).numbers["sales"][0]
    gaps = lstmgraph.evaluate(path, frame[~missing]).numbers["sales"][0]
    counts = [sum(count for _, count, _ in each.series) for each in (whole, gaps)]
    # Two hours of two stores are each the target of two windows.
    assert counts[0] - counts[1] == 2 * 2 * 2
    with pytest.raises(DataError, match="D40"):
        lstmgraph.evaluate(path, frame.assign(hour=np.arange(120)))
