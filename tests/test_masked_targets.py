"""Steps whose target is missing: loss and metrics are those of NumPy over the other steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from data_building import recipe

WINDOWS = """
    inputs: {history: {shape: [4, 1]}}
    layers:
      encoder: {type: lstm, input: history, units: 2}
      repeated: {type: repeat_vector, input: encoder, n: 2}
      next: {type: dense, input: repeated, units: 1}
    outputs: {next: next}
    training: {loss: mse, weighted_metrics: [mae]}
    data:
      time: date
      window: {history: 4, horizon: 2}
      columns: {sales: {missing: mask}}
      inputs: {history: {columns: [sales]}}
      targets: {next: {columns: [sales]}}
      split: {validation: 0}
"""


@pytest.mark.slow
def test_missing_steps_count_neither_in_the_loss_nor_in_weighted_metrics() -> None:
    random = np.random.default_rng(0)
    sales = random.normal(5, 2, 30)
    sales[[3, 9, 10, 17]] = np.nan
    times = pd.date_range("2024-01-01", periods=30, freq="h")
    found = recipe(WINDOWS)
    model = found.build()
    train = found.load_data(pd.DataFrame({"date": times, "sales": sales})).train
    x, _, _ = train.arrays()
    results = model.evaluate(train.as_keras(64).dataset, return_dict=True, verbose=0)
    targets = np.stack([sales[origin : origin + 2] for origin in range(4, 29)])
    errors = model.predict(x, verbose=0)["next"][..., 0] - targets
    known = ~np.isnan(targets)
    assert 0 < known.sum() < known.size
    # The loss is the sum over all that counts, divided by the number of steps.
    np.testing.assert_allclose(results["loss"], np.nansum(errors**2) / known.size, rtol=1e-5)
    np.testing.assert_allclose(results["mae"], np.nanmean(np.abs(errors)), rtol=1e-5)
