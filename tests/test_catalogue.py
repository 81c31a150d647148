"""The catalogue says what the installed Keras says, and refuses what Keras takes in silence."""

import inspect
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from forked import run_program
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from lstmgraph.models.building import forecasting

SCHEMAS = Path(__file__).parent.parent / "schemas"
CATALOGUE = json.loads((SCHEMAS / "keras-3.schema.json").read_text(encoding="ascii"))
DEFS = CATALOGUE["$defs"]
LAYERS = sorted(name for name in DEFS if name[0].isupper())
RECIPE_STUB = {
    "$schema": CATALOGUE["$schema"],
    "$defs": {
        "input": {"type": ["string", "array", "object"]},
        "mask": {"type": ["string", "object"]},
        "dtype_policy": {"type": "string"},
        "embeddings": {"type": "object"},
        "steps_layer": {"$ref": "keras-3.schema.json#/$defs/inner_layer"},
    },
}
REGISTRY: Registry[Any] = Registry().with_resources(
    [
        ("keras-3.schema.json", Resource.from_contents(CATALOGUE)),
        ("recipe-1.schema.json", Resource.from_contents(RECIPE_STUB)),
    ]
)


def mistake(definition: str, value: object) -> str | None:
    """The message of the mistake that matters most, or None."""
    schema = {"$schema": CATALOGUE["$schema"], "$ref": f"keras-3.schema.json#/$defs/{definition}"}
    error = best_match(Draft202012Validator(schema, registry=REGISTRY).iter_errors(value))
    return None if error is None else error.message


def check(definition: str, value: object, expected: str | None) -> None:
    """Compare the message: `expected` is a part of it, or None where the value is right."""
    message = mistake(definition, value)
    assert message == expected or (expected and expected in (message or "")), message


# --- the file itself ---


@pytest.mark.slow
def test_the_file_is_what_the_generator_writes(tmp_path):
    generator = str(SCHEMAS / "generate.py")
    program = f"""
    import runpy, sys
    sys.argv = [{generator!r}, "--check"]
    sys.path.insert(0, {str(SCHEMAS)!r})
    runpy.run_path({generator!r}, run_name="__main__")
    """
    run_program(program, tmp_path, tmp_path)


@pytest.mark.slow
def test_the_file_is_a_schema():
    Draft202012Validator.check_schema(CATALOGUE)


def test_every_reference_is_found():
    references = set(_references(CATALOGUE))
    inside = {reference for reference in references if reference.startswith("keras-3.schema.json#")}
    resolver = REGISTRY.resolver(base_uri="keras-3.schema.json")
    for reference in references:
        resolver.lookup(reference)
    assert len(inside) > 100
    assert len(references - inside) == 5


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []


def test_the_version_is_the_installed_one():
    assert keras.__version__.startswith(CATALOGUE["x-keras-version"] + ".")


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_no_choice_hides_the_mistake(keyword):
    assert f'"{keyword}"' not in json.dumps(CATALOGUE)


# --- layers ---


def test_every_public_layer_is_described_or_refused():
    public = {cls for _, cls in inspect.getmembers(keras.layers, inspect.isclass)}
    known = {getattr(keras.layers, name) for name in LAYERS}
    refused = {getattr(keras.layers, name) for name in CATALOGUE["x-refused-layers"]}
    assert known | refused == public
    assert not known & refused


@pytest.mark.parametrize("name", LAYERS)
def test_defaults_are_those_of_the_signature(name):
    cls = getattr(keras.layers, name)
    parameters = {
        **inspect.signature(cls.call).parameters,
        **inspect.signature(cls.__init__).parameters,
    }
    through_kwargs = {"trainable": True, "zero_output_for_mask": False, "implementation": 2}
    for argument, schema in DEFS[name]["properties"].items():
        if "default" in schema:
            known = parameters.get(argument)
            assert known or "kwargs" in parameters
            expected = known.default if known else through_kwargs.get(argument)
            assert schema["default"] == json.loads(json.dumps(expected)), argument
            check(f"{name}/properties/{argument}", schema["default"], None)


@pytest.mark.parametrize("name", LAYERS)
def test_required_arguments_are_those_without_default(name):
    signature = inspect.signature(getattr(keras.layers, name))
    without_default = {
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    more = {"CategoryEncoding": {"num_tokens"}}
    assert set(DEFS[name]["required"]) == without_default | more.get(name, set())


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "EinsumDense"])
def test_arguments_that_pass_through_kwargs_are_taken(name):
    needed = {"equation": "ab,bc->ac"}
    properties = DEFS[name]["properties"]
    given = {a: needed.get(a, 1) for a in DEFS[name]["required"]}
    given |= {a: schema["default"] for a, schema in properties.items() if "default" in schema}
    getattr(keras.layers, name)(**given)


def test_the_recurrent_layers_are_described_but_not_dispatched():
    assert CATALOGUE["x-recurrent-layers"] == ["LSTM", "GRU", "SimpleRNN"]
    dispatched = DEFS["layer"]["properties"]["type"]["enum"]
    assert not {"LSTM", "lstm", "GRU", "gru", "SimpleRNN", "simple_rnn"} & set(dispatched)
    assert CATALOGUE["x-layer-names"]["simple_rnn"] == "SimpleRNN"


def test_snake_case():
    names = "conv1d conv1d_transpose global_average_pooling1d time_distributed rms_normalization"
    more = "relu prelu elu leaky_relu"
    assert set(f"{names} {more}".split()) <= set(CATALOGUE["x-layer-names"])
    assert not any("re_lu" in known for known in CATALOGUE["x-layer-names"])


@pytest.mark.parametrize("name", ["Add", "Dot", "Concatenate", "Attention", "AdditiveAttention"])
def test_multiple_inputs_are_a_list(name):
    assert DEFS[name]["x-keras"]["multiple_inputs"]
    needed = dict.fromkeys(DEFS[name]["required"], 2)
    getattr(keras.layers, name)(**needed)([keras.Input((3, 4)), keras.Input((3, 4))])
    with pytest.raises(ValueError, match="list"):
        getattr(keras.layers, name)(**needed)(keras.Input((3, 4)))


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("Dense", {"call": ["inputs"], "masks": [], "supports_masking": True}),
        ("Conv1D", {"call": ["inputs"], "masks": [], "supports_masking": False}),
        ("Embedding", {"supports_masking": False, "overrides_compute_mask": True}),
        ("LSTM", {"call": ["sequences"], "masks": ["mask"], "overrides_compute_mask": True}),
        ("Softmax", {"masks": ["mask"], "overrides_compute_mask": False}),
        ("Resizing", {"call": ["data"]}),
        ("MultiHeadAttention", {"call": ["query", "value", "key"], "multiple_inputs": False}),
        ("MultiHeadAttention", {"masks": ["query_mask", "value_mask", "key_mask"]}),
    ],
)
def test_facts_about_a_layer(name, facts):
    assert facts.items() <= DEFS[name]["x-keras"].items()


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ({"type": "dense", "units": 8}, None),
        ({"type": "Dense", "units": 8, "activation": "relu", "dtype_policy": "float32"}, None),
        ({"type": "dense"}, "'units' is a required property"),
        ({"type": "dense", "units": 0}, "0 is less than the minimum of 1"),
        ({"type": "dense", "units": 1.5}, "1.5 is not of type 'integer'"),
        ({"type": "dense", "units": True}, "True is not of type 'integer'"),
        ({"type": "dense", "units": 8, "unit": 8}, "'unit' was unexpected"),
        ({"type": "dense", "units": 8, "name": "head"}, "'name' was unexpected"),
        ({"type": "dense", "units": 8, "activation": "glu"}, "'glu' is not one of"),
        ({"type": "activation", "activation": None}, "None is not one of"),
        ({"type": "lambda", "function": "x"}, "'lambda' is not one of"),
        ({"type": "dropout", "rate": 0}, None),
        ({"type": "dropout", "rate": 1}, "1 is greater than or equal to the maximum of 1"),
        ({"type": "dropout", "rate": 0.1, "seed": -1}, "-1 is less than the minimum of 0"),
        ({"type": "conv1d", "filters": 4, "kernel_size": [3], "padding": "causal"}, None),
        ({"type": "conv2d", "filters": 4, "kernel_size": [3, 5]}, None),
        ({"type": "conv2d", "filters": 4, "kernel_size": [3, 5, 7]}, "is too long"),
        ({"type": "conv2d", "filters": 4, "kernel_size": 3, "padding": "causal"}, "is not one of"),
        ({"type": "conv2d", "filters": 4, "kernel_size": "3"}, "'3' is not of type 'integer'"),
        ({"type": "zero_padding2d", "padding": [[0, 1], 2]}, None),
        ({"type": "cropping1d", "cropping": [1, -1]}, "-1 is less than the minimum of 0"),
        ({"type": "up_sampling1d", "size": [2]}, "[2] is not of type 'integer'"),
        ({"type": "reshape", "target_shape": [-1, 4]}, None),
        ({"type": "reshape", "target_shape": [-1, -1]}, "Too many items match"),
        ({"type": "permute", "dims": [1, 1]}, "has non-unique elements"),
        ({"type": "normalization", "mean": [0.5, 2], "variance": [1, 4]}, None),
        ({"type": "normalization"}, None),
        ({"type": "max_pooling1d", "strides": None, "data_format": None}, None),
        ({"type": "max_pooling1d", "pool_size": None}, "None is not of type 'integer'"),
        ({"type": "embedding", "input_dim": 9, "output_dim": 2, "weights": []}, "unexpected"),
        ({"type": "time_distributed", "layer": {"type": "dense", "units": 2}}, None),
        ({"type": "time_distributed", "layer": {"type": "dense", "units": -2}}, "less than"),
        ({"type": "time_distributed", "layer": {"type": "lstm", "units": 2}}, "'lstm' is not one"),
        (
            {"type": "time_distributed", "layer": {"type": "relu", "input": "x"}},
            "should not be valid",
        ),
    ],
)
def test_layer_arguments(layer, expected):
    check("layer", {"input": "x", **layer}, expected)


@pytest.mark.parametrize("name", sorted(DEFS["activation"]["enum"]))
def test_every_activation_keeps_the_shape(name):
    y = keras.activations.get(name)(keras.ops.ones((2, 4)))
    assert np.shape(y) == (2, 4)


# --- initializers, regularizers, constraints, optimizers, losses, metrics ---

GETTERS = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "optimizer": keras.optimizers,
    "loss": keras.losses,
    "metric": keras.metrics,
}

OWN = {**forecasting.LOSSES, **forecasting.METRICS}


@pytest.mark.parametrize("kind", GETTERS)
def test_every_name_is_known_to_keras(kind):
    names = CATALOGUE["x-names"][kind]
    for name in DEFS[kind]["then"]["enum"]:
        if names[name] in OWN:
            continue
        found = GETTERS[kind].get(name)
        if not inspect.isfunction(found):
            assert type(found) is getattr(GETTERS[kind], names[name])
    for name in set(names.values()):
        assert f"{kind}.{name}" in DEFS


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("initializer", "glorot_uniform", None),
        ("initializer", {"type": "RandomNormal", "stddev": 0.1, "seed": 3}, None),
        ("initializer", {"type": "random_normal", "std": 0.1}, "'std' was unexpected"),
        ("initializer", "xavier", "'xavier' is not one of"),
        ("initializer", "constant", "'constant' is not one of"),
        ("initializer", {"type": "constant", "value": 0.5}, None),
        ("initializer", 0.5, "0.5 is not of type 'object'"),
        ("regularizer", {"type": "l1l2", "l1": 0.01, "l2": -1}, "-1 is less than the minimum"),
        ("constraint", {"type": "max_norm", "max_value": 3, "axis": [0, 1]}, None),
        ("optimizer", "adam", None),
        ("optimizer", {"type": "adam", "learning_rate": 1e-3, "clipnorm": 1}, None),
        ("optimizer", {"type": "adam", "learning_rate": 0}, "0 is less than or equal"),
        ("optimizer", {"type": "adam", "momentum": 0.9}, "'momentum' was unexpected"),
        ("optimizer", {"learning_rate": 0.1}, "'type' is a required property"),
        ("optimizer", "LossScaleOptimizer", "is not one of"),
        ("optimizer", {"type": "SGD", "learning_rate": {"type": "cosine"}}, "is not one of"),
        ("learning_rate_schedule", {"type": "cosine_decay", "decay_steps": 1}, "required property"),
        ("loss", "mse", None),
        ("loss", {"type": "huber", "delta": 2.0}, None),
        ("loss", {"type": "huber", "reduction": "none"}, "'none' is not one of"),
        ("metric", "io_u", "'io_u' is not one of"),
        ("metric", {"type": "auc", "curve": "PR", "name": "pr_auc"}, None),
        ("metric", {"type": "MeanIoU"}, "'num_classes' is a required property"),
        ("metric", "mean", "'mean' is not one of"),
    ],
)
def test_objects(kind, value, expected):
    check(kind, value, expected)


@pytest.mark.parametrize("name", sorted(name for name in DEFS if "." in name))
def test_every_default_is_a_value_that_may_be_written(name):
    kind, class_name = name.split(".")
    module = GETTERS.get(kind, keras.optimizers.schedules)
    of_class = OWN.get(class_name) or getattr(module, class_name)
    parameters = inspect.signature(of_class).parameters
    arguments = {"type": class_name}
    for argument, schema in DEFS[name]["properties"].items():
        if "default" in schema:
            assert schema["default"] == json.loads(json.dumps(parameters[argument].default))
            arguments[argument] = schema["default"]
    if not DEFS[name]["required"]:
        check(kind, arguments, None)
        of_class(**{a: v for a, v in arguments.items() if a != "type"})


def test_initializers_say_whether_they_are_drawn():
    seeded = {n for n, d in DEFS.items() if d.get("x-keras", {}).get("seeded")}
    assert "initializer.GlorotUniform" in seeded
    assert "initializer.Zeros" not in seeded
