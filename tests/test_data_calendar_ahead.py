"""Forecasts whose inputs of the horizon are made from times need no rows of the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from building import with_header

import lstmgraph

RECIPE = """
inputs: {history: {shape: [6, 1]}, ahead: {shape: [4, 3]}}
layers:
  read: {type: gru, input: history, units: 3}
  write: {type: gru, input: ahead, units: 3, initial_state: read}
  y: {type: dense, input: write.sequence, units: 1}
outputs: {y: y}
runtime: {seed: 2}
training: {loss: mae}
data:
  series: shop
  time: date
  every: EVERY
  calendar: [month_sin, weekday, hour_cos]
  window: {history: 6, horizon: 4}
  columns: {sales: {missing: forward}}
  inputs:
    history: {columns: [sales]}
    ahead: {columns: [weekday, month_sin, hour_cos], steps: horizon}
  targets: {y: {columns: [sales]}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("every", "frequency", "zone"),
    [("6 hours", "6h", None), ("hour", "h", "Europe/Berlin"), ("month", "MS", None)],
)
def test_the_calendar_of_the_steps_ahead_is_made(
    every: str, frequency: str, zone: str | None
) -> None:
    recipe = lstmgraph.load(with_header(RECIPE.replace("EVERY", every), "calls"))
    model = recipe.build()
    frames = []
    for number, shop in enumerate(("one", "two")):
        # Clocks are set back on 27 October, within the steps ahead.
        dates = pd.date_range("2024-10-26 14:00", periods=20, freq=frequency, tz=zone)
        sales = np.sin(np.arange(20.0) + number)
        frames.append(pd.DataFrame({"shop": shop, "date": dates, "sales": sales}))
    whole = pd.concat(frames)
    past = pd.concat(frame[:12] for frame in frames)
    future = pd.concat(frame[12:16].assign(sales=np.nan) for frame in frames)
    found = lstmgraph.predict(model, past, recipe=recipe).to_pandas()
    wanted = lstmgraph.predict(model, pd.concat([past, future]), recipe=recipe).to_pandas()
    pd.testing.assert_frame_equal(found, wanted)
    at = frames[0]["date"][12:16]
    assert list(found["date"][:4]) == list(at)
    ahead = np.stack(
        [
            at.dt.day_of_week,
            np.sin(2 * np.pi * (at.dt.month - 1) / 12),
            np.cos(2 * np.pi * at.dt.hour / 24),
        ],
        axis=-1,
    )
    history = whole["sales"].to_numpy()[6:12].reshape(1, 6, 1)
    by_hand = model.predict(
        {"history": history, "ahead": ahead[None].astype("float32")}, verbose=0
    )["y"]
    np.testing.assert_allclose(found["sales_forecast"][:4], by_hand[0, :, 0], rtol=1e-5)
