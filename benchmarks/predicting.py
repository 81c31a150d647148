"""Predictions of a table: `lstmgraph.predict` and the same by hand with pandas and Keras, in turn.

Run ``python -m benchmarks.predicting --rows 200000``. Each side reads a CSV file, predicts and
writes a CSV file, once for single rows and once for forecasts from every tenth row.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS_RECIPE = """
recipe: 1
name: rows
inputs: {x: {shape: [2]}}
layers:
  hidden: {type: dense, input: x, units: 32, activation: relu}
  y: {type: dense, input: hidden, units: 1}
outputs: {y: y}
training: {loss: mse}
runtime: {seed: 1}
data:
  inputs: {x: {columns: [sales, price]}}
  targets: {y: {columns: [profit]}}
"""
WINDOWS_RECIPE = """
recipe: 1
name: windows
inputs: {history: {shape: [24, 2]}}
layers:
  reader: {type: lstm, input: history, units: 16}
  forecast: {type: dense, input: reader, units: 12}
outputs: {forecast: forecast}
training: {loss: mse}
runtime: {seed: 1}
data:
  series: shop
  time: hour
  window: {history: 24, horizon: 12}
  inputs: {history: {columns: [sales, price]}}
  targets: {forecast: {columns: [sales]}}
"""
HISTORY, HORIZON, STRIDE, BATCH = 24, 12, 10, 4_096


def table(rows: int, path: Path) -> None:
    """Write the hourly sales of shops with 10,000 rows each."""
    numbers = np.random.default_rng(0)
    place = np.arange(rows)
    hours = np.datetime64("2020-01-01", "s") + (place % 10_000) * np.timedelta64(3_600, "s")
    pd.DataFrame(
        {
            "shop": place // 10_000,
            "hour": hours,
            "sales": numbers.normal(size=rows).round(3),
            "price": numbers.normal(size=rows).round(3),
        }
    ).to_csv(path, index=False)


def rows_by_hand(model: Any, data: Path, out: Path) -> None:
    """Predict for every row."""
    frame = pd.read_csv(data)
    x = frame[["sales", "price"]].to_numpy("float32")
    frame = pd.DataFrame({"row": np.arange(1, len(frame) + 1)})
    frame["y"] = model.predict({"x": x}, batch_size=BATCH, verbose=0)["y"]
    frame.to_csv(out, index=False)


def windows_by_hand(model: Any, data: Path, out: Path) -> None:
    """Forecast 12 steps from every tenth row of each shop."""
    frame = pd.read_csv(data, parse_dates=["hour"])
    windows, parts = [], []
    for shop, own in frame.groupby("shop"):
        values, hours = own[["sales", "price"]].to_numpy("float32"), own.hour.to_numpy()
        ends = np.arange(len(own), HISTORY - 1, -STRIDE)[::-1]
        windows.append(np.stack([values[end - HISTORY : end] for end in ends]))
        steps = np.tile(np.arange(1, HORIZON + 1), len(ends))
        origins = np.repeat(hours[ends - 1], HORIZON)
        times = origins + steps * np.timedelta64(1, "h")
        parts.append(pd.DataFrame({"shop": shop, "origin": origins, "hour": times, "step": steps}))
    x = np.concatenate(windows)
    found = model.predict({"history": x}, batch_size=BATCH, verbose=0)["forecast"]
    frame = pd.concat(parts)
    frame["sales_forecast"] = found.reshape(-1)
    frame.to_csv(out, index=False)


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def compare(  # noqa: PLR0913, PLR0917 - what differs between the two
    name: str, recipe: str, by_hand: Any, options: dict[str, Any], rows: int, rounds: int
) -> None:
    """Print the rows of the table that each side predicts for in a second."""
    loaded = lstmgraph.load(recipe)
    model = loaded.build()
    with tempfile.TemporaryDirectory() as folder:
        data, ours, theirs = (Path(folder) / each for each in ("data.csv", "ours.csv", "hand.csv"))
        table(rows, data)

        def by_recipe() -> None:
            found = lstmgraph.predict(model, data, recipe=loaded, batch_size=BATCH, **options)
            found.write(ours)

        def hand() -> None:
            by_hand(model, data, theirs)

        by_recipe(), hand()  # each compiles once
        pairs = [(seconds(by_recipe), seconds(hand)) for _ in range(rounds)]
        left, right = pd.read_csv(ours), pd.read_csv(theirs)
        np.testing.assert_allclose(left.iloc[:, -1], right.iloc[:, -1], atol=1e-5)
        assert len(left) == len(right)
    for side, taken in zip(("lstmgraph", "by hand"), zip(*pairs, strict=True), strict=True):
        middle = statistics.median(taken)
        each = ", ".join(f"{one:.2f}" for one in taken)
        print(f"{name}: {side}: {rows / middle:,.0f} rows/s (median of {each} s)")


def main() -> None:
    """Compare both sides on tables of `--rows` rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    compare("rows", ROWS_RECIPE, rows_by_hand, {}, chosen.rows, chosen.rounds)
    rolling = {"origins": "all", "stride": STRIDE}
    compare("windows", WINDOWS_RECIPE, windows_by_hand, rolling, chosen.rows, chosen.rounds)


if __name__ == "__main__":
    main()
