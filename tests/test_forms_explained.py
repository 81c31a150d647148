"""What `explain` says of cells, of carried, learned and constant states, and of stacks that sum."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
from building import build, load, randomise
from test_outputs import FORM_CASES

import lstmgraph
from lstmgraph.keras_facts.catalogue import CELLS, argument_defaults
from lstmgraph.resources import RECIPE_SCHEMA, read_schema


def rows(name: str) -> dict[str, lstmgraph.LayerRow]:
    return {row.name: row for row in load(FORM_CASES[name].recipe).explain().layers}


def states(name: str, layer: str) -> str:
    """``h: learned, c: 0.1``."""
    labels = rows(name)[layer].initial_state or {}
    return ", ".join(f"{slot}: {label}" for slot, label in labels.items())


LABELS = [
    ("states_learned", "lstm_2", "h: learned, c: learned"),
    ("states_learned", "gru", "h: learned"),
    (
        "states_learned_in_both_directions",
        "split",
        "forward_h: constant, forward_c: learned, backward_h: constant, backward_c: learned",
    ),
    ("states_constant_or_half_learned", "same", "h: 0.1, c: 0.1"),
    ("states_constant_or_half_learned", "each", "h: constant"),
    ("states_constant_or_half_learned", "mixed", "h: learned, c: -2"),
    ("states_carried", "reader_2", "h: carried, c: carried"),
    ("states_carried", "gru", "h: carried"),
    ("states_carried_and_others_in_one_stack", "reader_1", "h: carried, c: carried"),
    ("states_carried_and_others_in_one_stack", "reader_3", "h: 0.5, c: 0.5"),
    ("states_carried_and_others_in_one_stack", "reader_4", "h: zeros, c: learned"),
    ("one_cell_in_a_layer", "lstm", "h: input lstm_h, c: input lstm_c"),
    ("several_cells_in_a_layer", "plain", "1_h: zeros, 1_c: zeros, 2_h: zeros, 3_h: zeros"),
    (
        "several_cells_in_a_layer",
        "decoder",
        "1_h: encoder.1_h, 1_c: encoder.1_c, 2_h: encoder.2_h, 3_h: encoder.3_h",
    ),
    (
        "some_states_of_several_cells",
        "h_alone",
        "1_h: learned, 1_c: zeros, 2_h: learned, 3_h: learned",
    ),
]


@pytest.mark.parametrize(("name", "layer", "wanted"), LABELS)
def test_labels_of_states(name: str, layer: str, wanted: str) -> None:
    assert states(name, layer) == wanted


def test_types_and_masks_in_words() -> None:
    cells = rows("several_cells_in_a_layer")
    assert cells["encoder"].type == "RNN LSTMCell + GRUCell + SimpleRNNCell"
    assert rows("one_cell_in_a_layer")["both"].type == "Bidirectional RNN LSTMCell"
    joined = rows("masked_sequences_joined_in_time")
    assert joined["reader_2"].mask == "x != 0.0 | ids != 0 | all of known"
    assert joined["reader_2"].shape == ["batch", "time+words+2", 2]
    assert rows("stacks_summed_and_normalized")["deep_3_norm"].mask == "x != 0"


def test_a_time_major_input_is_shown_as_it_is_fed() -> None:
    shown = {row.name: row for row in load(FORM_CASES["time_major_data"].recipe).explain().inputs}
    assert shown["by_time"].shape == ["time", "batch", 3]
    assert shown["static"].shape == ["batch", 2]


@pytest.mark.parametrize("name", FORM_CASES)
def test_parameters_are_those_of_keras(name: str) -> None:
    model = build(FORM_CASES[name].recipe)
    explained = load(FORM_CASES[name].recipe).explain()
    weighted = {layer.name: layer for layer in model.layers if layer.weights}
    assert weighted.keys() == {row.name for row in explained.layers if row.parameters}
    for row in explained.layers:
        if row.parameters:
            layer = weighted[row.name]
            assert row.trainable_parameters == _count(layer.trainable_weights)
            assert row.non_trainable_parameters == _count(layer.non_trainable_weights)
    # States that are carried are no parameters, to Keras either.
    assert model.count_params() == sum(row.parameters for row in explained.layers)
    shapes = {
        row.name: tuple(n if isinstance(n, int) else None for n in row.shape)
        for row in explained.outputs
    }
    assert {n: t.shape[1:] for n, t in model.output.items()} == {
        n: shape[1:] for n, shape in shapes.items()
    }


def _count(weights) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.parametrize("name", FORM_CASES)
def test_resolved_recipe_is_the_same_recipe(name: str) -> None:
    recipe = load(FORM_CASES[name].recipe)
    again = lstmgraph.load(recipe.resolved())
    assert again.resolved() == recipe.resolved()
    assert again.explain() == recipe.explain()


def test_learned_states_are_trained_and_constant_ones_are_not() -> None:
    text = """
    inputs: {frames: {shape: [time, 3]}}
    layers:
      reader: {type: lstm, input: frames, units: 2, initial_state: {h: learned, c: {constant: 1}}}
    outputs: {y: reader}
    training: {loss: mse, optimizer: sgd}
    """
    model = build(text)
    assert not model.get_layer("reader_h").get_weights()[0].any()  # learning begins from zeros
    randomise(model)
    before = model.get_layer("reader_h").get_weights()[0]
    assert [layer.name for layer in model.layers if layer.weights] == ["reader_h", "reader"]
    model.train_on_batch({"frames": np.ones((4, 5, 3), "float32")}, {"y": np.ones((4, 2))})
    assert np.abs(model.get_layer("reader_h").get_weights()[0] - before).min() > 0


# A cell's defaults are read from the layer that runs the same cell.


@pytest.mark.parametrize("cell", CELLS)
def test_cells_have_the_defaults_of_their_layers(cell: str) -> None:
    """Every argument of Keras's cell is one of the language, with the default of the layer."""
    parameters = inspect.signature(getattr(keras.layers, cell)).parameters
    own = {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in {"units", "kwargs"}
    }
    defaults = argument_defaults(CELLS[cell])
    written = read_schema(RECIPE_SCHEMA)["$defs"]["cell"]["properties"]
    assert own == {name: defaults[name] for name in written if name in own}
    assert own.keys() == {name for name in written if name in defaults}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_of_defaults_is_kerass(cell: str) -> None:
    text = f"""
    inputs: {{frames: {{shape: [time, 3]}}}}
    layers: {{reader: {{type: rnn, input: frames, cells: [{{type: {cell}, units: 2}}]}}}}
    outputs: {{y: reader}}
    """
    found = build(text).get_layer("reader").cell.get_config()
    wanted = getattr(keras.layers, cell)(2).get_config()
    assert {**found, "name": "", "dtype": ""} == {**wanted, "name": "", "dtype": ""}
