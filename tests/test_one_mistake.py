"""One mistake gives one message, which names what the recipe names, and a fix that is right."""

from __future__ import annotations

import re

import numpy as np
import pytest
from building import load, with_header

import lstmgraph
from lstmgraph.root_error import is_of_library

SEARCHED = """
inputs: {x: {shape: [time, 5]}, n: {shape: [], dtype: int32}}
layers:
  reader: {type: lstm, input: x, units: UNITS, mask: {lengths: n}}
  kind: {type: dense, input: reader, units: 3, activation: softmax}
outputs: {kind: kind}
training: {loss: sparse_categorical_crossentropy, metrics: [accuracy]}
search: {objective: {metric: val_accuracy}, max_trials: 3}
"""
SEARCH = "{$search: {int: [8, 32], step: 8}}"


def mistakes(text: str) -> list[lstmgraph.Diagnostic]:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(text)
    return list(caught.value.diagnostics)


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        ("units: 3", "units: 3.5", "L204"),
        ("[8, 32]", "[32, 8]", "L823"),
        (SEARCH, "{$search: [8, 16]}", "L822"),
        (SEARCH, "{search: {int: [8, 32]}}", "L822"),
        ("input: reader", "input: raeder", "L301"),
        ("{lengths: n}", "{lengths: m}", "L301"),
        ("kind: kind", "kind: kidn", "L301"),
        ("[accuracy]", "[acuracy]", "L205"),
    ],
)
def test_a_mistake_elsewhere_says_nothing_of_the_objective(
    right: str, wrong: str, code: str
) -> None:
    text = SEARCHED.replace("UNITS", SEARCH)
    assert load(text)
    (found,) = mistakes(text.replace(right, wrong))
    assert found.code == code


def test_a_wrong_objective_is_reported_beside_other_mistakes() -> None:
    text = SEARCHED.replace("UNITS", SEARCH).replace("units: 3,", "units: 3.5,")
    found = mistakes(text.replace("val_accuracy", "val_acuracy"))
    assert [each.code for each in found] == ["L204", "L813"]
    assert "did you mean 'val_accuracy'?" in found[1].message


STACKS = """
inputs: {x: {shape: [time, 3]}, k: {shape: [time, 2]}}
layers:
  encoder: {type: lstm, input: x, units: ENCODER}
  decoder: {type: TARGET, input: k, units: DECODER, initial_state: FORM}
  y: {type: dense, input: decoder, units: 1}
outputs: {y: y}
"""


@pytest.mark.parametrize("decoder", ["[6, 4]", "[4, 4]", "4", "6"])
@pytest.mark.parametrize("encoder", ["[6, 4]", "4", "4, bidirectional: true"])
@pytest.mark.parametrize("port", ["state", "last"])
def test_the_fix_for_one_tensor_as_the_states_is_right(
    encoder: str, decoder: str, port: str
) -> None:
    way = "state.forward.h" if "bidirectional" in encoder else "state.h"
    source = f"encoder.{way if port == 'state' else port}"
    text = STACKS.replace("ENCODER", encoder).replace("DECODER", decoder).replace("TARGET", "lstm")
    (found,) = mistakes(text.replace("FORM", source))
    assert found.code == "L603"
    assert found.hint is not None
    form = found.hint.split("`")[3]
    assert load(text.replace("FORM", form))
    assert form.startswith("{h: ")


@pytest.mark.parametrize("encoder", ["[6, 4]", "4"])
@pytest.mark.parametrize(("target", "form"), [("lstm", "{h: SOURCE, c: zeros}"), ("gru", "SOURCE")])
@pytest.mark.parametrize("port", ["state.h", "last"])
def test_the_fix_for_a_state_of_another_size_names_ports_of_the_recipe(
    encoder: str, target: str, form: str, port: str
) -> None:
    text = STACKS.replace("ENCODER", encoder).replace("DECODER", "[6, 6]")
    text = text.replace("TARGET", target)
    source = f"encoder.{port}"
    (found,) = mistakes(text.replace("FORM", form.replace("SOURCE", source)))
    bridged = f"{{from: {source}, bridge: dense}}"
    assert found.code == "L604"
    key = "h: " if target == "lstm" else ""
    assert found.hint == f"use a tensor of that shape, or write `{key}{bridged}`"
    assert f"'{source}' is (batch, 4)" in found.message
    assert load(text.replace("FORM", form.replace("SOURCE", bridged)))


PART = re.compile(r"'(encoder|decoder)_\d'")


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        ("units: [6, 4], initial_state: {h: encoder.last}", "L604", "of layer 1 of 'decoder' is"),
        ("units: [5, 4], initial_state: encoder", "L608", "layer 1 of 'decoder' have 5"),
        ("units: [4, 4], unroll: true", "L702", "layer 2 of 'decoder' cannot be unrolled"),
        ("units: [4, 4], recurrent_dropout: 0.1", "L701", "cannot run layer 1 of 'decoder'"),
    ],
)
def test_layers_of_stacks_are_named_by_the_recipes_name(wrong: str, code: str, says: str) -> None:
    """Not ``decoder_1``, which stands nowhere in the recipe."""
    text = STACKS.replace("ENCODER", "[6, 4]").replace("TARGET", "lstm")
    text = text.replace("units: DECODER, initial_state: FORM", wrong)
    text += "runtime: {kernel: cudnn}\n" if code == "L701" else ""
    found = mistakes(text)
    assert {each.code for each in found} == {code}
    every = [(each.message, each.hint or "", *(n.message for n in each.notes)) for each in found]
    assert any(says in text for texts in every for text in texts)
    assert not any(PART.search(text) for texts in every for text in texts)


@pytest.mark.parametrize("units", ["4", "[4, 3]"])
@pytest.mark.parametrize(
    ("loss", "layer", "fix"),
    [
        ("ctc", "{type: dense, input: pen, units: 3}", "pen.sequence"),
        ("circle", "{type: unit_normalization, input: pen.sequence}", "pen.last"),
    ],
)
def test_the_fix_for_a_loss_of_another_rank_names_the_layer(
    units: str, loss: str, layer: str, fix: str
) -> None:
    text = f"""
    inputs: {{x: {{shape: [time, 3]}}}}
    layers:
      pen: {{type: lstm, input: x, units: {units}}}
      y: {layer}
    outputs: {{y: y}}
    training: {{loss: {loss}, metrics: []}}
    """
    (found,) = mistakes(text)
    assert found.code == "L787"
    assert (found.hint or "").startswith(f"write `input: {fix}` in 'y'")
    before = "pen.sequence" if "sequence}" in layer else "pen"
    assert load(text.replace(f"input: {before}", f"input: {fix}"))


MASKED = """
inputs:
  x: {shape: [time, 5]}
  n: {shape: [], dtype: int32}
  person: {shape: [3]}
  other: {shape: [time, 5]}
layers:
  reader: {type: lstm, input: x, units: 4, mask: {lengths: n}}
  made: {LAYER, mask: FORM}
  joined: {type: concatenate, input: [reader.sequence, made]}
  y: {type: dense, input: joined, units: 2}
outputs: {y: y}
"""


@pytest.mark.parametrize("form", ["{from: reader}", "{lengths: n}"])
@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("type: repeat_vector, input: person, n: time", "RepeatVector"),
        ("type: dense, input: other, units: 2", "Dense"),
        ("type: activation, input: other, activation: relu", "Activation"),
        ("type: add, input: [other, other]", "Add"),
        ("type: rescaling, input: other, scale: 2.0", "Rescaling"),
    ],
)
def test_a_mask_on_a_layer_that_takes_none_is_the_only_mistake(
    layer: str, name: str, form: str
) -> None:
    (found,) = mistakes(MASKED.replace("LAYER", layer).replace("FORM", form))
    assert (found.code, found.path) == ("L507", ("layers", "made", "mask"))
    assert found.message == f"{name} takes no mask"


def test_a_sequence_beside_a_vector_may_be_meant_as_its_last_step() -> None:
    text = """
    inputs: {x: {shape: [time, 5]}, person: {shape: [3]}}
    layers:
      reader: {type: lstm, input: x, units: [4, 6]}
      joined: {type: concatenate, input: [reader.sequence, person]}
      y: {type: dense, input: joined, units: 2}
    outputs: {y: y}
    """
    (found,) = mistakes(text)
    assert found.code == "L401"
    assert found.hint is not None
    assert found.hint.startswith("for one row each, read `reader.last`; or ")
    assert load(text.replace("reader.sequence", "reader.last"))


@pytest.mark.parametrize(
    "columns",
    [
        "sales: {scale: standard}",
        "sales: {scale: min_max}",
        "sales: {scale: robust}",
        "sales: {scale: standard, per: window}",
        "sales: {scale: log}",
        "sales: {clip: [0, null]}",
        "sales: {difference: 1}",
        "sales: {scale: standard}, price: {scale: min_max, clip: [0, null]}",
    ],
)
@pytest.mark.parametrize("history", ["[sales, price]", "[sales, price, promo, more]"])
def test_columns_of_another_count_are_not_reported_for_their_scales(
    columns: str, history: str
) -> None:
    text = f"""
    inputs: {{history: {{shape: [28, 3]}}}}
    layers:
      encoder: {{type: lstm, input: history, units: 4}}
      y: {{type: dense, input: encoder, units: 7}}
    outputs: {{y: y}}
    training: {{loss: mse}}
    data:
      series: shop
      time: day
      window: {{history: 28, horizon: 7}}
      columns: {{{columns}}}
      inputs: {{history: {{columns: HISTORY}}}}
      targets: {{y: {{columns: [other]}}}}
    """
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(text.replace("HISTORY", history))
    (found,) = caught.value.diagnostics
    assert (found.code, found.path) == ("L854", ("data", "inputs", "history"))
    assert load(text.replace("HISTORY", "[sales, price, promo]"))


@pytest.mark.parametrize("units", [5, 7, 14])
def test_columns_of_a_target_that_do_not_fit_the_output_are_always_reported(units: int) -> None:
    text = f"""
    inputs: {{history: {{shape: [28, 1]}}}}
    layers:
      encoder: {{type: lstm, input: history, units: 4}}
      y: {{type: dense, input: encoder, units: {units}}}
    outputs: {{y: y}}
    training: {{loss: mse}}
    data:
      series: shop
      time: day
      window: {{history: 28, horizon: 7}}
      columns: {{sales: {{scale: standard}}, price: {{scale: standard}}}}
      inputs: {{history: {{columns: [promo]}}}}
      targets: {{y: {{columns: [sales, price]}}}}
    """
    assert len(mistakes(text)) == 1


TARGETS = """
inputs: {history: {shape: [28, 1]}}
layers:
  encoder: {type: lstm, input: history, units: 4}
  y: LAYER
outputs: {y: y}
training: {loss: LOSS}
data:
  series: shop
  time: day
  window: {history: 28, horizon: 7}
  columns: {COLUMNS}
  inputs: {history: {columns: [promo]}}
  targets: {y: {columns: [sales, price], steps: STEPS}}
"""
QUANTILES = "{type: pinball, quantiles: [0.1, 0.5, 0.9]}"


@pytest.mark.parametrize("scale", ["standard", "min_max", "robust", "log"])
@pytest.mark.parametrize("scaled", ["sales: {scale: S}", "sales: {scale: S}, price: {scale: S}"])
@pytest.mark.parametrize(
    ("source", "steps"), [("encoder", "last"), ("encoder.sequence", "history")]
)
@pytest.mark.parametrize("units", [1, 3])
def test_scaled_columns_of_a_target_that_do_not_fit_are_named(
    scale: str, scaled: str, source: str, steps: str, units: int
) -> None:
    text = TARGETS.replace("COLUMNS", scaled.replace("S}", f"{scale}}}")).replace("LOSS", "mse")
    text = text.replace("LAYER", f"{{type: dense, input: {source}, units: {units}}}")
    text = text.replace("STEPS", steps)
    (found,) = mistakes(text)
    shape = f"(batch, {'28, ' if steps == 'history' else ''}{units})"
    assert (found.code, found.path) == ("L854", ("data", "targets", "y", "columns"))
    assert found.message == (
        f"'y' has 2 columns (sales, price), with a scale, but 'y' gives {shape}"
    )
    columns = {1: "1 column", 3: "3 columns"}[units]
    assert found.hint == f"give 'y' `units: 2`, or list {columns}"
    assert load(text.replace(f"units: {units}}}", "units: 2}"))


@pytest.mark.parametrize("columns", [1, 3])
def test_quantiles_of_scaled_columns_are_told_from_columns(columns: int) -> None:
    text = TARGETS.replace("COLUMNS", "sales: {scale: standard}").replace("LOSS", QUANTILES)
    text = text.replace(
        "y: LAYER",
        "flat: {type: dense, input: encoder, units: UNITS}\n"
        "  y: {type: reshape, input: flat, target_shape: [GIVEN]}",
    ).replace("STEPS", "last")

    def giving(count: int) -> str:
        return text.replace("UNITS", str(count * 3)).replace("GIVEN", f"{count}, 3")

    found = mistakes(giving(columns))
    assert [each.code for each in found] == ["L854"]
    assert "2 columns (sales, price)" in found[0].message
    assert load(giving(2))


@pytest.mark.parametrize("shape", ["1, 2", "2, 2", "4", "3"])
@pytest.mark.parametrize("scale", ["standard", "min_max", "robust"])
def test_a_distribution_takes_one_scaled_column(shape: str, scale: str) -> None:
    """It ended with a ValueError."""
    text = TARGETS.replace("COLUMNS", f"sales: {{scale: {scale}}}").replace("STEPS", "last")
    text = text.replace("LOSS", "{type: negative_log_likelihood, distribution: normal}")
    text = text.replace("LAYER", "{type: reshape, input: encoder, target_shape: [SHAPE]}")
    text = text.replace("units: 4", f"units: {np.prod([int(n) for n in shape.split(', ')])}")
    text = text.replace("SHAPE", shape)
    found = {each.code: each.message for each in mistakes(text)}
    assert "one scaled column for each output, not 2" in found["L862"]
    assert set(found) <= {"L862", "L854", "L796"}
    alone = text.replace("columns: [sales, price]", "columns: [sales]").replace(f"[{shape}]", "[2]")
    assert load(re.sub(r"units: \d", "units: 2", alone))


def test_errors_of_libraries_are_told_from_those_of_this_package() -> None:
    with pytest.raises(ValueError, match="matmul") as of_numpy:
        np.ones((2, 3)) @ np.ones((2, 3))
    with pytest.raises(lstmgraph.RecipeError) as own:
        lstmgraph.load(with_header("layers: {}"))
    assert is_of_library(of_numpy.value)
    assert not is_of_library(own.value)
