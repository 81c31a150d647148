"""L855: an input that reads the answer of a target, whatever steps the two are read at.

Which pairs give an answer away is counted here over the steps of one window.
"""

from __future__ import annotations

import pytest
from building import with_header

import lstmgraph
from lstmgraph.messages.errors import RecipeError

HISTORY, HORIZON = 3, 2
STEPS = {
    "steps: history": range(-HISTORY, 0),
    "steps: horizon": range(HORIZON),
    "steps: horizon, lag: 1": range(-1, HORIZON - 1),
    "steps: window": range(-HISTORY, HORIZON),
    "steps: last": range(-1, 0),
    "static: true": range(-HISTORY, HORIZON),
}
"""How columns are read, and the steps counted from the first of the horizon."""
RECIPE = """
inputs: {{x: {{shape: {x}}}, other: {{shape: [time, 1]}}}}
layers:
  static: {{type: dense, input: {read}, units: {units}}}
outputs: {{y: static}}
training: {{loss: mse}}
data:
  {window}
  inputs:
    x: {{columns: [{columns}]{how}}}
    {other}
  targets: {{y: {{columns: [{answers}]{answer}}}}}
"""


def codes(text: str) -> list[str]:
    try:
        lstmgraph.load(with_header(text))
    except RecipeError as error:
        return [found.code for found in error.diagnostics]
    return []


def recipe(how: str, answer: str, columns: str = "a, b", answers: str = "a") -> str:
    """Shapes do not matter to the check: only L855 is looked for."""
    return RECIPE.format(
        x="[time, 2]",
        read="x",
        units=len(answers.split(",")),
        window=f"window: {{history: {HISTORY}, horizon: {HORIZON}}}",
        columns=columns,
        how=f", {how}",
        other="other: {columns: [b]}",
        answers=answers,
        answer=f", {answer}",
    )


@pytest.mark.parametrize("how", STEPS)
@pytest.mark.parametrize("answer", [each for each in STEPS if "lag" not in each])
def test_an_input_that_reads_the_answer_is_refused(how: str, answer: str) -> None:
    """With a lag, each step reads earlier ones; ahead, they are known by then (teacher forcing)."""
    shared = set(STEPS[how]) & set(STEPS[answer])
    if answer in ("steps: horizon", "steps: window"):
        shared &= set(range(HORIZON)) if "lag" not in how else set()
    assert ("L855" in codes(recipe(how, answer))) == bool(shared)
    assert "L855" not in codes(recipe(how, answer, columns="b, c"))


@pytest.mark.parametrize("how", ["steps: history", "steps: last"])
def test_an_autoencoder_reads_what_it_writes(how: str) -> None:
    assert "L855" not in codes(recipe(how, "steps: history", "a, b", "a, b, c"))
    assert "L855" in codes(recipe(how, "steps: history", "a, b", "a"))
    assert "L855" in codes(recipe(how, "steps: last", "a, b", "a, b"))


def test_rows_and_whole_series() -> None:
    rows = """
inputs: {x: {shape: [2]}}
layers: {y: {type: dense, input: x, units: 1}}
outputs: {y: y}
training: {loss: mse}
data: {inputs: {x: {columns: [a, COLUMN]}}, targets: {y: {columns: [b]}}}
"""
    assert codes(rows.replace("COLUMN", "b")) == ["L855"]
    assert codes(rows.replace("COLUMN", "c")) == []
    whole = """
inputs: {x: {shape: [time, 2]}}
layers:
  reader: {type: lstm, input: x, units: 4}
  y: {type: dense, input: reader, units: 1}
outputs: {y: y}
training: {loss: mse}
data:
  series: id
  window: {history: series}
  inputs: {x: {columns: [a, COLUMN]}}
  targets: {y: {columns: [b], static: true}}
"""
    assert codes(whole.replace("COLUMN", "b")) == ["L855"]
    assert codes(whole.replace("COLUMN", "c")) == []
