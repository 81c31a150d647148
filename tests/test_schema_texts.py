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
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import lstmgraph
from lstmgraph.authoring.editor_schema import published_schema
from lstmgraph.resources import EDITOR_SCHEMA, KERAS_SCHEMA, RECIPE_SCHEMA, folder, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = {name: read_schema(name) for name in (RECIPE_SCHEMA, KERAS_SCHEMA)}
BUNDLED = published_schema()
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


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_of_objects_are_those_of_keras(kind: str) -> None:
    """Those of layers: tests/test_catalogue.py."""
    definitions = SCHEMAS[KERAS_SCHEMA]["$defs"]
    names = [name for name in definitions if name.startswith(f"{kind}.")]
    assert names
    for name in names:
        own = definitions[name]["properties"]
        parameters = inspect.signature(getattr(KINDS[kind], name.partition(".")[2])).parameters
        for argument in set(own) - {"type"}:
            default = parameters[argument].default
            if default is inspect.Parameter.empty:
                assert argument in definitions[name]["required"], (name, argument)
            else:
                assert own[argument]["default"] == json.loads(json.dumps(default))


def test_defaults_are_what_a_recipe_gets() -> None:
    """Everything of a resolved recipe that its author left out."""
    text = (
        "recipe: 1\nname: a\ninputs: {x: {shape: [time, 2]}}\noutputs: {y: y}\n"
        "layers: {y: {type: lstm, input: x, units: 2, bidirectional: true}}\n"
        "training: {loss: mse, callbacks: {early_stopping: {}, checkpoint: {}}}\n"
        "data: {split: {}}\nsearch: {}\n"
    )
    resolved_recipe = yaml.safe_load(lstmgraph.load(text).resolved())
    definitions = SCHEMAS[RECIPE_SCHEMA]["$defs"]
    callbacks = resolved_recipe["training"]["callbacks"]
    sections = [
        ("input_tensor", resolved_recipe["inputs"]["x"]),
        ("recurrent", resolved_recipe["layers"]["y"]),
        ("runtime", resolved_recipe["runtime"]),
        ("early_stopping", callbacks["early_stopping"]),
        ("checkpoint", callbacks["checkpoint"]),
        ("split", resolved_recipe["data"]["split"]),
    ]
    written = {"bidirectional"}
    for name, got in sections:
        for key, field in definitions[name]["properties"].items():
            whole = resolved(field, RECIPE_SCHEMA)
            if "default" in whole and key in got and key not in written:
                assert got[key] == whole["default"], (name, key)


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
    assert committed == BUNDLED, "run `python schemas/generate.py` and commit what it writes"


def test_no_reference_leads_into_a_definition() -> None:
    """Editors rewrite definitions while they resolve them."""
    for _, schema in places(BUNDLED):
        if isinstance(schema.get("$ref"), str):
            start, name = schema["$ref"].split("/$defs/")
            assert start == "#"
            assert "/" not in name


def test_what_is_offered_may_be_written() -> None:
    count = 0
    for name, definition in BUNDLED["$defs"].items():
        checker = Draft202012Validator({"$defs": BUNDLED["$defs"], "$ref": f"#/$defs/{name}"})
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
