"""The forecaster that reads its own forecasts, week by week."""

from __future__ import annotations

import numpy as np
import pytest
from building import RECIPES, batch_for, outputs_of, randomise

import lstmgraph


@pytest.mark.slow
def test_its_step_goes_on_after_the_last_week_of_the_loop() -> None:
    """26 calls of the step are the loop of 26 weeks with the same weights."""
    path = RECIPES / "feedback-forecaster.yaml"
    longer = lstmgraph.load(path, overrides={"layers.forecast.steps": 26}).build()
    randomise(longer)
    models = lstmgraph.load(path).derive("step")
    assert models.main
    models.main.set_weights(longer.get_weights())
    data = batch_for(longer)
    states = {**outputs_of(models.start, {"history": data["history"]})}
    states["forecast_value"] = data["latest"]
    found = []
    for _ in range(26):
        outputs = outputs_of(models.model, states)
        found.append(outputs["next"])
        states = {name.removeprefix("next_"): outputs[name] for name in outputs if name != "next"}
    wanted = outputs_of(longer, data)["next"]
    np.testing.assert_allclose(np.concatenate(found, axis=1), wanted, atol=1e-6)
