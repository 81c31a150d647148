"""Sizes that follow from the windows of `data:` or from arrays: outputs must have their targets'.

Each fix that is suggested is followed: the recipe must be right then.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import load

import lstmgraph
from lstmgraph.keras_facts.tensors import number_of, with_sizes

if TYPE_CHECKING:
    from pathlib import Path

FORECASTER = """
inputs: {history: {shape: [28, 3]}, known: {shape: SHAPE}}
layers:
  encoder: {type: lstm, input: history, units: 4}
  decoder: {type: lstm, input: known, units: 4, initial_state: encoder}
  more: LAYER
  forecast: {type: dense, input: BEHIND, units: 1}
outputs: {forecast: forecast}
training: {loss: mse}
data:
  series: shop
  time: day
  window: {history: 28, horizon: 7}
  inputs:
    history: {columns: [sales, price, promo]}
    known: {columns: COLUMNS}
  targets: {forecast: {columns: [sales]}}
"""
LAST = "{type: dense, input: encoder, units: 2}"


def forecaster(
    shape: str, columns: str, layer: str = LAST, behind: str = "decoder.sequence"
) -> str:
    text = FORECASTER.replace("SHAPE", shape).replace("COLUMNS", columns)
    return text.replace("LAYER", layer).replace("BEHIND", behind)


def only_mistake(text: str) -> lstmgraph.Diagnostic:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(text)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("shape", "columns", "hint", "right"),
    [
        ("[7, 2]", "[price, promo]", "write `steps: horizon`", "[price, promo], steps: horizon"),
        (
            "[time, 2]",
            "[price, promo]",
            "write `steps: horizon` for the input 'known'",
            "[price, promo], steps: horizon",
        ),
        (
            "[7, 2]",
            "[sales, promo], steps: history",
            "write `steps: horizon` and `lag: 1`, one step late",
            "[sales, promo], steps: horizon, lag: 1",
        ),
        (
            "[time, 2]",
            "[sales, promo], steps: history",
            "write `steps: horizon` and `lag: 1`, one step late for the input 'known'",
            "[sales, promo], steps: horizon, lag: 1",
        ),
        (
            "[7, 2]",
            "[sales, promo], steps: horizon",
            "read it with `lag: 1`, one step late",
            "[sales, promo], steps: horizon, lag: 1",
        ),
        (
            "[time, 2]",
            "[price, promo], steps: window",
            "write `steps: horizon` for the input 'known'",
            "[price, promo], steps: horizon",
        ),
    ],
)
def test_the_fix_for_an_input_of_other_steps_than_the_target_is_right(
    shape: str, columns: str, hint: str, right: str
) -> None:
    found = only_mistake(forecaster(shape, columns))
    assert found.hint == hint
    assert load(forecaster(shape, right))


def test_the_steps_of_an_output_are_compared_with_those_of_its_target() -> None:
    found = only_mistake(forecaster("[time, 2]", "[price, promo]"))
    assert found.code == "L854"
    assert found.path == ("data", "targets", "forecast")
    assert found.message == "'forecast' has 7 steps of 1 column, but the loss takes (batch, 28, 1)"
    assert [note.message for note in found.notes] == [
        "the output is declared here",
        "'time' is 28, as 'known' is read here",
    ]


@pytest.mark.parametrize(
    ("layer", "steps"),
    [
        ("{type: conv1d, input: decoder.sequence, filters: 2, kernel_size: 3}", 5),
        ("{type: max_pooling1d, input: decoder.sequence}", 3),
        ("{type: up_sampling1d, input: decoder.sequence}", 14),
        ("{type: zero_padding1d, input: decoder.sequence}", 9),
        ("{type: cropping1d, input: decoder.sequence, cropping: [1, 0]}", 6),
        ("{type: concatenate, input: [decoder.sequence, decoder.sequence], axis: 1}", 14),
    ],
)
def test_steps_that_layers_make_of_a_named_size_are_compared_too(layer: str, steps: int) -> None:
    found = only_mistake(forecaster("[time, 2]", "[price, promo], steps: horizon", layer, "more"))
    assert f"but the loss takes (batch, {steps}, 1)" in found.message


def test_a_horizon_of_one_step_is_no_target_of_many() -> None:
    """Keras would compare each step with the one, without an error."""
    text = forecaster("[time, 2]", "[price, promo]").replace("horizon: 7", "horizon: 1")
    assert "(batch, 28, 1)" in only_mistake(text).message


def test_weights_of_steps_are_those_of_the_loss() -> None:
    weighed = "    forecast: {columns: [sales]}\n  sample_weight: {columns: [trust]STEPS}\n"
    right = forecaster("[time, 2]", "[price, promo], steps: horizon")
    text = right.replace("targets: {forecast: {columns: [sales]}}", f"targets:\n{weighed}")
    assert load(text.replace("STEPS", ""))
    found = only_mistake(text.replace("STEPS", ", steps: history"))
    assert (found.code, found.path) == ("L854", ("data", "sample_weight"))


def test_another_size_that_no_steps_give_is_left_to_the_shape() -> None:
    text = forecaster("[28, 2]", "[price, promo]").replace("{history: 28, h", "{history: 14, h")
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(text)
    assert "'history' has 14 steps" in str(caught.value)


def test_whole_series_have_sizes_that_only_the_data_knows() -> None:
    assert load(
        """
inputs: {x: {shape: [time, 1]}}
layers:
  r: {type: lstm, input: x, units: 2}
  y: {type: dense, input: r.sequence, units: 1}
outputs: {y: y}
training: {loss: mse}
data:
  series: s
  time: t
  window: {history: series}
  inputs: {x: {columns: [a]}}
  targets: {y: {columns: [b], steps: history}}
"""
    )


ARRAYS = """
inputs: {x: {shape: [time, 2]}}
layers:
  r: {type: lstm, input: x, units: 2}
  half: {type: max_pooling1d, input: r.sequence}
  y: {type: dense, input: SOURCE, units: 1}
outputs: {y: y}
training: {loss: mse}
"""


@pytest.mark.parametrize(
    ("source", "steps", "wanted"),
    [("r.sequence", 7, 28), ("r.sequence", 1, 28), ("half", 28, 14), ("half", 13, 14)],
)
def test_arrays_of_targets_have_the_steps_of_their_outputs(
    tmp_path: Path, source: str, steps: int, wanted: int
) -> None:
    recipe = load(ARRAYS.replace("SOURCE", source))
    random = np.random.default_rng(1)
    x = random.normal(size=(6, 28, 2)).astype("float32")
    np.savez(tmp_path / "wrong.npz", x=x, y=np.zeros((6, steps, 1), "float32"))
    with pytest.raises(lstmgraph.DataError) as caught:
        recipe.load_data(tmp_path / "wrong.npz")
    text = str(caught.value)
    assert f"'y' has shape (6, {steps}, 1), but the output has (batch, {wanted}, 1)" in text
    assert "'time' is 28 in 'x'" in text
    np.savez(tmp_path / "right.npz", x=x, y=np.zeros((6, wanted, 1), "float32"))
    assert recipe.load_data(tmp_path / "right.npz")


@pytest.mark.parametrize("name", ["time", "in", "ceil", "lambda"])
def test_sizes_are_worked_out_whatever_their_names(name: str) -> None:
    dims = (f"{name}-2", f"ceil(({name}-1)/2)", f"2*({name}+1)", 4, "other", f"{name}*other")
    found = with_sizes(dims, {name: 10})
    assert found == (8, ceil(Fraction(9, 2)), 22, 4, "other", f"{name}*other")
    assert number_of(dims[-1], {name: 10, "other": 3}) == 30


def test_a_size_of_very_many_layers_is_left_open() -> None:
    dim = "ceil((" * 500 + "time" + "-1)/2)" * 500
    assert with_sizes([dim], {"time": 10}) == (dim,)


@pytest.mark.parametrize("size", ["7", "ahead"])
def test_lengths_of_the_history_mask_no_horizon(size: str) -> None:
    text = """
inputs: {history: {shape: [28, 1]}, known: {shape: [SIZE, 1]}, n: {shape: [], dtype: int32}}
layers:
  encoder: {type: lstm, input: history, units: 4, mask: {lengths: n}}
  decoder: {type: lstm, input: known, units: 4, initial_state: encoder, mask: FORM}
  y: {type: dense, input: decoder.sequence, units: 1}
outputs: {y: y}
training: {loss: mse}
data:
  series: shop
  time: day
  window: {history: 28, horizon: 7, min_history: 3}
  inputs:
    history: {columns: [sales]}
    known: {columns: [promo], steps: horizon}
    n: {length_of: history}
  targets: {y: {columns: [sales]}}
""".replace("SIZE", size)
    assert load(text.replace("FORM", "none"))
    found = only_mistake(text.replace("FORM", "{lengths: n}"))
    assert (found.code, found.path) == ("L854", ("data", "inputs", "n", "length_of"))
    assert "counts up to 28 steps of 'history', but masks a sequence of 7" in found.message


def test_a_shape_of_the_wrong_steps_is_corrected_where_the_target_agrees_with_the_data() -> None:
    """The output has the steps of the input, so that it is no second mistake."""
    found = only_mistake(forecaster("[9, 2]", "[price, promo], steps: horizon"))
    assert found.hint == "write `shape: [7, 2]`: the target has 7 steps too"
    assert load(forecaster("[7, 2]", "[price, promo], steps: horizon"))
