"""The direction of a search's objective: that of its metric, unless the recipe says another."""

from __future__ import annotations

import pytest
from building import load

from lstmgraph.compiler.checks.search import directed_objectives

RECIPE = """
inputs: {{x: {{shape: [time, 3]}}}}
layers:
  reader: {{type: lstm, input: x, units: 4}}
  fault: {{type: dense, input: reader, units: 1, activation: sigmoid}}
  price: {{type: dense, input: reader, units: 1}}
outputs: {{fault: fault, price: price}}
training:
  loss: {{fault: binary_crossentropy, price: mse}}
  metrics: {{fault: [accuracy, auc, false_negatives], price: [mae, r2_score]}}
search: {{objective: {objective}}}
"""


def directions(objective: str) -> list[str]:
    compiled = load(RECIPE.format(objective=objective)).compiled
    found = directed_objectives(compiled.declaration, compiled.graph)
    return [each["direction"] for each in found]


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("val_fault_loss", "min"),
        ("fault_accuracy", "max"),
        ("val_fault_accuracy", "max"),
        ("val_fault_auc", "max"),
        ("val_price_mae", "min"),
        ("val_price_r2_score", "max"),
        ("parameters", "min"),
    ],
)
def test_the_direction_follows_the_metric(metric: str, wanted: str) -> None:
    assert directions(f"{{metric: {metric}}}") == [wanted]


def test_a_written_direction_wins() -> None:
    text = "[{metric: val_fault_accuracy, direction: min}, {metric: parameters, direction: max}]"
    assert directions(text) == ["min", "max"]
    assert directions("{metric: val_fault_false_negatives, direction: min}") == ["min"]
    assert directions("{metric: val_loss, direction: auto}") == ["min"]
