"""What a recipe says is what its model computes.

Every recipe of the `handwritten_*` modules is written a second time by hand, with Keras's own
layers and every `mask=`, `initial_state=` and `zero_output_for_mask=` spelled out. Given the same
weights and data, the outputs must be equal to the last bit. Those of recurrent layers are also
computed in NumPy.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import reference as ref
from building import (
    FIRST_STEPS,
    MASK,
    RECIPES,
    SHIPPED,
    Arrays,
    batch_for,
    build,
    copy_weights,
    outputs_of,
    randomise,
    weights_by_layer,
)
from handwritten import unpadded
from handwritten_blocks import BLOCKS, LOOPS
from handwritten_calls import CALLS
from handwritten_cells import CELLS
from handwritten_forms import FORMS
from handwritten_forms_cells import CELL_FORMS
from handwritten_forms_sequences import SEQUENCE_FORMS
from handwritten_layers import LAYERS
from handwritten_masks import MASKS
from handwritten_recipes import RECIPES_BY_HAND
from handwritten_shipped import SHIPPED_BY_HAND
from handwritten_state_sources import STATE_SOURCES
from handwritten_states import STATES
from handwritten_tied import TIED, TIED_WITH_LORA
from keras import layers

import lstmgraph
from lstmgraph.models.carried import read_states

if TYPE_CHECKING:
    from handwritten import ByHand

CALLED = {**CALLS, **BLOCKS, **LOOPS, **TIED, **TIED_WITH_LORA}
FORM_CASES = {**FORMS, **CELL_FORMS, **SEQUENCE_FORMS}
CASES = {
    **MASKS,
    **STATES,
    **STATE_SOURCES,
    **CELLS,
    **LAYERS,
    **FORM_CASES,
    **CALLED,
}

NUMPY_TOLERANCE = 1e-5
"""Float32 against float64, for outputs of about 1."""

# The first and worst: an initial state makes Keras forget the mask.

MASKED_WITH_STATE = """
inputs: {x: {shape: [time, 3]}}
layers:
  masking: {type: masking, input: x}
  reader: {type: lstm, input: masking, units: 4, initial_state: {inputs: [h, c]}}
outputs: {y: reader}
"""


def masked_with_state(x, h, c, **call) -> keras.Model:
    """The same layers by hand; `call` is what else the LSTM is given."""
    output = layers.LSTM(4, name="reader")(
        layers.Masking(name="masking")(x), initial_state=[h, c], **call
    )
    return keras.Model({"x": x, "h": h, "c": c}, {"y": output})


def test_initial_state_does_not_drop_the_mask() -> None:
    shapes = {"x": (None, 3), "h": (4,), "c": (4,)}
    inputs = [keras.Input(shape, name=name) for name, shape in shapes.items()]
    naive = masked_with_state(*inputs)
    explicit = masked_with_state(*inputs, mask=unpadded(inputs[0]))
    compiled = build(MASKED_WITH_STATE)
    randomise(compiled)
    copy_weights(compiled, naive)
    copy_weights(compiled, explicit)
    data = {k: v[:4] for k, v in batch_for(compiled).items()}  # without the fully padded row
    found = outputs_of(compiled, data)

    weights = weights_by_layer(compiled)["reader"]
    state = (data["h"], data["c"])
    unmasked = ref.lstm(data["x"], weights, state=state).last
    masked = ref.lstm(data["x"], weights, FIRST_STEPS[:4], state).last
    np.testing.assert_allclose(outputs_of(naive, data)["y"], unmasked, atol=NUMPY_TOLERANCE)
    np.testing.assert_allclose(found["y"], masked, atol=NUMPY_TOLERANCE)
    assert_same_outputs(found, outputs_of(explicit, data))
    assert np.abs(masked - unmasked)[1:].max() > 0.1


WRITTEN_BY_HAND = {**SHIPPED_BY_HAND, **RECIPES_BY_HAND}


def test_every_shipped_recipe_is_written_by_hand() -> None:
    assert {path.stem for path in SHIPPED} == WRITTEN_BY_HAND.keys()


def handwritten_twin(model: keras.Model, by_hand: ByHand) -> keras.Model:
    """`by_hand` on inputs like those of `model`, with the weights of `model`."""
    inputs = {
        name: keras.Input(batch_shape=t.shape, dtype=t.dtype, name=name)
        for name, t in model.input.items()
    }
    twin = keras.Model(inputs, by_hand(inputs))
    copy_weights(model, twin)
    read_states(twin)  # on JAX Keras would forget them
    return twin


def batches_for(model: keras.Model) -> list[Arrays]:
    """Two random batches; as one of twice the rows where the model takes any number of them."""
    batches = [batch_for(model, seed) for seed in (0, 1)]
    if "by_time" in model.input or any(tensor.shape[0] for tensor in model.input.values()):
        return batches
    return [{name: np.concatenate([each[name] for each in batches]) for name in model.input}]


def outputs_by_batch(model: keras.Model) -> list[Arrays]:
    """With random weights, and with the states that these begin with afterwards."""
    randomise(model)
    weights = model.get_weights()
    found = [outputs_of(model, data) for data in batches_for(model)]
    model.set_weights(weights)
    return found


@cache
def computed(name: str) -> tuple[keras.Model, list[Arrays]]:
    model = build(CASES[name].recipe)
    return model, outputs_by_batch(model)


def assert_same_as_by_hand(model: keras.Model, found: list[Arrays], by_hand: ByHand) -> None:
    twin = handwritten_twin(model, by_hand)
    for outputs, data in zip(found, batches_for(model), strict=True):
        assert_same_outputs(outputs, outputs_of(twin, data))


def assert_same_outputs(found: Arrays, wanted: Arrays) -> None:
    """To the last bits: tanh of the ends of a vector rounds otherwise on CPUs without AVX-512.

    On JAX less: XLA compiles all, and may reorder equal programs.
    """
    tolerance = 1e-7 if keras.backend.backend() == "tensorflow" else 1e-6
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_allclose(found[name], array, tolerance, tolerance, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_equals_keras_written_by_hand(name: str) -> None:
    assert_same_as_by_hand(*computed(name), CASES[name].by_hand)


@pytest.mark.parametrize("name", WRITTEN_BY_HAND)
def test_shipped_recipe_equals_keras_written_by_hand(name: str) -> None:
    model = lstmgraph.load(RECIPES / f"{name}.yaml").build()
    assert_same_as_by_hand(model, outputs_by_batch(model), WRITTEN_BY_HAND[name])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.in_numpy])
def test_equals_numpy(name: str) -> None:
    """In the rows of the first batch."""
    model, (found, *_) = computed(name)
    wanted = CASES[name].in_numpy(weights_by_layer(model), batch_for(model))
    assert found.keys() == wanted.keys()
    for output, array in wanted.items():
        np.testing.assert_allclose(
            found[output][: len(array)], array, rtol=0, atol=NUMPY_TOLERANCE, err_msg=output
        )


# What `last` means does not depend on what else is read.


@pytest.mark.parametrize("bidirectional", ["false", "true"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_last_is_the_same_beside_the_sequence(cell: str, bidirectional: str) -> None:
    """Also in a row without a single step that counts: there it is the initial state."""
    recipe = """
    inputs: {{frames: {{shape: [time, 3]}}, mask: {{shape: [time], dtype: bool}}}}
    layers:
      reader:
        type: {cell}
        input: frames
        units: 4
        bidirectional: {bidirectional}
        mask: {{input: mask}}
        initial_state: input
    outputs: {{last: reader.last{beside}}}
    """
    values = {"cell": cell, "bidirectional": bidirectional}
    alone = build(recipe.format(**values, beside=""))
    beside = build(recipe.format(**values, beside=", y: reader.sequence"))
    randomise(alone)
    copy_weights(alone, beside)
    data = batch_for(alone)
    found, wanted = outputs_of(alone, data)["last"], outputs_of(beside, data)["last"]
    np.testing.assert_array_equal(found, wanted)
    assert not MASK[-1].any()
    states = [data[name][-1] for name in data if name.endswith("_h")]
    np.testing.assert_array_equal(found[-1], np.concatenate(states))


def test_last_of_two_directions_is_not_the_last_step() -> None:
    model = build(CASES["bidirectional_concat"].recipe)
    randomise(model)
    found = outputs_of(model, batch_for(model))
    assert not np.allclose(found["last"][0], found["y"][0, -1])
