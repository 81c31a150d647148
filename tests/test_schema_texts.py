"""What the schemas say to people: every field has its texts, and all of them are true."""

from __future__ import annotations

import inspect
import json
import sys
from typing import TYPE_CHECKING, Any

import keras
import pytest
import yaml
from building import RECIPES
from bundled import bundled
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import lstmgraph
from lstmgraph.models.building import forecasting
from lstmgraph.resources import EDITOR_SCHEMA, KERAS_SCHEMA, RECIPE_SCHEMA, folder, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = {name: read_schema(name) for name in (RECIPE_SCHEMA, KERAS_SCHEMA)}
DIALECT = {"$schema": SCHEMAS[RECIPE_SCHEMA]["$schema"]}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()]
)
KINDS = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "learning_rate_schedule": keras.optimizers.schedules,
    "optimizer": keras.optimizers,
    "loss": keras.losses,
    "metric": keras.metrics,
}

WORDS = ("if", "not", "default", "examples", "x-keras")
"""Keys of a schema below which no schema stands that says what may be written."""


def places(schema: Any, pointer: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping in a schema with its JSON pointer, but not those that only ask."""
    if isinstance(schema, dict):
        yield pointer, schema
        words = () if pointer.endswith("/properties") else WORDS
        for key, inner in schema.items():
            if key not in words:
                yield from places(inner, f"{pointer}/{key}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from places(inner, f"{pointer}/{index}")


def fields(file: str) -> list[tuple[str, dict[str, Any]]]:
    """Every key that may be written, with all that is said of it."""
    found = []
    for pointer, schema in places(SCHEMAS[file]):
        keys = {} if pointer.endswith("/properties") else schema.get("properties", {})
        for name, field in keys.items():
            if field.get("not") == {} or field == {}:
                continue
            whole = resolved(field, file)
            if whole.get("not") != {}:
                found.append((f"{pointer}/properties/{name}", whole))
    return found


def resolved(field: dict[str, Any], file: str) -> dict[str, Any]:
    if "$ref" not in field:
        return field
    target, _, pointer = field["$ref"].partition("#/")
    found: Any = SCHEMAS[target or file]
    for key in pointer.split("/"):
        found = found[key]
    return {**resolved(found, target or file), **field}


@pytest.mark.parametrize("file", SCHEMAS)
def test_every_field_has_a_title_a_sentence_and_a_value_to_begin_with(file: str) -> None:
    shown = {"default", "examples", "enum", "const"}
    for pointer, field in fields(file):
        assert field.get("title"), pointer
        assert field.get("description", "").endswith((".", "]")), pointer
        assert shown & set(field) or field.get("type") == "boolean", pointer


def test_there_are_some_hundred_fields() -> None:
    assert len(fields(RECIPE_SCHEMA)) > 150
    assert len(fields(KERAS_SCHEMA)) > 1500


@pytest.mark.parametrize("file", SCHEMAS)
def test_examples_and_defaults_follow_the_schema_that_they_stand_in(file: str) -> None:
    count = 0
    for pointer, schema in places(SCHEMAS[file]):
        if pointer.endswith("/properties"):
            continue
        samples = schema.get("examples", []) + [schema[k] for k in ("default",) if k in schema]
        if samples:
            checker = Draft202012Validator(
                {**DIALECT, "$ref": f"{file}{pointer}"}, registry=REGISTRY
            )
            for sample in samples:
                assert checker.is_valid(sample), (pointer, sample)
                count += 1
    assert count > 150


# --- against Keras and lstmgraph itself ---

OWN = {"loss": forecasting.LOSSES, "metric": forecasting.METRICS}


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_of_objects_are_those_of_keras(kind: str) -> None:
    """Those of layers: tests/test_catalogue.py."""
    definitions = SCHEMAS[KERAS_SCHEMA]["$defs"]
    names = [name for name in definitions if name.startswith(f"{kind}.")]
    assert names
    for name in names:
        own, word = definitions[name]["properties"], name.partition(".")[2]
        classes = {**vars(KINDS[kind]), **OWN.get(kind, {})}
        parameters = inspect.signature(classes[word]).parameters
        for argument in set(own) - {"type"}:
            default = parameters[argument].default
            if default is inspect.Parameter.empty:
                assert argument in definitions[name]["required"], (name, argument)
            else:
                assert own[argument]["default"] == json.loads(json.dumps(default))


OF_KERAS = {
    "recurrent": (keras.layers.LSTM, keras.layers.GRU, keras.layers.Bidirectional),
    "cell": (keras.layers.LSTMCell, keras.layers.GRUCell),
    "rnn": (keras.layers.RNN, keras.layers.Bidirectional),
    "training": (keras.Model.fit,),
    "early_stopping": (keras.callbacks.EarlyStopping,),
    "reduce_lr_on_plateau": (keras.callbacks.ReduceLROnPlateau,),
    "checkpoint": (keras.callbacks.ModelCheckpoint,),
    "tensorboard": (keras.callbacks.TensorBoard,),
}
"""Whose arguments the keys of a section are; they have Keras's defaults, but for these."""
OUR_OWN = {"batch_size": 32, "write_graph": False}
"""Keras takes 32 where it is None; TensorBoard's graph of a recipe is large, and says little."""


@pytest.mark.parametrize("section", OF_KERAS)
def test_defaults_of_keras_s_arguments_are_those_of_keras(section: str) -> None:
    count = 0
    for key, field in SCHEMAS[RECIPE_SCHEMA]["$defs"][section]["properties"].items():
        whole = resolved(field, RECIPE_SCHEMA)
        for owner in OF_KERAS[section]:
            parameter = inspect.signature(owner).parameters.get(key)
            if "default" in whole and parameter and parameter.default is not parameter.empty:
                wanted = OUR_OWN.get(key, parameter.default)
                assert whole["default"] == json.loads(json.dumps(wanted)), (owner, key)
                count += 1
    assert count >= 2


def test_defaults_are_what_a_recipe_gets() -> None:
    """All that is not Keras's; another value changes what recipes mean."""
    text = (
        "recipe: 1\nname: a\ninputs: {x: {shape: [time, 2]}}\noutputs: {y: y}\n"
        "layers: {y: {type: lstm, input: x, units: 2}}\n"
        "training: {loss: mse, callbacks: {early_stopping: {}, checkpoint: {}}}\n"
        "data: {split: {}}\nsearch: {}\n"
    )
    resolved_recipe = yaml.safe_load(lstmgraph.load(text).resolved())
    layer = resolved_recipe["layers"]["y"]
    ours = set(layer) - set(inspect.signature(keras.layers.LSTM).parameters)
    assert {key: layer[key] for key in ours} == {
        "type": "lstm", "input": "x", "depth": 1, "bidirectional": False, "mask": "inherited",
        "padded_output": "zero", "residual": False, "normalization": None,
        "initial_state": "zeros", "dtype_policy": "float32", "trainable": True,
    }  # fmt: skip
    assert resolved_recipe["inputs"]["x"] == {
        "shape": ["time", 2], "dtype": "float32", "time_major": False
    }  # fmt: skip
    assert resolved_recipe["runtime"] == {
        "dtype_policy": "float32", "kernel": "auto", "xla": "auto", "device": "auto",
        "memory_growth": None, "memory_limit_mb": None, "threads": None, "strategy": "none",
        "deterministic": False, "seed": None, "batch_size": None,
    }  # fmt: skip
    training = resolved_recipe["training"]
    assert (training["epochs"], training["batch_size"], training["metrics"]) == (1, 32, [])
    assert training["optimizer"]["type"] == "adam"
    assert training["callbacks"]["terminate_on_nan"] is True
    assert resolved_recipe["search"] == {
        "objective": [{"metric": "val_loss", "direction": "min"}], "oracle": {"type": "random"},
        "max_trials": None, "executions_per_trial": 1, "folds": None, "pruning": {"type": "none"},
        "seed": 0,
    }  # fmt: skip
    split = {"kind": "random", "validation": 0.2, "test": 0.0, "seed": 0}
    assert resolved_recipe["data"]["split"] == split


# --- the tables of texts ---


def test_every_text_is_of_an_argument_or_a_class_that_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(folder("schemas"))
    import catalogue_classes  # noqa: PLC0415 - a script's, not the package's
    import catalogue_texts  # noqa: PLC0415

    for module in ("catalogue_classes", "catalogue_texts"):
        monkeypatch.delitem(sys.modules, module)
    arguments = {"layer": catalogue_texts.LAYER_ARGUMENTS, **catalogue_texts.OBJECT_ARGUMENTS}
    classes = {"layer": catalogue_classes.LAYERS, **catalogue_classes.OBJECTS}
    for kind, texts in arguments.items():
        own = {
            name.rpartition(".")[2]: set(definition["properties"])
            for name, definition in SCHEMAS[KERAS_SCHEMA]["$defs"].items()
            if "x-keras" in definition and (name.partition(".")[0] == kind or kind == "layer")
            and ("." in name) == (kind != "layer")
        }  # fmt: skip
        assert set(classes[kind]) == set(own)
        for text in texts:
            name, _, argument = text.rpartition(".")
            having = own[name] if name else set().union(*own.values())
            assert argument in having, (kind, text)


# --- the file that editors read ---


def test_the_file_for_editors_is_what_the_command_prints() -> None:
    committed = read_schema(EDITOR_SCHEMA)
    assert committed == bundled(), "run `python schemas/generate.py` and commit what it writes"


def test_no_reference_leads_into_a_definition() -> None:
    """Editors rewrite definitions while they resolve them."""
    for _, schema in places(bundled()):
        if isinstance(schema.get("$ref"), str):
            start, name = schema["$ref"].split("/$defs/")
            assert start == "#"
            assert "/" not in name


def test_what_is_offered_may_be_written() -> None:
    count = 0
    for name, definition in bundled()["$defs"].items():
        checker = Draft202012Validator({"$defs": bundled()["$defs"], "$ref": f"#/$defs/{name}"})
        for way in definition.get("anyOf", ()):
            for snippet in way.get("defaultSnippets", ()):
                body = json.loads(json.dumps(snippet["body"]).replace("\\\\$", "$"))
                assert checker.is_valid(body), (name, body)
                assert "$" not in json.dumps(snippet["body"]).replace("\\\\$", "")
                count += 1
    assert count > 100


def test_recipes_lead_to_it() -> None:
    line = f"# yaml-language-server: $schema=../schemas/{EDITOR_SCHEMA}\n"
    for path in sorted(RECIPES.glob("*.yaml")):
        assert path.read_text("utf-8").startswith(line), path.name
