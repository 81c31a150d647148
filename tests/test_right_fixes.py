"""Fixes that once were wrong."""

from __future__ import annotations

import pytest

import lstmgraph

TEXT = """recipe: 1
name: windows
inputs: {x: {shape: [24, 2]}}
layers:
  a: {type: lstm, input: x, units: 4}
  y: {type: dense, input: a, units: 1}
outputs: {y: y}
training: {loss: mse}
data:
  time: t
  window: {history: HISTORY, horizon: 1}
  inputs: {x: {columns: [s, p]}}
  targets: {y: {columns: [s], steps: horizon}}
"""


@pytest.mark.parametrize("history", ["48", "{$search: {choice: [24, 48]}}"])
def test_a_window_of_another_length_than_the_input_asks_for_any_number_of_steps(
    history: str,
) -> None:
    text = TEXT.replace("HISTORY", history)
    with pytest.raises(lstmgraph.RecipeError, match=r"write `shape: \[time, 2\]`, which takes any"):
        lstmgraph.load(text)
    assert lstmgraph.load(text.replace("[24, 2]", "[time, 2]"))


@pytest.mark.parametrize("cell", ["LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"])
def test_a_cell_is_said_to_stand_in_a_layer_of_cells(cell: str) -> None:
    text = TEXT.replace("HISTORY", "24").replace("type: lstm,", f"type: {cell},")
    with pytest.raises(lstmgraph.RecipeError, match="`cells:` of `type: rnn`"):
        lstmgraph.load(text)
