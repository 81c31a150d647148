"""A ``.keras`` file holds its recipe's model, or is refused; what may differ still loads."""

from __future__ import annotations

import copy
import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import (
    FEWER_STEPS,
    SHIPPED,
    assert_equal_arrays,
    batch_for,
    built,
    load,
    outputs_of,
    randomise,
)
from hostile_weights import read_members, write_members
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.models.same_model import OtherModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Config = dict[str, Any]

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXT = """
inputs: {x: {shape: [time, 3]}, h: {shape: [4]}, c: {shape: [4]}}
layers:
  masked: {type: masking, input: x}
  both: {type: gru, input: masked, units: 4, bidirectional: true, return_sequences: true}
  cells: {type: rnn, input: both.sequence, cells: [{type: lstm_cell, units: 4}]}
  reader: {type: lstm, input: both.sequence, units: 4, dropout: 0.2, initial_state: {h: h, c: c}}
  joined: {type: concatenate, input: [cells, reader]}
  first: {type: dense, input: joined, units: 2, activation: relu, kernel_regularizer: l2}
  second: {type: dense, input: joined, units: 2}
outputs: {one: first, two: second}
training: {loss: mse, optimizer: {type: adam, learning_rate: 0.1}}
"""


@pytest.fixture(scope="module")
def recipe() -> lstmgraph.Recipe:
    return load(TEXT)


@pytest.fixture(scope="module")
def saved(recipe: lstmgraph.Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "m.keras"
    model = recipe.build()
    randomise(model)
    recipe.save(model, path)
    return path


def edited(source: Path, target: Path, edit: Callable[[Config], object]) -> Path:
    members = read_members(source)
    config = json.loads(members["config.json"])
    before = json.dumps(config)
    edit(config)
    assert json.dumps(config) != before, "the edit changes nothing"
    write_members(target, {**members, "config.json": json.dumps(config).encode()})
    return target


def layer(config: Config, name: str) -> Config:
    return next(each for each in config["config"]["layers"] if each["name"] == name)


def of(name: str, key: str, value: Any) -> Callable[[Config], object]:
    return lambda config: layer(config, name)["config"].update({key: value})


def inner(name: str, key: str, of_inner: str, value: Any) -> Callable[[Config], object]:
    return lambda config: layer(config, name)["config"][key]["config"].update({of_inner: value})


def call(config: Config, name: str) -> Config:
    return layer(config, name)["inbound_nodes"][0]


def swapped_states(config: Config) -> None:
    states = call(config, "reader")["kwargs"]["initial_state"]
    states.reverse()


def other_states(config: Config) -> None:
    states = call(config, "reader")["kwargs"]["initial_state"]
    states[1] = copy.deepcopy(states[0])


def no_states(config: Config) -> None:
    call(config, "reader")["kwargs"]["initial_state"] = None


def swapped_outputs(config: Config) -> None:
    outputs = config["config"]["output_layers"]
    outputs["one"], outputs["two"] = outputs["two"], outputs["one"]


def renamed_output(config: Config) -> None:
    outputs = config["config"]["output_layers"]
    outputs["three"] = outputs.pop("two")


def renamed_input(config: Config) -> None:
    text = json.dumps(config).replace('"x"', '"z"')
    config.update(json.loads(text))


def swapped_inputs(config: Config) -> None:
    inputs = config["config"]["input_layers"]
    inputs["h"], inputs["c"] = inputs["c"], inputs["h"]


def further_input(config: Config) -> None:
    further = copy.deepcopy(layer(config, "x"))
    further["name"] = further["config"]["name"] = "z"
    config["config"]["layers"].append(further)
    config["config"]["input_layers"]["z"] = ["z", 0, 0]


def no_mask(config: Config) -> None:
    """The layer that masks is passed by."""
    text = json.dumps(call(config, "both")).replace('"masked"', '"x"')
    layer(config, "both")["inbound_nodes"][0] = json.loads(text)


def no_mask_given(config: Config) -> None:
    call(config, "both")["kwargs"]["mask"] = None


def further_layer(config: Config) -> None:
    further = copy.deepcopy(layer(config, "first"))
    further["name"] = further["config"]["name"] = "third"
    config["config"]["layers"].append(further)


def lost_layer(config: Config) -> None:
    layers = config["config"]["layers"]
    layers.remove(layer(config, "second"))
    config["config"]["output_layers"].pop("two")


def layer_twice(config: Config) -> None:
    config["config"]["layers"].append(copy.deepcopy(layer(config, "first")))


def other_order(config: Config) -> None:
    """Keras finds weights by the order of layers."""
    config["config"]["layers"].reverse()


def other_class(config: Config) -> None:
    layer(config, "both")["config"]["layer"]["class_name"] = "LSTM"


def called_twice(config: Config) -> None:
    nodes = layer(config, "first")["inbound_nodes"]
    nodes.append(copy.deepcopy(nodes[0]))


def lambda_layer(config: Config) -> None:
    layer(config, "first").update(
        class_name="Lambda", config={"name": "first", "function": {"class_name": "__lambda__"}}
    )


def other_module(config: Config) -> None:
    layer(config, "first").update(module="os", registered_name="system")


def custom_class(config: Config) -> None:
    layer(config, "first").update(module=None, registered_name="Custom>Dense")


OTHERS: dict[str, tuple[Callable[[Config], object], str]] = {
    "units": (of("reader", "units", 5), "`units` of 'reader' is 5, not 4"),
    "units of a direction": (inner("both", "layer", "units", 5), "`layer.units` of 'both' is 5"),
    "units of a cell": (inner("cells", "cell", "units", 5), "`cell.units` of 'cells' is 5"),
    "activation": (of("first", "activation", "tanh"), "`activation` of 'first' is \"tanh\""),
    "gate": (of("reader", "recurrent_activation", "relu"), "`recurrent_activation` of 'reader'"),
    "direction": (of("reader", "go_backwards", True), "`go_backwards` of 'reader' is true"),
    "both the same direction": (
        inner("both", "backward_layer", "go_backwards", False),
        "`backward_layer.go_backwards` of 'both' is false, not true",
    ),
    "bias": (of("first", "use_bias", False), "`use_bias` of 'first'"),
    "dropout": (of("reader", "dropout", 0.0), "`dropout` of 'reader' is 0.0, not 0.2"),
    "regularizer": (of("first", "kernel_regularizer", None), "`kernel_regularizer` of 'first'"),
    "number for a truth": (of("first", "use_bias", 1), "`use_bias` of 'first' is 1, not true"),
    "text for a number": (of("reader", "units", "4"), "`units` of 'reader' is \"4\", not 4"),
    "mask value": (of("masked", "mask_value", 1.0), "`mask_value` of 'masked' is 1.0"),
    "key lost": (
        lambda config: layer(config, "reader")["config"].pop("units"),
        "`units` of 'reader' is missing, not 4",
    ),
    "further key": (of("reader", "recurrent", 5), "`recurrent` of 'reader' is 5, not missing"),
    "dtype": (inner("first", "dtype", "name", "float64"), "`dtype.name` of 'first' is \"float64\""),
    "dtype of an input": (of("x", "dtype", "float16"), "`dtype` of 'x'"),
    "shape of an input": (of("x", "batch_shape", [None, 7, 3]), "`batch_shape.1` of 'x' is 7"),
    "class": (other_class, '`layer.class_name` of \'both\' is "LSTM", not "GRU"'),
    "lambda": (lambda_layer, "of 'first'"),
    "module": (other_module, "`module` of 'first' is \"os\""),
    "custom class": (custom_class, "`module` of 'first' is null"),
    "mask": (no_mask, 'inbound_nodes.0.args.0.tensor.0` of \'both\' is "x", not "masked"'),
    "mask not given": (no_mask_given, "`inbound_nodes.0.kwargs.mask` of 'both' is null"),
    "states swapped": (swapped_states, "kwargs.initial_state.0.tensor.0` of 'reader' is \"c\""),
    "states": (other_states, 'kwargs.initial_state.1.tensor.0` of \'reader\' is "h", not "c"'),
    "no states": (no_states, "kwargs.initial_state` of 'reader' is null"),
    "outputs swapped": (swapped_outputs, '`output_layers.one.0` is "second", not "first"'),
    "output renamed": (renamed_output, "`output_layers.two` is missing"),
    "input renamed": (renamed_input, "it has no layer 'x'"),
    "inputs swapped": (swapped_inputs, "`input_layers."),
    "further input": (further_input, "it has a layer 'z', which the recipe does not have"),
    "further layer": (further_layer, "it has a layer 'third', which the recipe does not have"),
    "layer lost": (lost_layer, "it has no layer 'second'"),
    "layer twice": (layer_twice, "`layers` is "),
    "order": (other_order, "`layers."),
    "called twice": (called_twice, "`inbound_nodes` of 'first'"),
    "class of the model": (
        lambda config: config.update(class_name="Sequential"),
        '`class_name` is "Sequential", not "Functional"',
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_model_than_the_recipe_is_refused(name: str, saved: Path, tmp_path: Path) -> None:
    edit, says = OTHERS[name]
    path = edited(saved, tmp_path / "m.keras", edit)
    with pytest.raises(OtherModelError) as caught:
        lstmgraph.load_model(path)
    assert str(caught.value).startswith(f"{path}: the model is not the recipe's: ")
    assert says in str(caught.value)


def test_every_way_to_load_it_refuses_it(saved: Path, tmp_path: Path) -> None:
    path = edited(saved, tmp_path / "m.keras", OTHERS["states swapped"][0])
    for load_it in (
        partial(lstmgraph.load_model, path),
        partial(lstmgraph.load_model, path, recipe=load(TEXT)),
        partial(lstmgraph.Stepper, path, load(TEXT)),
    ):
        with pytest.raises(OtherModelError, match="of 'reader'"):
            load_it()
    result = CliRunner().invoke(
        app, ["export", str(path), "--format", "keras", "-o", str(tmp_path / "out")]
    )
    assert result.exit_code == 2
    assert f"{path}: the model is not the recipe's" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cell, units: 4", "cell, units: 5", "`cell.units` of 'cells' is 4, not 5"),
        ("gru", "simple_rnn", "of 'both'"),
        (", bidirectional: true", "", 'of \'both\' is "Bidirectional", not "GRU"'),
        (", dropout: 0.2", "", "`dropout` of 'reader' is 0.2, not 0.0"),
        ("{h: h, c: c}", "{h: c, c: h}", "of 'reader'"),
    ],
)
def test_another_recipe_is_refused(old: str, new: str, says: str, saved: Path) -> None:
    text = TEXT.replace(old, new)
    assert text != TEXT
    with pytest.raises(OtherModelError) as caught:
        lstmgraph.load_model(saved, recipe=load(text))
    assert says in str(caught.value)


def test_weights_of_another_shape_are_refused(
    recipe: lstmgraph.Recipe, saved: Path, tmp_path: Path
) -> None:
    other = load(
        TEXT.replace(
            "first: {type: dense, input: joined, units: 2",
            "first: {type: dense, input: joined, units: 3",
        )
    )
    other.save(other.build(), tmp_path / "other.keras")
    weights = read_members(tmp_path / "other.keras")["model.weights.h5"]
    write_members(tmp_path / "m.keras", {**read_members(saved), "model.weights.h5": weights})
    with pytest.raises(OtherModelError) as caught:
        lstmgraph.load_model(tmp_path / "m.keras")
    says = r"the weights of 'first' have the shapes [(3,), (8, 3)], not [(2,), (8, 2)]"
    assert says in str(caught.value)


# What a file of the recipe's model may differ in.


def loads_as(model: keras.Model, path: Path, recipe: lstmgraph.Recipe | None = None) -> keras.Model:
    """The model of the file, which computes what `model` does."""
    found = lstmgraph.load_model(path, recipe=recipe)
    data = batch_for(model)
    assert_equal_arrays(outputs_of(found, data), outputs_of(model, data))
    return found


def without_noise(config: Any) -> Any:
    """Less what Keras notes of objects that are there twice, and of the first call of a layer."""
    noise = ("shared_object_id", "build_config")
    if isinstance(config, dict):
        return {k: without_noise(v) for k, v in config.items() if k not in noise}
    return [without_noise(each) for each in config] if isinstance(config, list) else config


ALIKE = {"document-classifier", "next-frame", "placeholder-states", "speaker-classifier"}
"""Recipes of the same kinds of calls as others, without further models."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [path for path in SHIPPED if path.stem not in ALIKE or "LSTMGRAPH_EXAMPLES" in os.environ],
    ids=lambda path: path.stem,
)
def test_all_models_of_every_recipe_load(path: Path, tmp_path: Path) -> None:
    """And what Keras has loaded and written again, which is as it was.

    Of recipes of the same kinds of calls one is tried; ``LSTMGRAPH_EXAMPLES`` tries all.
    """
    recipe = lstmgraph.load(path, overrides=FEWER_STEPS.get(path.stem, ()))
    if keras.backend.backend() == "jax":
        built(recipe)  # skips what JAX cannot compute
    for name, model in recipe.models().items():
        randomise(model)
        file = tmp_path / f"{name}.keras"
        recipe.save(model, file, further="" if name == recipe.name else name)
        found = lstmgraph.load_model(file)
        for own, given in zip(found.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(own, given)
        wanted = json.loads(read_members(file)["config.json"])["config"]
        assert without_noise(json.loads(found.to_json())["config"]) == without_noise(wanted)
        if name == recipe.name:
            keras.models.load_model(file).save(tmp_path / "again.keras")
            lstmgraph.load_model(tmp_path / "again.keras", recipe=recipe)


@pytest.mark.slow
def test_seeds_and_initial_values_may_differ(saved: Path) -> None:
    text = TEXT.replace("units: 2, activation", "kernel_initializer: ones, units: 2, activation")
    other = load(text + "runtime: {seed: 3}\n")
    loads_as(keras.models.load_model(saved), saved, other)


@pytest.mark.slow
def test_names_of_models_may_differ(saved: Path) -> None:
    loads_as(keras.models.load_model(saved), saved, load(TEXT, "other"))


def frozen_layer(model: keras.Model) -> None:
    model.get_layer("both").trainable = False


def frozen_direction(model: keras.Model) -> None:
    model.get_layer("both").backward_layer.trainable = False


def frozen_cell(model: keras.Model) -> None:
    model.get_layer("cells").cell.trainable = False


def frozen_but_one(model: keras.Model) -> None:
    for each in model.layers:
        each.trainable = each.name == "first"


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [frozen_layer, frozen_direction, frozen_cell, frozen_but_one])
def test_frozen_layers_and_their_optimizer_stay(
    freeze: Callable[[keras.Model], None], recipe: lstmgraph.Recipe, tmp_path: Path
) -> None:
    """Compiled by hand with other things than the recipe says, and trained."""
    model = recipe.build()
    freeze(model)
    model.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), 0.9),
        loss={"one": keras.losses.Huber(), "two": "mse"},
        metrics={"one": ["mae", keras.metrics.AUC(name="area")]},
        run_eagerly=True,  # tracing takes most of the time
    )
    data = batch_for(model)
    data["x"] = data["x"][:, :2]  # computed eagerly, each step takes its time
    target = {name: np.ones((len(data["x"]), 2), "float32") for name in ("one", "two")}
    model.train_on_batch(data, target)
    recipe.save(model, tmp_path / "m.keras")
    found = lstmgraph.load_model(tmp_path / "m.keras")
    as_keras = keras.models.load_model(tmp_path / "m.keras")
    for own in (found, as_keras):
        names = [each.path for each in own.trainable_variables]
        assert len(names) == len(model.trainable_variables)
    flags = [[each.trainable for each in own.layers if each.weights] for own in (found, model)]
    assert flags[0] == flags[1]
    wanted = [np.asarray(each) for each in model.optimizer.variables]
    for own, given in zip(found.optimizer.variables, wanted, strict=True):
        np.testing.assert_array_equal(own, given)
    keras.utils.set_random_seed(1)
    losses = model.train_on_batch(data, target, return_dict=True)
    keras.utils.set_random_seed(1)
    found.run_eagerly = True
    again = found.train_on_batch(data, target, return_dict=True)
    assert losses.keys() == again.keys()
    settings = [each.get_compile_config()["loss"] for each in (found, model)]
    for each in settings:
        del each["one"]["registered_name"]
    assert settings[0] == settings[1]


def test_recipes_that_freeze_layers_load_with_what_was_thawed(tmp_path: Path) -> None:
    recipe = load(TEXT.replace("units: 4, dropout", "trainable: false, units: 4, dropout"))
    model = recipe.build()
    recipe.save(model, tmp_path / "m.keras")
    assert not lstmgraph.load_model(tmp_path / "m.keras").get_layer("reader").trainable
    model.get_layer("reader").trainable = True
    model.compile("sgd", "mse")
    recipe.save(model, tmp_path / "m.keras")
    found = lstmgraph.load_model(tmp_path / "m.keras").get_layer("reader")
    assert found.trainable
    assert found.trainable_weights


def test_a_file_that_was_not_compiled_stays_so(recipe: lstmgraph.Recipe, tmp_path: Path) -> None:
    model = recipe.build()
    plain = keras.Model(model.input, model.output, name=model.name)
    recipe.save(plain, tmp_path / "m.keras")
    assert not lstmgraph.load_model(tmp_path / "m.keras").compiled


@pytest.mark.filterwarnings("ignore:.*registered")
def test_a_registered_loss_is_loaded_and_another_one_is_not(
    recipe: lstmgraph.Recipe, tmp_path: Path
) -> None:
    @keras.saving.register_keras_serializable("lstmgraph-tests")
    def own_loss(wanted: Any, found: Any) -> Any:
        return keras.ops.mean(keras.ops.abs(wanted - found))

    model = recipe.build()
    model.compile("sgd", {"one": own_loss, "two": "mse"})
    recipe.save(model, tmp_path / "m.keras")
    assert lstmgraph.load_model(tmp_path / "m.keras").compiled
    keras.saving.get_custom_objects().pop("lstmgraph-tests>own_loss")
    with pytest.raises(ValueError, match=r"m\.keras.*compile_config"):
        lstmgraph.load_model(tmp_path / "m.keras")


def optimizer(value: Any) -> Callable[[Config], object]:
    return lambda config: config["compile_config"].update(optimizer=value)


LAYERS_CLASS = {
    "module": "keras.layers",
    "class_name": "TFSMLayer",
    "config": {"filepath": "/tmp/x"},
    "registered_name": None,
}
COMPILED = {
    "a layer": optimizer(LAYERS_CLASS),
    "a module": optimizer({**LAYERS_CLASS, "module": "os"}),
    "no module": optimizer({**LAYERS_CLASS, "module": None}),
    "code": optimizer({"class_name": "__lambda__", "config": {"value": "AAAA"}}),
    "a module of Keras's": optimizer(
        {"module": "keras.src.utils", "class_name": "get_file", "config": {}}
    ),
    "numbers": lambda config: config.update(compile_config=[1, 2]),
    "text": lambda config: config.update(compile_config="compile"),
    "an optimizer of numbers": optimizer(5),
    "another key": lambda config: config["compile_config"].update(nonsense=1),
    "a function": optimizer({"module": "builtins", "class_name": "function", "config": "system"}),
    "much memory": lambda config: config["compile_config"].update(
        metrics=[
            {
                "module": "keras.metrics",
                "class_name": "MeanIoU",
                "config": {"num_classes": 10**6},
                "registered_name": None,
            }
        ]
    ),
}


@pytest.mark.parametrize("name", COMPILED)
def test_what_compiles_no_model_is_refused(name: str, saved: Path, tmp_path: Path) -> None:
    path = edited(saved, tmp_path / "m.keras", COMPILED[name])
    with pytest.raises(ValueError, match=r"m\.keras.*compile_config"):
        lstmgraph.load_model(path)
