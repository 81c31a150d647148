"""Definitions of the two schema files, under one name each."""

from __future__ import annotations

from typing import Any

from lstmgraph.resources import KERAS_SCHEMA, RECIPE_SCHEMA, read_schema

Schema = dict[str, Any]

ANNOTATIONS = ("title", "description", "default", "examples")


def definition_name(reference: str) -> str | None:
    """``keras.activation`` for a reference to that definition; None for one that leads into it."""
    file, _, name = reference.partition("#/$defs/")
    if "/" in name:
        return None
    return f"keras.{name}" if file == KERAS_SCHEMA else name


def found(reference: str) -> Schema:
    """The part of a file that `reference` leads to."""
    file, _, pointer = reference.partition("#/")
    part: Any = read_schema(file or RECIPE_SCHEMA)
    for key in pointer.split("/"):
        part = part[key]
    schema: Schema = part
    return schema


def texts_of(schema: Schema) -> Schema:
    """Title, description, default and examples: its own, then those of what it refers to."""
    inherited = texts_of(found(schema["$ref"])) if "$ref" in schema else {}
    return inherited | {key: schema[key] for key in ANNOTATIONS if key in schema}


def without_annotations(schema: Schema) -> Schema:
    """What `schema` asks of a value."""
    return {key: value for key, value in schema.items() if key not in ANNOTATIONS}


def is_impossible(schema: Any) -> bool:
    """Whether a key is described only to be refused."""
    return isinstance(schema, dict) and schema.get("not") == {}


def holds_mappings(schema: Any, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a value may be a mapping, or hold one: only of such is anything required."""
    if isinstance(schema, list):
        return any(holds_mappings(part, seen) for part in schema)
    if not isinstance(schema, dict):
        return False
    if "properties" in schema or isinstance(schema.get("additionalProperties"), dict):
        return True
    reference = schema.get("$ref")
    if reference is not None and reference not in seen:
        return holds_mappings(found(reference), seen | {reference})
    keys = ("then", "else", "allOf", "items")
    return any(holds_mappings(schema.get(key), seen) for key in keys)
