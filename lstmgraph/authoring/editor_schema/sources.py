"""The definitions of the two schema files, by unique names."""

from __future__ import annotations

from typing import Any

from lstmgraph.resources import KERAS_SCHEMA, RECIPE_SCHEMA, read_schema

Schema = dict[str, Any]

ANNOTATIONS = ("title", "description", "default", "examples")


def definition_name(reference: str) -> str | None:
    """Return the name of a definition, as ``keras.activation``; None for a reference into one."""
    file, _, name = reference.partition("#/$defs/")
    if "/" in name:
        return None
    return f"keras.{name}" if file == KERAS_SCHEMA else name


def resolved(reference: str) -> Schema:
    """Return the part of a schema file that `reference` points to."""
    file, _, pointer = reference.partition("#/")
    part: Any = read_schema(file or RECIPE_SCHEMA)
    for key in pointer.split("/"):
        part = part[key]
    schema: Schema = part
    return schema


def texts_of(schema: Schema) -> Schema:
    """Return the annotations of `schema`, completed by those of the definition it refers to."""
    inherited = texts_of(resolved(schema["$ref"])) if "$ref" in schema else {}
    return inherited | {key: schema[key] for key in ANNOTATIONS if key in schema}


def without_annotations(schema: Schema) -> Schema:
    """Return `schema` without its annotations."""
    return {key: value for key, value in schema.items() if key not in ANNOTATIONS}


def is_impossible(schema: Any) -> bool:
    """Return whether no value fits, as for keys that are only described to be refused."""
    return isinstance(schema, dict) and schema.get("not") == {}


def holds_mappings(schema: Any, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether a value may be or hold a mapping, the only values with required parts."""
    if isinstance(schema, list):
        return any(holds_mappings(part, seen) for part in schema)
    if not isinstance(schema, dict):
        return False
    if "properties" in schema or isinstance(schema.get("additionalProperties"), dict):
        return True
    reference = schema.get("$ref")
    if reference is not None and reference not in seen:
        return holds_mappings(resolved(reference), seen | {reference})
    keys = ("then", "else", "allOf", "items")
    return any(holds_mappings(schema.get(key), seen) for key in keys)
