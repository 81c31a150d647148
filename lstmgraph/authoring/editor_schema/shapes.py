"""Shapes of the source schemas: choices by `type`, and forms told apart by a key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmgraph.authoring.editor_schema.sources import Schema, found, is_impossible

if TYPE_CHECKING:
    from collections.abc import Iterator

Branch = tuple[list[str], Schema]
"""Spellings of a type, and what a mapping of that type is."""


def asks_for(names: list[str]) -> Schema:
    """The condition that `type` is one of `names`, word for word."""
    pattern = f"^({'|'.join(map(re.escape, names))})$"
    word = {"title": "Type", "type": "string", "pattern": pattern}
    return {"properties": {"type": word}, "required": ["type"]}


def branches(schema: Schema) -> Iterator[Branch]:
    """Every choice by `type` that `schema` makes, wherever: a key refused for a type is one too."""
    if _refuses_by_type(schema):
        yield from _by_type(schema)
        return
    names = _spellings(schema.get("if"))
    if names is not None:
        yield from list(branches(schema["then"])) or [(names, schema["then"])]
        yield from branches(schema.get("else", {}))
    for part in schema.get("allOf", ()):
        yield from branches(part)
    if "$ref" in schema:
        yield from branches(found(schema["$ref"]))


def deciders(schema: Schema) -> Iterator[Schema]:
    """`schema` and what it refers to on the way to its branches: they ask the same of all types."""
    yield schema
    if "$ref" in schema:
        yield from deciders(found(schema["$ref"]))
    if _spellings(schema.get("if")) is not None:
        yield from deciders(schema.get("else", {}))


def _spellings(condition: Any) -> list[str] | None:
    """The types that a condition asks for, or None where it asks for something else."""
    if not isinstance(condition, dict) or condition.get("required") != ["type"]:
        return None
    names: list[str] | None = condition.get("properties", {}).get("type", {}).get("enum")
    return names


def _refuses_by_type(schema: Schema) -> bool:
    parts = [part for part in schema.get("allOf", ()) if _spellings(part.get("if")) is not None]
    return bool(parts) and schema.get("additionalProperties") is False


def _by_type(schema: Schema) -> Iterator[Branch]:
    """A closed mapping of which some keys are refused for some types -> one mapping each."""
    for part in schema["allOf"]:
        names = _spellings(part["if"])
        if names is not None:
            inner = part["then"]["properties"]
            refused = {key for key, each in inner.items() if is_impossible(each)}
            kept = {k: v for k, v in schema["properties"].items() if k not in refused}
            rest = {k: v for k, v in schema.items() if k != "allOf"}
            yield names, {**rest, "properties": kept}


def forms(schema: Schema) -> list[tuple[str, Schema]]:
    """``if: required: [KEY]`` one after the other -> each key and its form; [] if it is no such.

    The last form stands without a key: it is tried where none of the keys is there.
    """
    keys = schema.get("if", {}).get("required", [])
    if len(keys) != 1 or set(schema["if"]) != {"required"} or "else" not in schema:
        return []
    rest = schema["else"]
    return [(keys[0], schema["then"]), *(forms(rest) or [("", rest)])]
