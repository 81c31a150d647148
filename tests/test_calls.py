"""Layers that are called several times: each call computes its own, and the weights are one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import (
    assert_equal_arrays,
    batch_for,
    load,
    outputs_of,
    randomise,
)
from handwritten_blocks import BLOCKS, LOOPS
from handwritten_calls import CALLS as SHARED
from handwritten_tied import TIED
from layer_case import SIZES, Case, call, concrete, keras_layer
from onnx_running import assert_runs_as_keras
from test_layer_facts import CASES
from test_outputs import handwritten_twin

import lstmgraph
from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.keras_facts.catalogue import layer_traits
from lstmgraph.language.declaration.folds import is_folded
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.keras_facts.tensors import TensorSpec

CALLS = {**SHARED, **BLOCKS, **LOOPS, **TIED}

SUMMED_OTHERWISE = {"stack_embedding_attention_and_heads_shared_by_encoder_and_decoder"}
"""By hand, zeros stand in the padded steps of `time_distributed` in another way."""

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=CALLS)
def called(request: pytest.FixtureRequest) -> tuple[str, lstmgraph.Recipe, keras.Model]:
    recipe = load(CALLS[request.param].recipe)
    model = recipe.build()
    randomise(model)
    return request.param, recipe, model


def test_weights_are_made_and_counted_once(called) -> None:
    _, recipe, model = called
    explanation = recipe.explain()
    assert explanation.trainable_parameters == model.count_params()
    counted = [row.calls or row.name for row in explanation.layers if row.parameters]
    assert len(counted) == len(set(counted))
    sizes = [np.prod(weight.shape) for weight in model.weights]
    memory = recipe.explain(batch=1, time=1).memory
    assert memory
    assert memory.inference.weights == 4 * sum(sizes)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="gradients by tf.GradientTape")
def test_gradients_are_those_of_keras_by_hand(called) -> None:
    import tensorflow as tf  # noqa: PLC0415

    name, _, model = called
    twin = handwritten_twin(model, CALLS[name].by_hand)
    data = batch_for(model)
    names = [layer.name for layer in model.layers if layer.trainable_weights]
    gradients = []
    for each in (model, twin):
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(tf.square(y)) for y in each(dict(data)).values())
        weights = {name: each.get_layer(name).trainable_weights for name in names}
        found = tape.gradient(loss, {n: [w.value for w in own] for n, own in weights.items()})
        arrays = {n: [np.asarray(tf.convert_to_tensor(g)) for g in own] for n, own in found.items()}
        gradients.append({f"{n}.{i}": g for n, own in arrays.items() for i, g in enumerate(own)})
    assert sum(array.size for array in gradients[0].values()) == model.count_params()
    if name in SUMMED_OTHERWISE:
        for key, found in gradients[0].items():
            np.testing.assert_allclose(found, gradients[1][key], atol=1e-6)
    else:
        assert_equal_arrays(*gradients)


@pytest.mark.slow
def test_a_file_holds_the_weights_once_and_loads_without_lstmgraph(called, tmp_path: Path) -> None:
    _, recipe, model = called
    data = batch_for(model)
    wanted = outputs_of(model, data)
    recipe.save(model, tmp_path / "m.keras")
    for loaded in (
        keras.models.load_model(tmp_path / "m.keras"),
        lstmgraph.load_model(tmp_path / "m.keras"),
    ):
        assert loaded.count_params() == model.count_params()
        assert_equal_arrays(outputs_of(loaded, data), wanted)


def test_onnx_holds_the_weights_once(called) -> None:
    _, recipe, model = called
    proto = assert_runs_as_keras(recipe, model, batch_for(model))
    largest = max(int(np.prod(weight.shape)) for weight in model.weights)
    held = [np.prod(each.dims) for each in proto.graph.initializer]
    assert held.count(largest) <= sum(np.prod(w.shape) == largest for w in model.weights)


# --- every layer ---


def callable_cases() -> list[Case]:
    """One for each layer and numbers of axes, without recurrent ones and those no recipe can hold.

    `Resizing` has every layer of a model compute as in training.
    """
    known = set(read_schema(KERAS_SCHEMA)["x-layer-names"])
    known -= {"LSTM", "GRU", "SimpleRNN", "RNN", "Resizing", "CenterCrop"}
    several = [case for case in CASES if case.eager and case.layer in known]
    # Texts have tests of their own, and no random numbers.
    several = [case for case in several if all(spec.dtype != "string" for spec in case.inputs)]
    # Recurrent layers inside `time_distributed` are tested in test_hierarchies.py.
    several = [case for case in several if not is_folded({"type": case.layer, **case.arguments})]
    by_kind = {(case.layer, *(spec.rank for spec in case.inputs)): case for case in several}
    cases = list(by_kind.values())
    with pytest.raises(lstmgraph.RecipeError) as refused:
        lstmgraph.load(json.dumps(recipe_of_all(cases, ways="a")))
    names = {str(diagnostic.path[1]) for diagnostic in refused.value.diagnostics}
    return [case for number, case in enumerate(cases) if f"a{number}" not in names]


def recipe_of_all(cases: list[Case], ways: str = "ab") -> dict[str, Any]:
    """A recipe that calls the layer of each case twice (`ways`), on inputs of its own."""
    data: dict[str, Any] = {"recipe": 1, "name": "all", "inputs": {}, "layers": {}, "outputs": {}}
    for number, case in enumerate(cases):
        own = {"type": case.layer, "dtype_policy": case.policy, **case.arguments}
        for way in ways:
            name, layer = f"{way}{number}", own if way == "a" else {"call": f"a{number}"}
            names = [f"{name}_{index}" for index in range(len(case.inputs))]
            for each, spec in zip(names, case.inputs, strict=True):
                data["inputs"][each] = {"shape": list(spec.shape[1:]), "dtype": spec.dtype}
            takes_list = layer_traits(case.layer)["multiple_inputs"] or len(names) > 1
            data["layers"][name] = {**layer, "input": names if takes_list else names[0]}
            data["outputs"][f"of_{name}"] = name
    return data


def random_array(case_input: TensorSpec, random: np.random.Generator) -> np.ndarray:
    shape, dtype = concrete(case_input.shape, SIZES), case_input.dtype
    if dtype.startswith("float"):
        return random.normal(size=shape).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)


@pytest.mark.slow
def test_every_layer_can_be_called_again() -> None:
    """In one model: each call gives what the same Keras layer gives when it is called again."""
    cases = callable_cases()
    assert len({case.layer for case in cases}) > 70
    data = recipe_of_all(cases)
    model = lstmgraph.load(json.dumps(data)).build()
    randomise(model)
    random = np.random.default_rng(0)
    inputs = {
        f"{way}{number}_{index}": random_array(spec, random)
        for number, case in enumerate(cases)
        for way in "ab"
        for index, spec in enumerate(case.inputs)
    }
    found = outputs_of(model, inputs)
    for number, case in enumerate(cases):
        layer = keras_layer(case.layer, case.arguments, case.policy)
        for way in "ab":
            names = [f"{way}{number}_{index}" for index in range(len(case.inputs))]
            tensors = [keras.ops.convert_to_tensor(inputs[name]) for name in names]
            output = call(layer, case, tensors)
            if way == "a" and layer.weights:
                layer.set_weights(model.get_layer(f"a{number}").get_weights())
                output = call(layer, case, tensors)  # the first call only built it
            wanted = keras.ops.convert_to_numpy(output)
            np.testing.assert_array_equal(found[f"of_{way}{number}"], wanted, err_msg=str(case))


# --- derived models, kernels and differences ---

SHARED_DECODER = """
inputs:
  source: {shape: [time, 3]}
  target: {shape: [steps, 3]}
  lengths: {shape: [], dtype: int32}
layers:
  reader: {type: gru, input: source, units: 4, mask: {lengths: lengths}}
  writer: {call: reader, input: target, mask: none, initial_state: reader}
  head: {type: dense, input: writer.sequence, units: 3}
outputs: {y: head}
models:
  write: {inputs: [target], initial_state: {writer: input}, outputs: {y: head, state: writer.state}}
training: {loss: mse, learning_rates: {reader: 0.1}}
"""


@pytest.mark.slow
def test_a_shared_decoder_runs_step_by_step() -> None:
    recipe = load(SHARED_DECODER)
    derived = recipe.derive("step")
    model = derived.main
    assert model is not None
    randomise(model)
    data = batch_for(model)
    wanted = outputs_of(model, data)["y"]
    stepper = lstmgraph.Stepper(derived, rows=len(wanted), xla=False)
    stepper.start({"source": data["source"], "lengths": data["lengths"]})
    found = [stepper.step({"target": data["target"][:, step]})["y"] for step in range(2)]
    np.testing.assert_allclose(np.stack(found, 1), wanted[:, :2], atol=1e-6)


def test_a_further_model_has_the_weights_of_the_called_layer() -> None:
    models = load(SHARED_DECODER).models()
    main, write = models["inline"], models["write"]
    assert write.get_layer("reader") is main.get_layer("reader")
    names = {rate_of.name for rate_of in main.layers if rate_of.weights}
    assert names == {"reader", "head"}


def test_all_calls_of_a_layer_run_on_one_kernel() -> None:
    """The mask of one call is not known to be padded on the right: Keras's loop runs all."""
    left = SHARED_DECODER.replace("mask: none", "mask: {value: 0.0, padding: left}")
    kernels = {
        row.name: row.kernel_reason
        for row in load(left).explain(Machine(gpus=1)).layers
        if row.kernel
    }
    assert {row.kernel for row in load(left).explain(Machine(gpus=1)).layers if row.kernel} == {
        "standard"
    }
    assert kernels["reader"] == "as 'writer', a call of the same layer"
    assert {
        row.kernel for row in load(SHARED_DECODER).explain(Machine(gpus=1)).layers if row.kernel
    } == {"cudnn"}


def test_a_layer_of_its_own_and_a_call_differ() -> None:
    own = SHARED_DECODER.replace("{call: reader,", "{type: gru, units: 4,")
    found = lstmgraph.diff(load(own), load(SHARED_DECODER))
    (changed,) = [each for each in found.layers.changed if each.name == "writer"]
    changes = {change.key: (change.before, change.after) for change in changed.changes}
    assert changes["calls"] == (None, "reader")
    assert changes["trainable_parameters"] == (108, 0)
    assert [(each.name, each.outcome) for each in found.weights][:2] == [
        ("reader", "loaded"),
        ("head", "loaded"),
    ]
