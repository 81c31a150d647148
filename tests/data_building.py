"""Tables, recipes for them, and their windows cut by plain loops over rows."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

import lstmgraph
from lstmgraph.language.text.document import parse_document

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.data.examples import Examples

Row = dict[str, Any]

FORECAST = """
    inputs:
      history: {shape: [time, 2]}
      known: {shape: [ahead, 1]}
      store: {shape: [2]}
    layers:
      encoder: {type: lstm, input: history, units: 3, initial_state: {static: [store]}}
      decoder: {type: lstm, input: known, units: 3, initial_state: encoder}
      forecast: {type: dense, input: decoder.sequence, units: 1}
    outputs: {forecast: forecast}
    training: {loss: mse}
    data:
      series: store
      time: day
      window: {history: 4, horizon: 2}
      inputs:
        history: {columns: [sales, price]}
        known: {columns: [promo], steps: horizon}
        store: {columns: [size, kind], static: true}
      targets:
        forecast: {columns: [sales]}
"""
"""A forecaster of the next two days from the last four."""

ROWS = """
    inputs: {x: {shape: [2]}}
    layers: {y: {type: dense, input: x, units: 1}}
    outputs: {y: y}
    training: {loss: mse}
    data:
      inputs: {x: {columns: [a, b]}}
      targets: {y: {columns: [c]}}
"""
"""One row of a table is one example."""

SEQUENCES = """
    inputs:
      x: {shape: [time, 2]}
      lengths: {shape: [], dtype: int32}
    layers:
      reader: {type: lstm, input: x, units: 3, mask: {lengths: lengths}}
      kind: {type: dense, input: reader, units: 4, activation: softmax}
    outputs: {kind: kind}
    training: {loss: sparse_categorical_crossentropy}
"""
"""A classifier of padded sequences."""


def forecaster(**values: Any) -> lstmgraph.Recipe:
    """`FORECAST` with other values, by path: ``data__window__stride=3``."""
    return recipe(FORECAST, **values)


def recipe(text: str, **values: Any) -> lstmgraph.Recipe:
    """The recipe of `text` with other values, which need not stand there yet."""
    whole = f"recipe: 1\nname: inline\n{textwrap.dedent(text).lstrip()}"
    data = parse_document(whole).data
    for path, value in values.items():
        *keys, last = path.split("__")
        place = data
        for key in keys:
            place = place.setdefault(key, {})
        place[last] = value
    return lstmgraph.load(json.dumps(data))


def store_rows(*days: int, seed: int = 0) -> list[Row]:
    """Days of sales of several stores, one store after the other; no two sales are the same."""
    random = np.random.default_rng(seed)
    sales = iter(random.permutation(sum(days)) / 8)
    return [
        {
            "store": f"store {number}",
            "day": date(2024, 1, 1) + timedelta(day),
            "sales": float(next(sales)),
            "price": round(float(random.normal()), 3),
            "promo": int(random.integers(0, 2)),
            "size": 10.5 * number,
            "kind": number,
        }
        for number, count in enumerate(days)
        for day in range(count)
    ]


def table(rows: list[Row]) -> pa.Table:
    """As Arrow has it."""
    return pa.Table.from_pylist(rows)


def write_csv(rows: list[Row], path: Path) -> Path:
    csv.write_csv(table(rows), path)
    return path


def write_parquet(rows: list[Row], path: Path, **options: Any) -> Path:
    parquet.write_table(table(rows), path, **options)
    return path


@dataclass(frozen=True)
class Cut:
    """One window, cut by hand: its store, and its rows before and after now."""

    store: str
    history: list[Row]
    ahead: list[Row]


def windows(
    rows: list[Row], history: int, horizon: int, stride: int = 1, shortest: int | None = None
) -> list[Cut]:
    """Every window of every store, in the order of the stores' first rows."""
    found = []
    for store in dict.fromkeys(row["store"] for row in rows):
        own = sorted((r for r in rows if r["store"] == store), key=lambda row: row["day"])
        now = history if shortest is None else shortest
        while now + horizon <= len(own):
            found.append(Cut(store, own[max(0, now - history) : now], own[now : now + horizon]))
            now += stride
    return found


def values(rows: list[Row], *columns: str, steps: int | None = None) -> list[list[float]]:
    """Columns of rows side by side, padded with zeros at the end."""
    found = [[float(row[column]) for column in columns] for row in rows]
    return found + [[0.0] * len(columns)] * ((steps or 0) - len(rows))


def float32(lists: Any) -> np.ndarray:
    return np.array(lists, "float32")


def target_days(part: Examples, rows: list[Row]) -> list[tuple[str, Any, Any]]:
    """Of each example its store, and the first and last day that it forecasts.

    Sales differ in every row, so they show which rows an example is made of.
    """
    by_sales = {np.float32(row["sales"]): row for row in rows}
    assert len(by_sales) == len(rows)
    _, targets, _ = part.arrays()
    found = []
    for example in targets["forecast"][..., 0]:
        first, last = (by_sales[sales] for sales in (example[0], example[-1]))
        found.append((first["store"], first["day"], last["day"]))
    return found
