"""Patterns in the source schemas: choices by `type`, and forms that a key distinguishes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lstmgraph.authoring.editor_schema.sources import Schema, is_impossible, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

Branch = tuple[list[str], Schema]
"""The spellings of a type, and the schema of a mapping of that type."""


def asks_for(names: list[str]) -> Schema:
    """Return the condition that `type` is exactly one of `names`."""
    pattern = f"^({'|'.join(map(re.escape, names))})$"
    word = {"title": "Type", "type": "string", "pattern": pattern}
    return {"properties": {"type": word}, "required": ["type"]}


def branches(schema: Schema) -> Iterator[Branch]:
    """Yield the branches by `type` anywhere in `schema`, including keys refused for a type."""
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
        yield from branches(resolved(schema["$ref"]))


def deciders(schema: Schema) -> Iterator[Schema]:
    """Yield `schema` and those on the way to its branches, which apply to all types."""
    yield schema
    if "$ref" in schema:
        yield from deciders(resolved(schema["$ref"]))
    if _spellings(schema.get("if")) is not None:
        yield from deciders(schema.get("else", {}))


def _spellings(condition: Any) -> list[str] | None:
    """Return the types that a condition requires; None if it is about something else."""
    if not isinstance(condition, dict) or condition.get("required") != ["type"]:
        return None
    names: list[str] | None = condition.get("properties", {}).get("type", {}).get("enum")
    return names


def _refuses_by_type(schema: Schema) -> bool:
    parts = [part for part in schema.get("allOf", ()) if _spellings(part.get("if")) is not None]
    return bool(parts) and schema.get("additionalProperties") is False


def _by_type(schema: Schema) -> Iterator[Branch]:
    """Yield one mapping for each type from a closed mapping that refuses keys for some types."""
    for part in schema["allOf"]:
        names = _spellings(part["if"])
        if names is not None:
            inner = part["then"]["properties"]
            refused = {key for key, value in inner.items() if is_impossible(value)}
            kept = {k: v for k, v in schema["properties"].items() if k not in refused}
            rest = {k: v for k, v in schema.items() if k != "allOf"}
            yield names, {**rest, "properties": kept}


def forms(schema: Schema) -> list[tuple[str, Schema]]:
    """Return each key and its form from a chain of ``if: required: [KEY]``; [] for other schemas.

    The key of the last form is empty: the form applies if none of the keys is there.
    """
    keys = schema.get("if", {}).get("required", [])
    if len(keys) != 1 or set(schema["if"]) != {"required"} or "else" not in schema:
        return []
    rest = schema["else"]
    return [(keys[0], schema["then"]), *(forms(rest) or [("", rest)])]
